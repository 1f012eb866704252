"""One short replay for all tests of the demo."""

from __future__ import annotations

import subprocess

import pytest
from replayed import Replay, run_command

SECONDS = 8


@pytest.fixture(scope="session")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    folder = tmp_path_factory.mktemp("replay")
    command = run_command("--seconds", str(SECONDS), "--out", str(folder))
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return Replay(folder, finished.stdout)
