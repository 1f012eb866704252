"""Owns finding libtrip.so, opening it and refusing one of another ABI. The only module that loads anything."""

from __future__ import annotations

import os
from pathlib import Path

from . import _abi

SONAME = "libtrip.so.1"
ABI_MAJOR, ABI_MINOR = 1, 4


def candidate() -> str:
    """The one library to open.

    There is no second try: falling through from a broken library to another one would give a process two libtrips,
    which share no circuits.
    """
    named = os.environ.get("TRIP_LIBRARY")
    if named:
        return named
    bundled = Path(__file__).with_name(SONAME)
    return str(bundled) if bundled.exists() else SONAME


def open_library() -> _abi.Library:
    path = candidate()
    try:
        library = _abi.load(path)
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"cannot load libtrip from {path!r}: {error}. "
            f"Looked for, in this order: the path in TRIP_LIBRARY ({os.environ.get('TRIP_LIBRARY') or 'not set'}), "
            f"{SONAME} in {Path(__file__).parent}, and {SONAME} as the system's loader finds it."
        ) from error
    version = library.trip_abi_version()
    major, minor = version >> 16, version & 0xFFFF
    if major != ABI_MAJOR or minor < ABI_MINOR:
        raise ImportError(
            f"{path!r} has version {major}.{minor} of the ABI; this package needs {ABI_MAJOR}.{ABI_MINOR} "
            f"or a later {ABI_MAJOR}.x"
        )
    return library


library = open_library()


def library_version() -> str:
    """The version of the library that was loaded, such as "1.0.0"."""
    return library.trip_version().decode()
