"""Owns Tracker: a set of circuits with one config and one clock, destroyed with the object that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from . import _abi
from ._circuit import Circuit
from ._config import Config, Options, configured, create_tracker
from ._duration import NS_MAX, Duration, nanoseconds
from ._entry import Entry, Name, encoded, found
from ._errors import failure
from ._library import library
from ._remembered import Key, Remembered

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Callable

    from typing_extensions import Self, Unpack


class Tracker:
    """Circuits kept per (tenant, provider), with one config and one clock. Share one among all threads.

        tracker = trip.Tracker(failure_threshold=3, initial_open=timedelta(seconds=10), on_auth=trip.Effect.NOTHING)

    The options are those of trip.Options, by name; what is not said has the default that trip.Config shows. Times are
    seconds (int, float) or timedelta. What each option means and may be stands in include/trip.h under the field of the
    same name; bad values raise ConfigError, whose `field` is the field's name in Config.

    A tracker is destroyed when it is closed, or when nobody holds it any more: its circuits and unsettled permits do.
    """

    _handle = _abi.trip_tracker()  # of no tracker: what is destroyed when creation has failed

    def __init__(self, **options: Unpack[Options]) -> None:
        self._begin(configured(options))

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A tracker of an exact config, times in nanoseconds."""
        if not isinstance(config, Config):
            raise TypeError(f"config must be a trip.Config, not {type(config).__name__}")
        tracker = cls.__new__(cls)
        tracker._begin(config)
        return tracker

    def _begin(self, config: Config) -> None:
        self._handle = _abi.trip_tracker(create_tracker(config))
        self._remembered = Remembered(config.max_circuits)
        self._recent = self._remembered.recent.get

    @property
    def handle(self) -> int:
        """The library's own number for this tracker, the same in every language of this process."""
        return self._handle.value

    def circuit(self, tenant: Name, provider: Name) -> Circuit:
        """The circuit of (tenant, provider), made when it does not exist. Names are str, taken as UTF-8, or bytes."""
        if type(tenant) is str and type(provider) is str:
            key = (tenant, provider)
            entry = self._recent(key)
            if entry is None:
                entry = self._look_up(key, None)
            else:
                lane = entry.lane
                # A lane that admits says that the circuit is there.
                if not lane.value <= lane.word[0] <= lane.last and not entry.warm_up():
                    entry = self._look_up(key, entry)
        else:  # what derives from str may compare as it likes
            entry = found(self._handle, encoded(tenant, provider))
        circuit = Circuit()
        circuit._tracker, circuit._entry = self, entry
        return circuit

    def _look_up(self, key: Key, known: Entry | None) -> Entry:
        tenant, provider = key
        try:
            names = tenant.encode(), provider.encode()
        except UnicodeEncodeError:
            names = encoded(tenant, provider)
        entry, remembered = found(self._handle, names), self._remembered
        known = known or remembered.older.get(key)
        if known is not None and known.circuit.value == entry.circuit.value:
            entry = known
        elif known is None and next(remembered.is_passed_by):
            return entry
        remembered.keep(key, entry)
        return entry

    def advance(self, duration: Duration) -> None:
        """Move a manual clock forward."""
        self.advance_ns(nanoseconds("duration", duration))

    def advance_ns(self, ns: int) -> None:
        """Move a manual clock forward by nanoseconds."""
        if isinstance(ns, bool) or not isinstance(ns, int):
            raise TypeError(f"ns must be an int, not {type(ns).__name__}")
        if not 0 <= ns <= NS_MAX:
            raise ValueError(f"ns must be 0 to {NS_MAX}, not {ns}")
        status = library.trip_tracker_advance(self._handle.value, ns)
        if status < 0:
            raise failure(status)

    def close(self) -> bool:
        """Destroy the tracker: its circuits and permits raise trip.Error from now on. False if it was closed before."""
        status = library.trip_tracker_destroy(self._handle.value)
        self._remembered.forget()
        if status < 0 and status != _abi.TRIP_E_HANDLE:
            raise failure(status)
        return status == _abi.TRIP_OK

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Bound here: globals may be gone when the interpreter ends.
    def __del__(self, _destroy: Callable[..., int] = library.trip_tracker_destroy) -> None:
        _destroy(self._handle)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tracker cannot be copied or pickled: it lives in this process")

    def __repr__(self) -> str:
        return f"<trip.Tracker {self.handle:#x}>"
