"""Owns FunctionGuard: a circuit before a function of C, which the library calls. Nothing is raised through that."""

from __future__ import annotations

import ctypes
import errno
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypedDict, cast

from . import _abi
from ._callbacks import everlasting, finalizer, keep, kept, let_go
from ._circuit import Circuit
from ._constants import Rule, StatusClass
from ._entry import Name, as_bytes
from ._errors import failure
from ._fields import Fields, required
from ._library import library
from ._number import U32_MAX, range_of, require_int
from ._owned import Owned
from ._rejection import CircuitOpen, Rejection

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

# Judges what a function returned, and the errno that it left.
ClassifyResult = Callable[[Any, int], StatusClass]

_log = logging.getLogger("trip")

_TYPES: dict[str, Any] = {
    "void": None,
    "int8": ctypes.c_int8,
    "uint8": ctypes.c_uint8,
    "int16": ctypes.c_int16,
    "uint16": ctypes.c_uint16,
    "int32": ctypes.c_int32,
    "uint32": ctypes.c_uint32,
    "int64": ctypes.c_int64,
    "uint64": ctypes.c_uint64,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "pointer": ctypes.c_void_p,
}
_FUNCTIONS = cast(Any, ctypes)._CFuncPtr  # of which all of ctypes' functions are
_FLOATS = (ctypes.c_float, ctypes.c_double)
_KEEPS_GIL = 4  # FUNCFLAG_PYTHONAPI of CPython: that a function expects the interpreter's lock


@dataclass(frozen=True)
class GuardConfig(Fields):
    """What a FunctionGuard makes of results: the library's trip_guard_config, field for field.

    It holds whatever that can hold; whether it makes sense, the library says when a FunctionGuard is made of it.
    """

    _struct = _abi.trip_guard_config

    rule: int = Rule.NEGATIVE_FAILS
    refused_result: int = -1
    refused_double: float = -1.0
    refused_errno: int = errno.EAGAIN


class GuardOptions(TypedDict, total=False):
    """What FunctionGuard takes: the fields of GuardConfig, of which `refused_result` may be a float, too, for a
    function that returns one: then it is the `refused_double`.
    """

    rule: Rule
    refused_result: float
    refused_errno: int


class FunctionGuard(Owned):
    """A circuit before a function of C, given by its address or as a function of ctypes. Each call of it holds a
    permit.

        libc = ctypes.CDLL(None)
        guarded = trip.FunctionGuard(circuit, libc.atoi, "int32 (pointer)")
        guarded.call(b"42")             # 42; raises trip.CircuitOpen when the circuit refuses
        guarded.pointer(b"42")          # the same, and -1 when it refuses: for whoever keeps a pointer to the function

    The signature is the type of the result and, in parentheses, those of the parameters: void, int8, uint8, int16,
    uint16, int32, uint32, int64, uint64, float, double, pointer. It must be that of the function, for nobody can check
    that. The `rule` says which results are failures: by default those below 0. `classify` is for Rule.CLASSIFIER: it
    gets the result and the errno, and says the StatusClass. When it raises, which the logger "trip" reports, or says
    anything else, that is StatusClass.UNKNOWN.

    The options are those of trip.GuardOptions; include/trip.h says what each means under the field of the same name of
    trip_guard_config; bad values raise ConfigError, whose `field` is the field's name. A library that was built without
    libffi has no guards: then this raises trip.Error (TRIP_E_UNSUPPORTED).

    It keeps its circuit's tracker alive. It is destroyed when it is closed, or when nobody holds it any more; calls
    that are in it go on to their end, and `pointer` calls the function without asking anybody from then on.
    """

    _destroy = staticmethod(library.trip_guard_destroy)

    def __init__(
        self,
        circuit: Circuit,
        function: Any,
        signature: str,
        *,
        classify: ClassifyResult | None = None,
        **options: Unpack[GuardOptions],
    ) -> None:
        said: dict[str, Any] = {**options}
        if isinstance(said.get("refused_result"), float):
            said["refused_double"] = said.pop("refused_result")
        self._begin(GuardConfig.of("FunctionGuard", said), circuit, function, signature, classify)

    @classmethod
    def from_config(
        cls,
        config: GuardConfig,
        circuit: Circuit,
        function: Any,
        signature: str,
        classify: ClassifyResult | None = None,
    ) -> Self:
        """A guard of an exact config."""
        guard = cls.__new__(cls)
        guard._begin(required(config, GuardConfig), circuit, function, signature, classify)
        return guard

    def _begin(
        self, config: GuardConfig, circuit: Circuit, function: Any, signature: Name, classify: ClassifyResult | None
    ) -> None:
        if not isinstance(circuit, Circuit):
            raise TypeError(f"circuit must be a trip.Circuit, not {type(circuit).__name__}")
        if classify is not None and not callable(classify):
            raise TypeError(f"classify must be a function of a result and an errno, not {type(classify).__name__}")
        native, error = config.native(), _abi.trip_error(ctypes.sizeof(_abi.trip_error))
        said = as_bytes("signature", signature)
        self._circuit, self._function = circuit, function
        self._result, self._parameters = _types(said)
        self._handle = _abi.trip_guard()
        circuit.peek()  # one that was evicted is there again
        number = None if classify is None else keep(_Judge(classify, self._result))
        status = library.trip_guard_create(
            circuit.handle,
            _address_of(function),
            said,
            len(said),
            ctypes.byref(native),
            _NOBODY if number is None else _judge,
            number,
            finalizer,
            ctypes.byref(self._handle),
            ctypes.byref(error),
        )
        if status < 0:
            let_go(number)
            raise config.told(status, error)

    def call(self, *args: Any) -> Any:
        """Call the function: what it returns, whatever that is, or CircuitOpen when the circuit refuses.

        A pointer may be None, an address, bytes, or what ctypes has for pointers: arrays, byref, pointer. One that is
        returned is its address, or None. The errno that the function left is ctypes.get_errno().
        """
        if len(args) != len(self._parameters):
            raise TypeError(f"the function takes {len(self._parameters)} arguments, not {len(args)}")
        values = [_argument(index, kind, value) for index, (kind, value) in enumerate(zip(self._parameters, args))]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        result = None if self._result is None else self._result()
        refused = _abi.trip_rejection(ctypes.sizeof(_abi.trip_rejection))
        status = _call(
            self._handle, pointers, len(values), None if result is None else ctypes.byref(result), ctypes.byref(refused)
        )
        if status < 0:
            raise failure(status)
        if status != _abi.TRIP_OK:
            raise CircuitOpen(self._circuit.tenant, self._circuit.provider, Rejection.of(status, refused))
        return None if result is None else result.value

    @property
    def pointer(self) -> Any:
        """A function of ctypes, of the same type as the one that is guarded, which does what `call` does and returns
        the `refused_result` when the circuit refuses. Its address may be put wherever a program of C wants a pointer to
        the function; it, and the function, then live as long as the process. Raises trip.Error (TRIP_E_UNSUPPORTED)
        where the system allows no functions that are made at run time.
        """
        made = _abi.trip_function()
        status = library.trip_guard_pointer(self._handle, ctypes.byref(made))
        if status < 0:
            raise failure(status)
        address = ctypes.cast(made, ctypes.c_void_p).value
        if isinstance(self._function, int):
            pointer: Any = ctypes.CFUNCTYPE(self._result, *self._parameters, use_errno=True)(address or 0)
        else:
            everlasting(self._function)
            pointer = type(self._function)(address)
            pointer.restype, pointer.argtypes = self._function.restype, self._function.argtypes
        pointer._guard = self  # kept while this is
        return pointer


class _Judge(NamedTuple):
    """What judges results, and of which type these are. Not the guard: C keeps this as long as the guard is there."""

    classify: ClassifyResult
    result: Any


def _judge_result(number: int, result: int | None, error_number: int) -> int:
    """What C calls with each result: the class of the call."""
    classify: Any = None
    try:
        classify, kind = kept(number)
        said = classify(None if kind is None else kind.from_address(result).value, error_number)
        require_int("a class", said, 0, U32_MAX)
        return int(said)
    except BaseException:
        _log.warning("%r could not classify a result, which counts as unknown", classify, exc_info=True)
        return int(StatusClass.UNKNOWN)


_judge = everlasting(_abi.trip_classifier(_judge_result))
_NOBODY = _abi.trip_classifier()

# The library's function again, which here leaves the errno of what it has called where ctypes.get_errno finds it.
_call = ctypes.CFUNCTYPE(
    _abi.trip_status,
    _abi.trip_guard,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.POINTER(_abi.trip_rejection),
    use_errno=True,
)(ctypes.cast(cast(Any, library.trip_guard_call), ctypes.c_void_p).value or 0)


def _types(signature: bytes) -> tuple[Any, list[Any]]:
    """Those of the result and of the parameters. What is wrong with a signature the library says."""
    words = [_TYPES.get(word) for word in re.findall(r"\w+", signature.decode(errors="replace"))] or [None]
    return words[0], [] if words[1:] == [None] else words[1:]


def _address_of(function: Any) -> Any:
    if isinstance(function, int) and not isinstance(function, bool):
        require_int("function", function, 1, 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1)
        return _abi.trip_function(function)
    if not isinstance(function, _FUNCTIONS):
        raise TypeError(f"function must be a function of ctypes or an address, not {type(function).__name__}")
    if getattr(type(function), "_flags_", 0) & _KEEPS_GIL:
        raise TypeError(f"{function!r} needs the interpreter's lock, which a guard lets go of")
    return ctypes.cast(function, _abi.trip_function)


def _argument(index: int, kind: Any, value: Any) -> Any:
    """An argument as C's own value, which keeps what it points to."""
    name = f"argument {index}"
    if kind in _FLOATS:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a float, not {type(value).__name__}")
        return kind(value)
    if kind is not ctypes.c_void_p:
        require_int(name, value, *range_of(kind))
        return kind(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        require_int(name, value or 0, 0, range_of(ctypes.c_size_t)[1])
        return ctypes.c_void_p(value)
    try:
        if not isinstance(value, (bool, str)):  # of which ctypes would make an address, and wide characters
            return ctypes.cast(value, ctypes.c_void_p)
    except (ctypes.ArgumentError, TypeError):
        pass
    raise TypeError(f"{name} must be a pointer, bytes, an address or None, not {type(value).__name__}")
