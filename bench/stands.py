"""Which stands there are: how each is built and started, and whom the bench misses when it cannot be."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
LIBRARY_FOLDER = Path(os.environ.get("TRIP_BUILD", ROOT / "build"))
BUILT = LIBRARY_FOLDER / "bench"


@dataclass(frozen=True)
class Recipe:
    """A stand before it runs."""

    name: str
    language: str
    tool: str  # the program without which it cannot be built
    peers: tuple[str, ...]
    build: Callable[[], None]
    command: tuple[str, ...]
    only_with_all: bool = False


class BuildError(Exception):
    """The last thing that a failing build said."""


def environment() -> dict[str, str]:
    """What a stand needs to find the library under test, in whatever language."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(LIBRARY_FOLDER),
        "TRIP_LIBRARY": str(LIBRARY_FOLDER / "libtrip.so"),
        "PKG_CONFIG_PATH": str(LIBRARY_FOLDER / "meson-uninstalled"),
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
        "NODE_PATH": str(BUILT / "node" / "node_modules"),
        "CARGO_TARGET_DIR": str(BUILT / "rust"),
        "GOFLAGS": "-buildvcs=false",
        "GOTOOLCHAIN": "local",
    }


def run(*command: str | Path, cwd: Path) -> None:
    try:
        subprocess.run(
            command, cwd=cwd, env=environment(), check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise BuildError(str(error)) from None
    except subprocess.CalledProcessError as error:
        said = [line.strip() for line in error.output.splitlines() if line.strip()]
        errors = [line for line in said if line.lower().startswith(("error", "fatal"))]
        raise BuildError((errors or said or [f"status {error.returncode}"])[-1]) from None


def _build_c() -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    warnings = ("-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror")
    library = ("-L", LIBRARY_FOLDER, "-ltrip", "-Wl,-rpath,$ORIGIN/..")
    sources = ("stand.c", "libtrip.c", "policies.c", "uthash.c", "machine.c")
    compile_c = (os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-g", *warnings, "-pthread", "-I", ROOT / "include")
    run(*compile_c, *sources, "-o", BUILT / "stand-c", *library, cwd=BENCH / "c")
    run(*compile_c, "load.c", "-o", BUILT / "load", cwd=BENCH / "c")


def _build_rust(folder: str) -> Callable[[], None]:
    return lambda: run("cargo", "build", "--release", "--locked", cwd=BENCH / "rust" / folder)


def _build_go() -> None:
    run("go", "build", "-o", BUILT / "stand-go", ".", cwd=BENCH / "go")


def _install(folder: Path, sources: Sequence[Path], install: Callable[[], None]) -> None:
    """Fill a folder anew when what it is filled from has changed."""
    stamp = folder / "sources.sha256"
    wanted = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install()
        stamp.write_text(wanted)


def _build_python() -> None:
    requirements, folder = BENCH / "python" / "requirements.txt", BUILT / "venv"

    def install() -> None:
        run("python3", "-m", "venv", folder, cwd=BENCH)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements, cwd=BENCH)

    _install(folder, [requirements], install)


def _build_java() -> None:
    places = (f"-Dbench.build={BUILT / 'java'}", f"-DoutputDirectory={BUILT / 'java' / 'lib'}")
    goals = ("compile", "dependency:copy-dependencies", "-DincludeScope=runtime")
    run("mvn", "--quiet", "--batch-mode", *goals, *places, cwd=BENCH / "java")


def _build_node() -> None:
    sources, folder = [BENCH / "node" / name for name in ("package.json", "package-lock.json")], BUILT / "node"

    def install() -> None:
        for source in sources:
            shutil.copy(source, folder)
        run("npm", "ci", "--no-audit", "--no-fund", cwd=folder)

    _install(folder, sources, install)


def _rust(folder: str, *peers: str) -> Recipe:
    binary = BUILT / "rust" / "release" / f"bench-{folder}"
    return Recipe(f"the Rust stand of {folder}", "rust", "cargo", peers, _build_rust(folder), (str(binary),))


C = Recipe(
    "the C stand",
    "c",
    "cc",
    ("libtrip", "two_empty_calls", "single_steps", "independent_loops", "uthash_rwlock"),
    _build_c,
    (str(BUILT / "stand-c"),),
)

RECIPES = (
    C,
    _rust("breakers", "libtrip", "two_empty_calls", "failsafe", "recloser", "tower-resilience-circuitbreaker", "tower"),
    _rust("heartbit-core", "heartbit-core"),
    _rust("llm-agent-runtime", "llm-agent-runtime"),
    _rust("brainwires-call-policy", "brainwires-call-policy"),
    _rust("awaken-runtime", "awaken-runtime"),
    Recipe(
        "the Go stand",
        "go",
        "go",
        ("libtrip", "two_empty_calls", "sony/gobreaker/v2", "failsafe-go", "mercari/go-circuitbreaker"),
        _build_go,
        (str(BUILT / "stand-go"),),
    ),
    Recipe(
        "the Python stand",
        "python",
        "python3",
        ("libtrip", "two_empty_calls", "pybreaker", "circuitbreaker", "purgatory", "aiobreaker"),
        _build_python,
        (str(BUILT / "venv" / "bin" / "python"), str(BENCH / "python" / "stand.py")),
    ),
    Recipe(
        "the Java stand",
        "java",
        "mvn",
        ("resilience4j", "Failsafe"),
        _build_java,
        ("java", "-cp", f"{BUILT / 'java' / 'classes'}:{BUILT / 'java' / 'lib'}/*", "bench.Harness"),
        only_with_all=True,
    ),
    Recipe(
        "the Node stand",
        "node",
        "npm",
        ("opossum", "cockatiel"),
        _build_node,
        ("node", str(BENCH / "node" / "stand.js")),
        only_with_all=True,
    ),
)
