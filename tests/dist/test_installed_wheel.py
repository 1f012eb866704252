"""In a bare virtual environment, without a compiler, an index or a libtrip on the system, the wheel is all it takes."""

from __future__ import annotations

import email
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import REPOSITORY, PythonPackages


@dataclass(frozen=True)
class Environment:
    """A virtual environment. Its programs know no folder of the tree, no variable of the tests, no compiler."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *arguments: str | Path, **variables: str) -> str:
        """What its Python prints; an error with what it complained of where it fails."""
        environment = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder), **variables}
        done = subprocess.run(
            [self.python, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> set[Path]:
        return set(self.folder.rglob("*"))


def install(wheels: Path) -> tuple[str, ...]:
    return ("-m", "pip", "install", "--disable-pip-version-check", "--no-index", "--find-links", str(wheels), "libtrip")


@pytest.fixture(scope="module")
def bare(python_packages: PythonPackages, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("bare") / "venv")
    subprocess.run([sys.executable, "-m", "venv", environment.folder], check=True)
    environment.run(*install(python_packages.wheel.parent))
    return environment


WHICH = """
import trip
from importlib.metadata import version
assert version("libtrip") == trip.library_version()
print({line.split()[-1] for line in open("/proc/self/maps") if "libtrip" in line}.pop())
"""


def test_loads_the_library_that_it_brought(bare: Environment) -> None:
    (installed,) = bare.folder.glob("lib/python3*/site-packages/trip/libtrip.so.1")
    assert bare.run("-I", "-c", WHICH).strip() == str(installed)


REPLAY = """
import sys
sys.path.insert(0, sys.argv[1])
from replay import replay
from vectors import load
import trip
vectors = load()
for vector in vectors:
    replay(vector)
print(trip.__file__, len(vectors))
"""


def test_the_contract_vectors_pass(bare: Environment, tmp_path: Path) -> None:
    runner = shutil.copytree(REPOSITORY / "bindings/python/tests/contract", tmp_path / "runner")
    vectors = shutil.copytree(REPOSITORY / "tests/contract", tmp_path / "vectors")
    package, ran = bare.run("-I", "-c", REPLAY, runner, TRIP_CONTRACT=str(vectors)).split()
    assert Path(package).is_relative_to(bare.folder)
    there = sum(len(json.loads(file.read_text())["vectors"]) for file in vectors.glob("*.json"))
    assert int(ran) == there > 0


GUARD = """
import ctypes, trip
with trip.Tracker(failure_threshold=1) as tracker:
    guard = trip.FunctionGuard(tracker.circuit("acme", "openai"), ctypes.CDLL(None).atoi, "int32 (pointer)")
    print(guard.call(b"42"))
"""


def test_guards_a_function_of_c(bare: Environment) -> None:
    assert bare.run("-I", "-c", GUARD) == "42\n"


def asks_for(example: str) -> set[str]:
    """The packages that an example imports."""
    return set(re.findall(r"^\s*(?:import|from) (\w+)", example, re.MULTILINE))


def test_the_examples_of_its_description_run(bare: Environment) -> None:
    (metadata,) = bare.folder.glob("lib/python3*/site-packages/libtrip-*.dist-info/METADATA")
    description = email.message_from_string(metadata.read_text()).get_payload()
    assert isinstance(description, str)
    examples = re.findall(r"^```python\n(.*?)^```$", description, re.DOTALL | re.MULTILINE)
    alone = [example for example in examples if asks_for(example) <= {"trip", *sys.stdlib_module_names}]
    assert alone and alone[0] == examples[0]
    bare.run("-I", "-c", "\n".join(alone))


def test_pip_finds_nothing_amiss(bare: Environment) -> None:
    assert "No broken requirements found." in bare.run("-m", "pip", "--disable-pip-version-check", "check")


def test_uninstalled_it_leaves_nothing(python_packages: PythonPackages, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
    before = environment.files()
    pip = [sys.executable, "-m", "pip", "--python", str(environment.python)]
    subprocess.run([*pip, *install(python_packages.wheel.parent)[2:]], check=True, capture_output=True)
    environment.run("-c", "import trip")
    assert environment.files() > before
    subprocess.run([*pip, "uninstall", "--yes", "libtrip"], check=True, capture_output=True)
    assert environment.files() == before
