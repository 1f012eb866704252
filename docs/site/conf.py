"""What the documentation site is made of and in which order; Sphinx reads this. How files of the tree become pages, and
links between them links of the site, tree.py knows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "libtrip"
version = release = re.findall(r"(?m)^ *version: '([\d.]+)'", (HERE.parent.parent / "meson.build").read_text())[0]

extensions = ["myst_parser", "tree"]
root_doc = "index"
exclude_patterns = ["site"]

# Pages that stand elsewhere in the tree, where their readers look for them first.
pages_elsewhere = {
    "readme": "README.md",
    "abi": "ABI.md",
    "binding.python": "bindings/python/README.md",
    "bench": "bench/README.md",
}

# The order of the pages, with a shorter title where one is given. A page that is not written is left out; one that is,
# and does not stand here, is an error.
navigation = {
    "": ["On one page <readme>"],
    "Languages": ["python", "rust", "go", "c"],
    "Guides": [
        "guides/thresholds",
        "guides/streaming",
        "guides/prefork",
        "asyncio",
        "guides/testing",
        "mistakes",
    ],
    "With other libraries": ["http.python", "pybreaker.python", "tower.rust", "http.go"],
    "What it does": [
        "outcomes",
        "classification",
        "operating",
        "operating.python",
        "operating.rust",
        "operating.go",
        "policies",
        "policies.python",
        "policies.rust",
        "policies.go",
    ],
    "Reference": ["binding.python", "reference", "abi", "packages"],
    "About": ["performance", "bench", "differences", "conventions"],
}

myst_heading_anchors = 6  # named as in the repository's view of the same files
myst_links_external_new_tab = False
suppress_warnings = ["myst.header"]  # an outline may begin below the second level

html_theme = "furo"
html_title = f"libtrip {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_last_updated_fmt = None  # the same pages from the same files, whenever they are built
pygments_style = "github-light-high-contrast"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0f6b60", "color-brand-content": "#0f6b60"},
    "dark_css_variables": {"color-brand-primary": "#5fc9b8", "color-brand-content": "#5fc9b8"},
}
