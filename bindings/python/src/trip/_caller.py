"""Owns Caller: the one call that does it all. What it does in which order stands in _calling."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Literal, overload

from ._calling import AsyncWay, Calling, Parts, Way, in_turn
from ._circuit import Circuit
from ._dedup import Dedup
from ._ending import Classify, required
from ._entry import Name
from ._gate import Gate
from ._retry import Retry
from ._route import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from typing_extensions import TypeVar

    R = TypeVar("R")

PERMITS = ("attempt", "call")


class Caller:
    """Makes calls with all that libtrip has for them, as far as it was given: share one among all threads and loops.

        caller = trip.Caller(route, retry=retry, dedup=dedup, gate=gate, classify=classify)
        answer = caller.call(lambda provider: ask(provider, "hello"), key="hello", session="user 7")
        answer = await caller.call_async(lambda provider: ask_async(provider, "hello"), key="hello")

    The function gets the name of the provider to call. From outside in, a call

    1. asks `dedup`, where it has a key: a value that is known, or what another call of this key brings, ends it here.
       Who waits for that holds nothing;
    2. takes a place of `gate`, and holds it until it is over, its waits for retries included; raises Shed;
    3. asks `to`, a Circuit or a Route, for a permit; raises CircuitOpen;
    4. calls the function, and records on the permit how that went: `classify` says what an Exception tells, as in
       Permit.classified_by;
    5. asks `retry` whether to try again, waits, and goes on at 3, where providers of a route that have failed are
       avoided. With permits="call" it goes on at 4: all attempts have one permit, which learns of the last of them.

    A refused permit is no attempt, and nothing is tried again for it: after an attempt that failed the call raises what
    that has raised. Whatever raises out of the call, cancellation too, has given back all that the call had.

    Where the library fails, for want of memory say, the call is made without that part, and the logger "trip" says so,
    once per part and status: the breaker must never be the outage. Parts that are closed raise trip.Error; a circuit
    that is gone lets calls through, as under Circuit.guard.
    """

    def __init__(
        self,
        to: Route | Circuit,
        *,
        retry: Retry | None = None,
        dedup: Dedup | None = None,
        gate: Gate | None = None,
        permits: Literal["attempt", "call"] = "attempt",
        classify: Classify | None = None,
    ) -> None:
        if not isinstance(to, (Route, Circuit)):
            raise TypeError(f"a caller calls a trip.Route or a trip.Circuit, not {type(to).__name__}")
        for name, part, kind in ("retry", retry, Retry), ("dedup", dedup, Dedup), ("gate", gate, Gate):
            if part is not None and not isinstance(part, kind):
                raise TypeError(f"{name} must be a trip.{kind.__name__} or None, not {type(part).__name__}")
        if permits not in PERMITS:
            raise ValueError(f'permits must be "attempt" or "call", not {permits!r}')
        if classify is not None:
            required(classify)
        self._parts = Parts(to, retry, dedup, gate, classify, permits == "call", set())

    @overload
    def call(self, function: Callable[[str], R], *, session: Name = "") -> R: ...

    @overload
    def call(self, function: Callable[[str], bytes], *, key: Name | None, session: Name = "") -> bytes: ...

    @overload
    def call(
        self,
        function: Callable[[str], R],
        *,
        key: Name | None,
        session: Name = "",
        encode: Callable[[R], bytes],
        decode: Callable[[bytes], R],
    ) -> R: ...

    def call(
        self,
        function: Callable[[str], Any],
        *,
        key: Name | None = None,
        session: Name = "",
        encode: Callable[[Any], bytes] | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> Any:
        """Call the function, blocking the thread.

        `key` says which call this is: of all with the same key one is made, and the others get what it has brought.
        None: it is like no other. The value must be bytes, or `encode` makes bytes of it and `decode` makes it of
        bytes. Calls of a `session` go to the same provider of a route as long as that admits them.
        """
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} is awaited: take call_async")
        return in_turn(Calling(self._parts, Way[Any](function), session=session).run(key, *_coding(encode, decode)))

    @overload
    async def call_async(self, function: Callable[[str], Awaitable[R]], *, session: Name = "") -> R: ...

    @overload
    async def call_async(
        self, function: Callable[[str], Awaitable[bytes]], *, key: Name | None, session: Name = ""
    ) -> bytes: ...

    @overload
    async def call_async(
        self,
        function: Callable[[str], Awaitable[R]],
        *,
        key: Name | None,
        session: Name = "",
        encode: Callable[[R], bytes],
        decode: Callable[[bytes], R],
    ) -> R: ...

    async def call_async(
        self,
        function: Callable[[str], Awaitable[Any]],
        *,
        key: Name | None = None,
        session: Name = "",
        encode: Callable[[Any], bytes] | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> Any:
        """The same for what is awaited, on asyncio. No thread is blocked. Cancelled, wherever it waits, it leaves
        nothing behind: its ticket is dropped, its place free, its permit cancelled.
        """
        way = AsyncWay[Any](function)
        return await Calling(self._parts, way, session=session).run(key, *_coding(encode, decode))

    def __repr__(self) -> str:
        return f"<trip.Caller to={self._parts.to!r}>"


def _coding(
    encode: Callable[[Any], bytes] | None, decode: Callable[[bytes], Any] | None
) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """The way of values to bytes and back."""
    if encode is None or decode is None:
        if encode is not decode:
            raise TypeError("encode and decode go together")
        return _as_it_is, _as_it_is
    return encode, decode


def _as_it_is(value: bytes) -> bytes:
    return value
