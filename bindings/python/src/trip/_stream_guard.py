"""Owns the guard of generator functions: what they yield is a stream, which is one call, from its first value to its
end. Keeps no value, and gives the generator whatever is sent to it, or thrown into it.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Callable

from ._errors import Error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ._permit import Permit

# Asks for the permit of a stream; None: the library has failed, and the stream goes on without.
Ask = Callable[[], "Permit | None"]


def guarded_generator(function: Callable[..., Generator[Any, Any, Any]], ask: Ask) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        stream = function(*args, **kwargs)  # before a permit is asked for: what does not fit is the caller's mistake
        with _held(ask()) as permit:
            step = functools.partial(next, stream)
            while True:
                try:
                    value = step()
                except StopIteration as end:
                    return end.value
                _tell_progress(permit)
                try:
                    sent = yield value
                except GeneratorExit:
                    stream.close()
                    raise
                except BaseException as error:
                    step = functools.partial(stream.throw, error)
                else:
                    step = functools.partial(stream.send, sent)

    return guarded


def guarded_async_generator(function: Callable[..., AsyncGenerator[Any, Any]], ask: Ask) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        stream = function(*args, **kwargs)
        with _held(ask()) as permit:
            step = stream.__anext__()
            while True:
                try:
                    value = await step
                except StopAsyncIteration:
                    return
                _tell_progress(permit)
                try:
                    sent = yield value
                except GeneratorExit:
                    await stream.aclose()
                    raise
                except BaseException as error:
                    step = stream.athrow(error)
                else:
                    step = stream.asend(sent)

    return guarded


def _held(permit: Permit | None) -> AbstractContextManager[Permit | None]:
    return nullcontext() if permit is None else permit


def _tell_progress(permit: Permit | None) -> None:
    if permit is not None:
        with suppress(Error):  # the stream goes on, and its end is reported if it cannot be recorded
            permit.progress()
