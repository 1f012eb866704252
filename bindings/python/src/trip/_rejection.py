"""Owns the refusal of a permit: as a value, and as the exception that Circuit.permit raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from . import _abi
from ._constants import Reason, State
from ._duration import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Rejection:
    """Why a permit is refused and when to come back."""

    reason: Reason
    state: State
    failures: int
    retry_after_ns: int
    open_duration_ns: int

    @property
    def status(self) -> int:
        """The library's status: the number of the reason."""
        return int(self.reason)

    @property
    def retry_after(self) -> float:
        """Seconds after which to ask again."""
        return seconds(self.retry_after_ns)

    @property
    def open_duration(self) -> float:
        """Seconds of this open period (half-open: of the one before it) as configured, before jitter."""
        return seconds(self.open_duration_ns)

    @classmethod
    def of(cls, status: int, refused: _abi.trip_rejection) -> Rejection:
        return cls(
            Reason(status), State(refused.state), refused.failures, refused.retry_after_ns, refused.open_duration_ns
        )


_args: Any = BaseException.args  # the attribute of every exception, which is written in C


class CircuitOpen(Exception):
    """The circuit refused a permit: do not call the provider, come back after `retry_after` seconds.

    No trip.Error, so that a handler which lets calls through when the library fails lets none through when it refuses.
    """

    # Exception's own constructor keeps the three as `args`, and takes no time. This package gives a status and the
    # bytes of a trip_rejection for the third, which are read when somebody looks: most refusals are only caught.
    if TYPE_CHECKING:

        def __init__(self, tenant: str, provider: str, rejection: Rejection | tuple[int, bytes]) -> None: ...

    @property
    def args(self) -> tuple[Any, ...]:
        """Tenant, provider and rejection."""
        args: tuple[Any, ...] = _args.__get__(self)
        if len(args) == 3 and type(args[2]) is tuple:
            status, told = args[2]
            args = (*args[:2], Rejection.of(status, _abi.trip_rejection.from_buffer_copy(told)))
            _args.__set__(self, args)
        return args

    @args.setter
    def args(self, args: Iterable[Any]) -> None:
        _args.__set__(self, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args

    def __repr__(self) -> str:
        return f"CircuitOpen{self.args!r}"

    @property
    def tenant(self) -> str:
        """Whose call was refused."""
        return cast(str, self.args[0])

    @property
    def provider(self) -> str:
        """Who was not called."""
        return cast(str, self.args[1])

    @property
    def rejection(self) -> Rejection:
        """All that the library said."""
        return cast(Rejection, self.args[2])

    @property
    def reason(self) -> Reason:
        return self.rejection.reason

    @property
    def status(self) -> int:
        return self.rejection.status

    @property
    def state(self) -> State:
        return self.rejection.state

    @property
    def failures(self) -> int:
        return self.rejection.failures

    @property
    def retry_after(self) -> float:
        """Seconds after which to ask again."""
        return self.rejection.retry_after

    @property
    def retry_after_ns(self) -> int:
        return self.rejection.retry_after_ns

    @property
    def open_duration(self) -> float:
        """Seconds of this open period (half-open: of the one before it) as configured, before jitter."""
        return self.rejection.open_duration

    @property
    def open_duration_ns(self) -> int:
        return self.rejection.open_duration_ns

    def __str__(self) -> str:
        why = {
            Reason.OPEN: "is open",
            Reason.PROBING: "is being probed",
            Reason.FORCED: "is forced open",
            Reason.RAMP: "has just closed and admits a part of the calls",
        }
        return (
            f"the circuit of tenant {self.tenant!r}, provider {self.provider!r} "
            f"{why.get(self.reason, 'refuses calls')}; retry after {self.retry_after:.3f} s"
        )
