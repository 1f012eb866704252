"""How a block of each language is run: as its reader would run it, against the library in the build folder.

Every function takes the program and an empty folder, and returns the command that has to succeed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from blocks import Malformed

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("TRIP_BUILD", ROOT / "build"))
LIMIT = 300  # seconds; the first Rust block compiles the binding
NOT_RUN = ("text", "json", "diff")
THE_TWO_COMMANDS = ("./x demo", "./x test")

ENVIRONMENT = {
    **os.environ,
    "TRIP_LIBRARY": str(BUILD / "libtrip.so"),
    "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"),
    "LD_LIBRARY_PATH": str(BUILD),
    "PYTHONPATH": str(ROOT / "bindings/python/src"),
    "CARGO_TARGET_DIR": str(ROOT / "bindings/rust/target"),
    "CARGO_NET_OFFLINE": "true",  # what Cargo.lock names is here since the binding was built
    "GOFLAGS": "-mod=mod -buildvcs=false",
}


def c(program: str, folder: Path) -> list[str]:
    (folder / "block.c").write_text(program)
    compile_and_link = "gcc -std=c11 -Wall -Wextra -Werror -o block block.c $(pkg-config --cflags --libs libtrip)"
    return ["bash", "-ec", f"{compile_and_link}; ./block"]


def python(program: str, folder: Path) -> list[str]:
    (folder / "block.py").write_text(program)
    return ["python", "block.py"]


def rust(program: str, folder: Path) -> list[str]:
    binding = ROOT / "bindings/rust"
    (folder / "src").mkdir()
    (folder / "src/main.rs").write_text(program)
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "block"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[dependencies]\ntrip = {{ path = "{binding}/trip", features = ["tokio"] }}\n'
        'tokio = { version = "1", features = ["macros", "rt"] }\n'
        + (TOWER.format(binding=binding) if "tower::" in program else "")
    )
    shutil.copy(binding / "Cargo.lock", folder)
    return ["cargo", "run", "--quiet"]


# What clients and servers are made of, as far as the binding's lock file has it.
TOWER = """\
trip-tower = {{ path = "{binding}/trip-tower", features = ["http"] }}
axum = {{ version = "0.8", default-features = false }}
bytes = "1"
http = "1"
http-body-util = "0.1"
hyper = "1"
hyper-util = {{ version = "0.1", features = ["client-legacy", "http1", "tokio"] }}
reqwest = {{ version = "0.13", default-features = false, features = ["stream"] }}
tower = {{ version = "0.5", features = ["timeout", "util"] }}
"""

GO = "libtrip.example/trip"
GO_MODULES = {"/tripgrpc": "tripgrpc", "/openai-go": "sdktest", "/anthropic-sdk-go": "sdktest"}


def go(program: str, folder: Path) -> list[str]:
    """A module that needs what that one of the binding's needs which knows what the program imports."""
    binding = ROOT / "bindings/go"
    module = binding / next((name for part, name in GO_MODULES.items() if part in program), "")
    (folder / "main.go").write_text(program)
    declared = re.sub("^module .*", "module block", (module / "go.mod").read_text())
    declared = re.sub("^replace .*", "", declared, flags=re.MULTILINE)
    for path, where in ((GO, binding), (f"{GO}/tripgrpc", binding / "tripgrpc")):
        declared += f"\nrequire {path} v0.0.0\nreplace {path} => {where}\n"
    (folder / "go.mod").write_text(declared)
    if (module / "go.sum").exists():
        shutil.copy(module / "go.sum", folder)
    return ["go", "run", "."]


def sh(program: str, folder: Path) -> list[str]:
    (folder / "block.sh").write_text(program)
    return ["bash", "-euo", "pipefail", "-c", f"cd {ROOT} && . {folder}/block.sh"]


def console(program: str, folder: Path) -> list[str]:
    """Lines after `$ ` are commands; the lines that follow one are what it prints, `...` standing for anything."""
    checks = []
    for typed, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", program, re.MULTILINE):
        expected = ".*".join(re.escape(part.strip("\n")) for part in printed.split("...\n"))
        checks.append((typed, expected))
    if not checks:
        raise Malformed("a console block without a line that begins with '$ '")
    (folder / "block.py").write_text(CONSOLE.format(checks=checks))
    return ["python", str(folder / "block.py")]


def yaml(program: str, folder: Path) -> list[str]:
    """Rules of Prometheus: the one thing that is written so."""
    (folder / "rules.yml").write_text(program)
    return ["promtool", "check", "rules", "rules.yml"]


CONSOLE = """\
import re, subprocess
for typed, expected in {checks!r}:
    ran = subprocess.run(["bash", "-c", typed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(ran.stdout, end="")
    assert ran.returncode == 0, f"{{typed}} exits with {{ran.returncode}}"
    assert re.fullmatch(expected, ran.stdout.strip("\\n"), re.DOTALL), f"{{typed}} prints something else"
"""

LANGUAGES: dict[str, Callable[[str, Path], list[str]]] = {
    "c": c,
    "python": python,
    "rust": rust,
    "go": go,
    "sh": sh,
    "console": console,
    "yaml": yaml,
}


def holds_only_the_two_commands(program: str) -> bool:
    typed = [line.removeprefix("$ ").partition("#")[0].strip() for line in program.splitlines()]
    return all(line in ("", *THE_TWO_COMMANDS) for line in typed) and any(typed)


def run(language: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if language not in LANGUAGES:
        raise Malformed(f"'{language}' cannot be run; a block that is only to be read is one of {', '.join(NOT_RUN)}")
    return subprocess.run(
        LANGUAGES[language](program, folder),
        cwd=ROOT if language == "console" else folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
