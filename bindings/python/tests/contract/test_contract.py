"""Every contract vector, through the public API of trip, one test each."""

from __future__ import annotations

import pytest

from replay import replay
from vectors import Vector, load


@pytest.mark.parametrize("vector", load(), ids=lambda vector: vector["name"])
def test_vector(vector: Vector) -> None:
    replay(vector)
