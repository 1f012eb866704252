"""Owns writing the function that stands in for a guarded one: Python with the same parameters, made once per shape.

A wrapper that takes *args and **kwargs packs and unpacks them in each call, which takes longer than all the rest.
"""

from __future__ import annotations

import functools
import inspect
import keyword
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import _native
from ._lane import NO_LANE, Grant, grants

if TYPE_CHECKING:
    from ._entry import Entry
    from ._guard import Way

# entry.lane is read once: it may be replaced while the call runs, which ends on the lane that it began on. There it is
# counted when it ends and needs no ticket, for there is no way out of it but through here. A grant of the library's own
# is on no other path than to the next call: whatever exception takes it from this frame also drops it.
_SOURCE = """
def make(function_, entry_, way_):
    {kind} guarded({declared}):
        lane_ = entry_.lane
        word_ = lane_.word[0]
        if word_ == lane_.value or lane_.value <= word_ <= lane_.last:
            grant_ = None
        else:
            lane_ = NO_LANE
            try:
                grant_ = grants_.pop()
            except IndexError:
                grant_ = Grant()
            status_ = native_.permit(entry_.circuit, grant_.to_handle, grant_.to_refusal)
            if status_ > 0:
                raise entry_.refused(status_, grant_)
            if status_ < 0:
                grant_ = way_.insist(status_, grant_)
        try:
            result_ = {call}({passed})
        except BaseException as error_:
            way_.fail(lane_, grant_, error_)
            raise
        if lane_.word[0] == lane_.value:
            for step_ in lane_.successes:
                break
            else:
                lane_.begin_batch()
        else:
            way_.succeed(lane_, grant_)
        return result_
    return guarded
"""
_GLOBALS = {"NO_LANE": NO_LANE, "Grant": Grant, "grants_": grants, "native_": _native}
# A parameter of one of these names would hide it.
_TAKEN = {
    *("function_", "entry_", "way_", "lane_", "word_", "grant_", "result_", "error_", "step_", "status_"),
    *("IndexError", "BaseException", *_GLOBALS),
}


class Parameters(NamedTuple):
    """What a function is called with."""

    declared: str  # as they stand behind `def`, without defaults
    passed: str  # as they are handed on
    defaults: tuple[Any, ...] | None
    keyword_defaults: dict[str, Any] | None


ANYTHING = Parameters("*args_, **kwargs_", "*args_, **kwargs_", None, None)


def parameters_of(function: Callable[..., object]) -> Parameters:
    """Those of a function that is written in Python; ANYTHING for whatever else can be called."""
    if type(function) is not FunctionType:
        return ANYTHING
    code = function.__code__
    end = code.co_argcount + code.co_kwonlyargcount
    positional, named = code.co_varnames[: code.co_argcount], code.co_varnames[code.co_argcount : end]
    rest = list(code.co_varnames[end:])
    star = f"*{rest.pop(0)}" if code.co_flags & inspect.CO_VARARGS else ""
    stars = f"**{rest.pop(0)}" if code.co_flags & inspect.CO_VARKEYWORDS else ""
    names = {*positional, *named, star[1:], stars[2:]} - {""}
    if names & _TAKEN or not all(name.isidentifier() and not keyword.iskeyword(name) for name in names):
        return ANYTHING
    declared = [*positional, star or "*" * bool(named), *named, stars]
    if code.co_posonlyargcount:
        declared.insert(code.co_posonlyargcount, "/")
    passed = [*positional, star, *(f"{name}={name}" for name in named), stars]
    return Parameters(_joined(declared), _joined(passed), function.__defaults__, function.__kwdefaults__)


def _joined(parameters: list[str]) -> str:
    return ", ".join(filter(None, parameters))


@functools.lru_cache(maxsize=256)
def wrapper_maker(declared: str, passed: str, is_async: bool) -> Callable[[Any, Entry, Way], FunctionType]:
    """What makes the wrapper of a function, and of each other that is called in the same way."""
    source = _SOURCE.format(
        kind="async def" if is_async else "def",
        declared=declared,
        call="await function_" if is_async else "function_",
        passed=passed,
    )
    made: dict[str, Any] = {}
    exec(compile(source, "<trip.Circuit.guard>", "exec"), {**_GLOBALS, "__name__": __name__}, made)
    return made["make"]  # type: ignore[no-any-return]
