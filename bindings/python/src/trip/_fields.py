"""Owns the way of a config into C without loss: what derives from Fields has the members of a struct of the library,
and none reaches C that it could not hold. Makes nothing of a config, and judges none: the library does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

from . import _abi
from ._duration import nanoseconds
from ._errors import ConfigError, Error, failure
from ._library import library
from ._number import named, range_of

if TYPE_CHECKING:
    from typing_extensions import Self


class Fields:
    """A struct of the library as a frozen dataclass: field for field, times in nanoseconds."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    _struct: ClassVar[Any]  # the ctypes.Structure, whose name with _init behind it is what fills it with defaults

    def __post_init__(self) -> None:
        for name, kind in self._types().items():
            _check(name, getattr(self, name), kind, type(self).__dataclass_fields__[name].default)

    @classmethod
    def of(cls, taker: str, options: Mapping[str, Any]) -> Self:
        """What these options say, which `taker` was given: fields by name, and times without their _ns, in seconds."""
        names = {name.removesuffix("_ns"): name for name in cls._types()}
        for option in options:
            if option not in names:
                raise TypeError(f"{taker}() got an unexpected keyword argument {option!r}{_meant(option, names)}")
        return cls(**{names[option]: _value(option, names[option], value) for option, value in options.items()})

    def native(self) -> Any:
        """The struct as the library takes it."""
        native = self._struct()
        getattr(library, f"{self._struct.__name__}_init")(ctypes.byref(native), ctypes.sizeof(native))
        for name in self._types():
            setattr(native, name, getattr(self, name))
        return native

    @classmethod
    def told(cls, status: int, error: _abi.trip_error) -> Error:
        """The exception for what the library has against such a struct."""
        at_fault = (name for name in cls._types() if getattr(cls._struct, name).offset == error.field_offset)
        return failure(status, words(error), next(at_fault, None))

    @classmethod
    def _types(cls) -> dict[str, Any]:
        types = dict(cls._struct._fields_)
        return {field.name: types[field.name] for field in fields(cls)}


def words(error: _abi.trip_error) -> str:
    """What the library has told people of an error."""
    return error.message.decode(errors="replace")


def required(config: Any, kind: type[Fields]) -> Any:
    """The config, which is of this kind."""
    if not isinstance(config, kind):
        raise TypeError(f"config must be a trip.{kind.__name__}, not {type(config).__name__}")
    return config


def _value(option: str, name: str, value: Any) -> Any:
    if option == name:
        return value
    try:
        return nanoseconds(option, value)
    except ValueError as error:
        raise _out_of_range(name, str(error)) from None


def _meant(option: str, names: Mapping[str, str]) -> str:
    """What somebody may have meant who said an option that there is not."""
    near = get_close_matches(option.removesuffix("_ns"), names, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check(name: str, value: object, kind: Any, default: object) -> None:
    """ctypes would cut an int that is too wide down to its low bits, so the range is checked here."""
    is_double = kind is ctypes.c_double
    if isinstance(value, bool) or not isinstance(value, (int, float) if is_double else int):
        wanted = "a float" if is_double else named(type(default)) if isinstance(default, IntEnum) else "an int"
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")
    if is_double:
        try:
            float(value)
        except OverflowError:
            raise _out_of_range(name, f"{name} is too large for a float") from None
        return
    least, most = range_of(kind)
    if not least <= value <= most:
        raise _out_of_range(name, f"{name} must be {least} to {most}, not {value}")


def _out_of_range(name: str, text: str) -> ConfigError:
    return ConfigError(_abi.TRIP_E_CONFIG, text, name)
