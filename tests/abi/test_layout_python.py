"""The layout that Python's ctypes makes is the one in layout.json, as the compilers of C, Rust and Go assert it too."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CALLBACK = re.compile(r"(?P<result>\w+) \(\*\)\((?P<arguments>.*)\)")


@pytest.fixture(scope="module")
def abi(repository: Path) -> ModuleType:
    """trip._abi alone: the package would load a library, and structs have their layout without one."""
    spec = importlib.util.spec_from_file_location("_abi", repository / "bindings/python/src/trip/_abi.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_structs(abi: ModuleType, layout: dict[str, Any]) -> None:
    measured = {}
    for name, struct in vars(abi).items():
        if isinstance(struct, type) and issubclass(struct, ctypes.Structure):
            members = {
                member: {"offset": getattr(struct, member).offset, "size": getattr(struct, member).size}
                for member, *_ in struct._fields_
            }
            measured[name] = {"size": ctypes.sizeof(struct), "members": members}
    assert measured == layout["structs"]


def test_constants(abi: ModuleType, layout: dict[str, Any]) -> None:
    measured = {name: value for name, value in vars(abi).items() if name.startswith("TRIP_")}
    assert measured == layout["constants"]
    statuses = {name: number for number, name in abi.STATUS_NAMES.items()}
    assert statuses.items() <= layout["constants"].items()


def test_types_of_members_tell_signs_and_fractions_apart(abi: ModuleType, signatures: dict[str, Any]) -> None:
    """Sizes and offsets do not: an int32_t lies where a uint32_t would."""
    kinds: dict[str, type] = {"double": ctypes.c_double, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64}
    kinds |= {
        "int32_t": ctypes.c_int32,
        "int64_t": ctypes.c_int64,
        "trip_status": ctypes.c_int32,
        "trip_circuit": ctypes.c_uint64,
        "trip_permit": ctypes.c_uint64,
        "const uint64_t *": ctypes.c_void_p,
    }
    for name, struct in signatures["structs"].items():
        declared = dict(getattr(abi, name)._fields_)
        for member, described in struct["members"].items():
            array = re.fullmatch(r"char\[(\d+)\]", described["type"])
            expected = ctypes.c_char * int(array[1]) if array else kinds[described["type"]]
            assert declared[member] is expected, f"{name}.{member}"


def test_callbacks_take_what_they_say(abi: ModuleType, signatures: dict[str, Any]) -> None:
    kinds = {"void": None, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "size_t": ctypes.c_size_t}
    callbacks = {name: found for name, one in signatures["types"].items() if (found := CALLBACK.fullmatch(one["type"]))}
    assert callbacks
    for name, parts in callbacks.items():
        declared = getattr(abi, name)
        arguments = [] if parts["arguments"] == "void" else parts["arguments"].split(", ")
        expected = [ctypes.c_void_p if kind.endswith("*") else kinds.get(kind, ctypes.c_uint64) for kind in arguments]
        assert (declared._restype_, declared._argtypes_) == (kinds[parts["result"]], tuple(expected)), name
