"""What the tests of the ABI share: where things are. TRIP_BUILD names the folder that the library was built in."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bindings"))


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("TRIP_BUILD", REPOSITORY / "build")).resolve()


@pytest.fixture(scope="session")
def library(build: Path) -> Path:
    return build / "libtrip.so"


@pytest.fixture(scope="session")
def signatures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "bindings/generate/signatures.json").read_text())
    return found


@pytest.fixture(scope="session")
def layout() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "tests/abi/layout.json").read_text())
    return found
