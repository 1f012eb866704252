"""Owns the guard of generator functions: what they yield is a stream, which is one call, from its first value to its
end. Keeps no value, and gives the generator whatever is sent to it, or thrown into it.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable

from ._errors import Error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from contextlib import AbstractContextManager

    from ._permit import Permit

# Gives the block in which a stream goes on, for its arguments. Where that holds None nobody is told of progress.
Hold = Callable[..., "AbstractContextManager[Permit | None]"]


def guarded_generator(function: Callable[..., Generator[Any, Any, Any]], hold: Hold) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        stream = function(*args, **kwargs)  # before a permit is asked for: what does not fit is the caller's mistake
        with hold(*args, **kwargs) as permit:
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


def guarded_async_generator(function: Callable[..., AsyncGenerator[Any, Any]], hold: Hold) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        stream = function(*args, **kwargs)
        with hold(*args, **kwargs) as permit:
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


def _tell_progress(permit: Permit | None) -> None:
    if permit is not None:
        with suppress(Error):  # the stream goes on, and its end is reported if it cannot be recorded
            permit.progress()
