"""Owns Pipeline: named functions through which bytes pass, called by the library. Nothing is raised through that."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable
from typing import Any, Callable, NoReturn, cast

from . import _abi
from ._callbacks import everlasting, finalizer, keep, kept, let_go
from ._entry import Name, as_bytes
from ._errors import failure
from ._library import library
from ._owned import Owned
from ._text import whole
from ._tracker import Bytes

Stage = Callable[[bytes], bytes]

_NAME_AT = cast(Any, _abi.trip_stage_failure).name.offset
_FAILED = -1  # the code of an exception that has none


class StageFailed(Exception):
    """A stage of a pipeline has failed: the `stage`-th, counted from 0, by its `name`, with its `code`. Those behind it
    did not run. Raised from what the stage itself has raised.
    """

    def __init__(self, stage: int, name: str, code: int) -> None:
        super().__init__(stage, name, code)
        self.stage = stage
        self.name = name
        self.code = code

    def __str__(self) -> str:
        return f"stage {self.stage}, {self.name!r}, has failed with code {self.code}"


class Pipeline(Owned):
    """Named stages through which bytes pass, in order: what one returns, the next one gets.

        pipeline = trip.Pipeline([("strip", bytes.strip), ("upper", bytes.upper)])
        assert pipeline.run(b" hello ") == b"HELLO"

    A stage is a function of bytes that returns bytes. It fails by raising an exception, whose `code`, where it has one
    that is an int of 32 bits and not 0, is the code of the failure; else that is -1. Any number of threads may run a
    pipeline at once, and a stage may run it, too. It is destroyed when it is closed, or when nobody holds it any more;
    runs that are in it go on to their end.
    """

    _destroy = staticmethod(library.trip_pipeline_destroy)

    def __init__(self, stages: Iterable[tuple[Name, Stage]] = ()) -> None:
        self._handle = _abi.trip_pipeline()
        status = library.trip_pipeline_create(ctypes.byref(self._handle))
        if status < 0:
            raise failure(status)
        for name, stage in stages:
            self.add(name, stage)

    def add(self, name: Name, stage: Stage) -> None:
        """Add a stage behind those that are there. Runs that are in the pipeline go on without it."""
        named = as_bytes("name", name)
        if not callable(stage):
            raise TypeError(f"a stage must be a function of bytes, not {type(stage).__name__}")
        number = keep(stage)
        status = library.trip_pipeline_add(self._handle, named, len(named), _stage, number, finalizer)
        if status < 0:
            let_go(number)
            raise failure(status)

    @property
    def stages(self) -> int:
        """How many there are."""
        count = ctypes.c_uint32()
        status = library.trip_pipeline_count(self._handle, ctypes.byref(count))
        if status < 0:
            raise failure(status)
        return count.value

    def run(self, given: Bytes) -> bytes:
        """Pass bytes through all stages. Without stages they come out as they went in.

        Raises StageFailed where a stage does; what is no Exception, such as KeyboardInterrupt, goes on as it is.
        """
        if not isinstance(given, (bytes, bytearray, memoryview)):
            raise TypeError(f"a pipeline takes bytes, not {type(given).__name__}")
        passed, output = bytes(given), _abi.trip_output()
        told = _abi.trip_stage_failure(ctypes.sizeof(_abi.trip_stage_failure))
        to_output = ctypes.byref(output)
        _last.raised = None
        try:
            status = library.trip_pipeline_run(self._handle, passed, len(passed), to_output, ctypes.byref(told))
            raised, _last.raised = _last.raised, None
            if status == _abi.TRIP_STAGE_FAILED:
                _raise(told, raised)
            if status < 0:
                raise failure(status)
            return whole(library.trip_output_read, output)
        finally:
            library.trip_output_free(output.value)


_last = threading.local()  # its `raised`: by the last stage on this thread. One that fails is the last of its run


def _raise(told: _abi.trip_stage_failure, cause: BaseException | None) -> NoReturn:
    if cause is not None and not isinstance(cause, Exception):
        raise cause
    name = ctypes.string_at(ctypes.addressof(told) + _NAME_AT, told.name_len)
    raise StageFailed(told.stage, name.decode(errors="surrogateescape"), told.code) from cause


def _run_stage(number: int, given: int | None, length: int, output: int) -> int:
    """What C calls for each stage of Python: 0, or the code of its failure."""
    try:
        written = kept(number)(ctypes.string_at(given or 0, length))
        if not isinstance(written, (bytes, bytearray, memoryview)):
            raise TypeError(f"a stage must return bytes, not {type(written).__name__}")
        said = bytes(written)
        status = library.trip_output_write(output, said, len(said))
        if status < 0:
            raise failure(status)
        return 0
    except BaseException as error:
        _last.raised = error
        return _code(error)


def _code(error: BaseException) -> int:
    try:
        code = getattr(error, "code", _FAILED)
        is_code = type(code) is int and code != 0 and -(2**31) <= code < 2**31
    except Exception:
        return _FAILED
    return code if is_code else _FAILED


_stage = everlasting(_abi.trip_stage(_run_stage))
