"""Builds the site anew, so that no page is left over from before; a warning is an error.

python docs/site/build.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import main

HERE = Path(__file__).resolve().parent


def build(folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as read:
        return main(["-E", "-q", "--fail-on-warning", "-c", str(HERE), "-d", read, str(HERE.parent), str(folder)])


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
