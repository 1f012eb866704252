"""Owns the refusal of a permit: as a value, and as the exception that Circuit.permit raises."""

from __future__ import annotations

from dataclasses import dataclass

from . import _abi
from ._constants import Reason, State
from ._duration import seconds


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


class CircuitOpen(Exception):
    """The circuit refused a permit: do not call the provider, come back after `retry_after` seconds.

    No trip.Error, so that a handler which lets calls through when the library fails lets none through when it refuses.
    """

    def __init__(self, tenant: str, provider: str, rejection: Rejection) -> None:
        super().__init__(tenant, provider, rejection)
        self.tenant = tenant
        self.provider = provider
        self.rejection = rejection

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
        why = {Reason.OPEN: "is open", Reason.PROBING: "is being probed", Reason.FORCED: "is forced open"}
        return (
            f"the circuit of tenant {self.tenant!r}, provider {self.provider!r} "
            f"{why.get(self.reason, 'refuses calls')}; retry after {self.retry_after:.3f} s"
        )
