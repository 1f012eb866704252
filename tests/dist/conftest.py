"""What the tests of the packages share: the amalgamation, and the Python packages that are made of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKERS = REPOSITORY / ".venv-dist" / "bin"


@dataclass(frozen=True)
class PythonPackages:
    sdist: Path
    wheel: Path


def make_python_packages(tree: Path, amalgamation: Path, output: Path, **environment: str) -> PythonPackages:
    """What `tree` says of the packages, made in `output`."""
    command = [sys.executable, str(tree / "tools/dist/wheel.py")]
    command += ["--amalgamation", str(amalgamation), "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return PythonPackages(sdist, wheel)


@pytest.fixture(scope="session")
def amalgamation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("amalgamation")
    subprocess.run([sys.executable, REPOSITORY / "tools/amalgamate.py", "--output", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def python_packages(amalgamation: Path, tmp_path_factory: pytest.TempPathFactory) -> PythonPackages:
    return make_python_packages(REPOSITORY, amalgamation, tmp_path_factory.mktemp("python"))
