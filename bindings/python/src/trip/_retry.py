"""Owns Retry: whether a failed call is tried again, and how long to wait before. Knows no circuit."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, TypedDict

from . import _abi
from ._calling import AsyncWay, Calling, Parts, Way, in_turn
from ._constants import Jitter, NoRetry, StatusClass
from ._duration import Duration, seconds
from ._ending import Classify
from ._ending import required as required_classify
from ._entry import Name, as_bytes
from ._errors import failure
from ._fields import Fields, required
from ._library import library
from ._number import U32_MAX, U64_MAX, require_int
from ._outcome import Outcome, complete, native
from ._owned import Owned, described
from ._tracker import Tracker, handle_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from typing_extensions import Self, TypeVar, TypeVarTuple, Unpack

    R = TypeVar("R")
    Ts = TypeVarTuple("Ts")


def _bits(classes: Iterable[StatusClass]) -> int:
    bits = 0
    for each in classes:
        require_int("classes", each, 0, 63)
        bits |= 1 << each
    return bits


_TRANSIENT = _bits(
    [
        *(StatusClass.SERVER_ERROR, StatusClass.RATE_LIMITED, StatusClass.OVERLOADED),
        *(StatusClass.NETWORK, StatusClass.TIMEOUT),
    ]
)


@dataclass(frozen=True)
class RetryConfig(Fields):
    """When calls are tried again: the library's trip_retry_config, field for field, times in nanoseconds.

    It holds whatever that can hold; whether it makes sense, the library says when a Retry is made of it.
    """

    _struct = _abi.trip_retry_config

    max_attempts: int = 3
    base_delay_ns: int = 500_000_000
    max_delay_ns: int = 60_000_000_000
    multiplier: float = 2.0
    jitter: int = Jitter.FULL
    max_providers: int = 1024
    seed: int = 0
    max_retry_after_ns: int = 60_000_000_000
    deadline_ns: int = 0
    classes: int = _TRANSIENT
    budget_ratio: float = 0.1
    budget_burst: int = 10


class RetryOptions(TypedDict, total=False):
    """What Retry takes: the fields of RetryConfig, its times without their _ns, in seconds; `classes` one by one."""

    max_attempts: int
    base_delay: Duration
    max_delay: Duration
    multiplier: float
    jitter: Jitter
    max_providers: int
    seed: int
    max_retry_after: Duration
    deadline: Duration
    classes: Iterable[StatusClass]
    budget_ratio: float
    budget_burst: int


@dataclass(frozen=True)
class RetryInfo:
    """The retries of a provider: what is left of its budget, and how many calls, retries and refusals there were."""

    budget: int
    calls: int
    retries: int
    refused: int


class Retry(Owned):
    """A rule for when to try a failed call again, with a budget for each provider: of its calls only a share may be
    retries, so that these cannot multiply an outage. Share one among all threads.

        retry = trip.Retry(max_attempts=4, base_delay=0.2, classes=[trip.StatusClass.TIMEOUT])
        answer = retry.call(ask, "hello", provider="openai", classify=classify)

    The options are those of trip.RetryOptions, by name; what is not said has the default that trip.RetryConfig shows.
    What each means and may be stands in include/trip.h under the field of the same name of trip_retry_config; bad
    values raise ConfigError, whose `field` is the field's name in RetryConfig.

    It goes by the clock of `tracker`, which it keeps alive; without one by the machine's. Delays are slept by the
    machine's clock in any case. It is destroyed when it is closed, or when nobody holds it any more.
    """

    _destroy = staticmethod(library.trip_retry_destroy)

    def __init__(self, tracker: Tracker | None = None, **options: Unpack[RetryOptions]) -> None:
        said: dict[str, Any] = {**options}
        if "classes" in said:
            said["classes"] = _bits(said["classes"])
        self._begin(RetryConfig.of("Retry", said), tracker)

    @classmethod
    def from_config(cls, config: RetryConfig, tracker: Tracker | None = None) -> Self:
        """A rule of an exact config, times in nanoseconds."""
        retry = cls.__new__(cls)
        retry._begin(required(config, RetryConfig), tracker)
        return retry

    def _begin(self, config: RetryConfig, tracker: Tracker | None) -> None:
        self._make(library.trip_retry_create, config, handle_of(tracker))
        self._tracker = tracker

    def delay_for(self, attempt: int) -> float:
        """Seconds to wait after an attempt, 1 for the first, before jitter: base_delay * multiplier ** (attempt - 1),
        at most max_delay. Depends on nothing else.
        """
        return seconds(self.delay_for_ns(attempt))

    def delay_for_ns(self, attempt: int) -> int:
        """The same in nanoseconds."""
        require_int("attempt", attempt, 0, U32_MAX)
        delay = ctypes.c_uint64()
        status = library.trip_retry_delay_for(self._handle, attempt, ctypes.byref(delay))
        if status < 0:
            raise failure(status)
        return delay.value

    def begin(self, provider: Name = "") -> Attempts:
        """Begin a call, before its first attempt: it earns its provider budget_ratio retries, and its deadline begins.

            attempts = retry.begin("openai")
            while True:
                try:
                    return ask()
                except ConnectionError:
                    delay = attempts.next(trip.StatusClass.NETWORK)
                    if delay is None:
                        raise
                time.sleep(delay)

        A refused permit is no attempt: ask for none after it.
        """
        named, began = as_bytes("provider", provider), ctypes.c_uint64()
        status = library.trip_retry_begin(self._handle, named, len(named), ctypes.byref(began))
        if status < 0:
            raise failure(status)
        return Attempts(self, provider, began.value)

    def inspect(self, provider: Name = "") -> RetryInfo:
        """The budget and the counters of a provider."""
        named = as_bytes("provider", provider)
        info = self._told(library.trip_retry_inspect, _abi.trip_retry_info, named, len(named))
        return described(RetryInfo, info)

    def call(
        self,
        function: Callable[[Unpack[Ts]], R],
        *args: Unpack[Ts],
        provider: Name = "",
        classify: Classify | None = None,
    ) -> R:
        """Call a function, and again while that is worth it, sleeping in between; without any circuit.

        `classify` says what an Exception tells of the provider, as in Permit.classified_by; one of which it says
        nothing counts as a server error. Where the function is not called again, the exception goes on as it was
        raised. What is no Exception, such as KeyboardInterrupt, goes on at once, and so does what the breaker raises.
        """
        way: Way[R] = Way(lambda _: function(*args))
        return in_turn(self._calling(way, provider, classify).permitted_once())

    async def call_async(
        self,
        function: Callable[[Unpack[Ts]], Awaitable[R]],
        *args: Unpack[Ts],
        provider: Name = "",
        classify: Classify | None = None,
    ) -> R:
        """The same for what is awaited. Cancelled, in an attempt or between two, it leaves nothing behind."""
        way: Way[R] = AsyncWay(lambda _: function(*args))
        return await self._calling(way, provider, classify).permitted_once()

    def _calling(self, way: Way[R], provider: Name, classify: Classify | None) -> Calling[R]:
        """A call that has nothing but this rule."""
        if classify is not None:
            required_classify(classify)
        named = as_bytes("provider", provider).decode(errors="surrogateescape")
        return Calling(Parts(None, self, None, None, classify, True, set()), way, named)


class Attempts:
    """The attempts of one call, given by Retry.begin; for one thread or task at a time. Times are nanoseconds."""

    __slots__ = ("_retry", "attempt", "began_ns", "last_delay_ns", "provider", "refusal")

    attempt: int  # which is being made: 1 for the first
    began_ns: int
    last_delay_ns: int  # before this attempt
    provider: Name
    refusal: NoRetry | None  # why there is no next attempt

    def __init__(self, retry: Retry, provider: Name, began_ns: int, attempt: int = 1, last_delay_ns: int = 0) -> None:
        require_int("began_ns", began_ns, 0, U64_MAX)
        require_int("attempt", attempt, 0, U32_MAX)
        require_int("last_delay_ns", last_delay_ns, 0, U64_MAX)
        self._retry = retry
        self.provider, self.began_ns, self.refusal = provider, began_ns, None
        self.attempt, self.last_delay_ns = attempt, last_delay_ns

    def next(self, outcome: Outcome | StatusClass, provider: Name | None = None) -> float | None:
        """The attempt has failed: seconds to wait before the next one, which takes a retry from the budget; None: there
        is none, and `refusal` says why.

        `outcome` is how it went; the delay is not below its retry_after. `provider` is who was called, where that is
        not who was called first.
        """
        delay = self.next_ns(outcome, provider)
        return None if delay is None else seconds(delay)

    def next_ns(self, outcome: Outcome | StatusClass, provider: Name | None = None) -> int | None:
        """The same in nanoseconds."""
        named = as_bytes("provider", self.provider if provider is None else provider)
        told, delay = native(complete(outcome)), ctypes.c_uint64()
        status = library.trip_retry_next(
            self._retry._handle,
            named,
            len(named),
            self.attempt,
            self.began_ns,
            self.last_delay_ns,
            ctypes.byref(told),
            ctypes.byref(delay),
        )
        if status < 0:
            raise failure(status)
        if status != _abi.TRIP_OK:
            self.refusal = NoRetry(status)
            return None
        self.attempt, self.last_delay_ns = min(self.attempt + 1, U32_MAX), delay.value
        return delay.value

    def __repr__(self) -> str:
        return f"<trip.Attempts provider={self.provider!r} attempt={self.attempt}>"
