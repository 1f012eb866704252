"""A library that was built without libffi has everything but guards, and says so."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

FEATURE_POLICIES, FEATURE_GUARDS = 8, 9
INVALID, UNSUPPORTED = -1, -8


class Error(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("status", ctypes.c_int32),
        ("field_offset", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("message", ctypes.c_char * 240),
    ]


@pytest.fixture(scope="module")
def without_guards(repository: Path, library: Path, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("without-guards")
    configure = ["meson", "setup", str(folder), str(repository), "-Dguards=disabled"]
    subprocess.run(configure, check=True, capture_output=True)
    name = library.resolve().name
    subprocess.run(["ninja", "-C", str(folder), name], check=True, capture_output=True)
    return ctypes.CDLL(str(folder / name))


def create(library: ctypes.CDLL, signature: bytes) -> tuple[int, str]:
    """What a guard of a function comes to, and the error's words."""
    tracker, circuit, guard = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64(42)
    assert library.trip_tracker_create(None, ctypes.byref(tracker), None) == 0
    length = ctypes.c_size_t
    assert library.trip_tracker_circuit(tracker, b"a", length(1), b"b", length(1), ctypes.byref(circuit)) == 0
    error = Error(ctypes.sizeof(Error))
    status = library.trip_guard_create(
        circuit,
        ctypes.cast(library.trip_abi_version, ctypes.c_void_p),
        signature,
        length(len(signature)),
        None,
        None,
        None,
        None,
        ctypes.byref(guard),
        ctypes.byref(error),
    )
    assert guard.value == 42
    return status, error.message.decode()


def test_says_that_guards_are_missing(without_guards: ctypes.CDLL) -> None:
    assert without_guards.trip_has_feature(FEATURE_POLICIES) == 1
    assert without_guards.trip_has_feature(FEATURE_GUARDS) == 0


def test_refuses_a_guard_in_words(without_guards: ctypes.CDLL) -> None:
    assert create(without_guards, b"int8 ()") == (UNSUPPORTED, "this library was built without libffi")


def test_still_tells_what_is_wrong_with_a_signature(without_guards: ctypes.CDLL) -> None:
    status, message = create(without_guards, b"int8")
    assert status == INVALID and message.startswith("signature, byte 4")


def test_contains_no_libffi(without_guards: ctypes.CDLL) -> None:
    command = ["nm", "--defined-only", without_guards._name]
    symbols = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert " trip_guard_create" in symbols and " ffi_" not in symbols
