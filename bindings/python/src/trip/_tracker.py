"""Owns Tracker: a set of circuits with one clock, destroyed with the object that made it."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Union

from . import _abi
from ._circuit import Circuit, CircuitInfo
from ._config import Config, Options, create_tracker, set_policy
from ._constants import Clock, Labels, Scope
from ._duration import Duration, nanoseconds
from ._entry import Entry, Name, encoded, found
from ._errors import failure
from ._events import KEPT, Events, TakenEvents, take
from ._fields import required, words
from ._lane import all_counted
from ._library import library
from ._listing import PAGE_MAX, listed
from ._number import U32_MAX, U64_MAX, require_int
from ._owned import Owned
from ._remembered import Key, Remembered
from ._text import whole
from ._watching import wake_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self, Unpack

    from ._watching import Wake

Bytes = Union[bytes, bytearray, memoryview]


class Tracker(Owned):
    """Circuits kept per (tenant, provider), with one config and one clock. Share one among all threads.

        tracker = trip.Tracker(failure_threshold=3, initial_open=timedelta(seconds=10), on_auth=trip.Effect.NOTHING)

    The options are those of trip.Options, by name; what is not said has the default that trip.Config shows. Times are
    seconds (int, float) or timedelta. What each option means and may be stands in include/trip.h under the field of the
    same name; bad values raise ConfigError, whose `field` is the field's name in Config.

    A tracker is destroyed when it is closed, or when nobody holds it any more: its circuits and unsettled permits do.
    """

    _destroy = staticmethod(library.trip_tracker_destroy)

    def __init__(self, **options: Unpack[Options]) -> None:
        self._begin(Config.of("Tracker", options))

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A tracker of an exact config, times in nanoseconds."""
        tracker = cls.__new__(cls)
        tracker._begin(required(config, Config))
        return tracker

    def _begin(self, config: Config) -> None:
        self._handle = _abi.trip_tracker(create_tracker(config))
        self._fixed = Options(clock=Clock(config.clock), max_circuits=config.max_circuits)
        self._waiting: set[Wake] = set()  # on any loop or thread
        self._remembered = Remembered(config.max_circuits)
        self._recent = self._remembered.recent.get

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
        require_int("ns", ns, 0, U64_MAX)
        status = library.trip_tracker_advance(self._handle.value, ns)
        if status == _abi.TRIP_E_UNSUPPORTED:
            raise failure(status, "only a manual clock is moved: trip.Tracker(clock=trip.Clock.MANUAL)")
        if status < 0:
            raise failure(status)
        wake_all(self._waiting)

    def configure(
        self, *, tenant: Name | None = None, provider: Name | None = None, **options: Unpack[Options]
    ) -> None:
        """Replace a policy while calls run: the tracker's, or that of a tenant, of a provider, or of one circuit.

            tracker.configure(provider="openai", failure_threshold=3, initial_open=10)

        A circuit goes by the most specific policy that was set, whole: its own, else its tenant's, else its provider's,
        else the tracker's. Nothing is merged: what is not said has its default, as for Tracker, but `clock` and
        `max_circuits`, which are the tracker's. The policy holds for circuits that are made later, too. What circuits
        have counted stays, and so do levels and deadlines. Takes time in proportion to the circuits of the tracker.

        Bad values raise ConfigError, whose `field` is the field's name in Config, and the policy stays as it was.
        """
        config = Config.of("configure", {**self._fixed, **options})
        self.configure_from(config, *_scope(tenant, provider))

    def withdraw(self, *, tenant: Name | None = None, provider: Name | None = None) -> None:
        """Take back a policy that `configure` has set, so that the next one holds. The tracker's becomes what it was
        created with.
        """
        self.configure_from(None, *_scope(tenant, provider))

    def configure_from(self, config: Config | None, scope: Scope, tenant: Name = "", provider: Name = "") -> None:
        """Replace a policy by an exact config, times in nanoseconds; None withdraws it. A name that does not belong to
        the scope is empty, as in an Event.
        """
        require_int("scope", scope, 0, U32_MAX, Scope)
        names = encoded(tenant, provider)
        set_policy(self._handle.value, scope, *names, None if config is None else required(config, Config))
        wake_all(self._waiting)

    def circuits(self, page: int = 256) -> Iterator[tuple[Circuit, CircuitInfo]]:
        """Every circuit there is, once, and what Circuit.inspect says of it. Makes none.

            down = [circuit for circuit, info in tracker.circuits() if info.state is trip.State.OPEN]

        They are fetched as one goes on, `page` at a time, 1 to 65536: those that come or go meanwhile may be there or
        not. The iteration belongs to one thread.
        """
        require_int("page", page, 1, PAGE_MAX)
        return listed(self, page)

    def take_events(self, at_most: int = KEPT) -> TakenEvents:
        """Take the events that have happened since they were taken last, the oldest first; never waits.

            events, lost = tracker.take_events()

        Whoever takes an event has it alone, be it another thread or another language. The tracker keeps 4096; when it
        has so many, what happens is lost, and counted. The child of a fork begins with none.
        """
        require_int("at_most", at_most, 1, U32_MAX)
        return take(self._handle.value, at_most)

    def events(self) -> Events:
        """The events as they happen, for asyncio; the loop sleeps until there are some.

            async for event in tracker.events():
                log(event)

        Several may wait, on any number of loops and threads: each event is taken by one of them. Leave the iteration
        or cancel it as you like; it ends when the tracker is closed. Its `lost` says how many were lost ever. Raises
        trip.Error, at once, when the tracker is closed already or the system gives no descriptor.
        """
        return Events(self)

    def metrics(self, labels: Labels = Labels.PROVIDER, max_series: int | None = None) -> str:
        """The metrics of all circuits as OpenMetrics text, for a scrape; docs/operating.md has their names.

        They are told per provider or, with Labels.TENANT, per tenant and provider. Of each metric there are at most
        `max_series` label sets, by default 1000, beside those labelled overflow="true", which tell the rest.
        """
        require_int("labels", labels, 0, U32_MAX, Labels)
        if max_series is not None:
            require_int("max_series", max_series, 1, U64_MAX)
        with all_counted():
            text = whole(library.trip_tracker_metrics, self._handle.value, labels, max_series or 0)
        return text.decode(errors="backslashreplace")

    def snapshot(self, *, now_unix_ns: int | None = None) -> bytes:
        """All that the circuits know and that outlives their process, as bytes for `restore`: states, failures in a
        row, levels, how long they stay open, counters, modes with their reasons. Not their policies, windows, permits.

        `now_unix_ns` is the time of day, as time.time_ns tells it; by default the system's.
        """
        now = _time_of_day(now_unix_ns)
        with all_counted():
            return whole(library.trip_tracker_snapshot, self._handle.value, now)

    def restore(self, snapshot: Bytes, *, now_unix_ns: int | None = None) -> None:
        """Bring the circuits of a snapshot in, as if they had been here all the time: open ones stay open for what is
        left of their period by the time of day, modes end when they would have. A circuit that is here already becomes
        what the snapshot says, and its counters grow; others stay as they are.

        Raises trip.Error, and changes nothing, when the bytes are damaged (TRIP_E_INVALID), were written by a later
        library (TRIP_E_TOO_NEW), or there would be more than `max_circuits` circuits (TRIP_E_CAPACITY).
        """
        if not isinstance(snapshot, (bytes, bytearray, memoryview)):
            raise TypeError(f"snapshot must be bytes, not {type(snapshot).__name__}")
        written = bytes(snapshot)
        error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
        status = library.trip_tracker_restore(
            self._handle.value, _time_of_day(now_unix_ns), written, len(written), ctypes.byref(error)
        )
        if status < 0:
            raise failure(status, words(error))
        wake_all(self._waiting)

    def close(self) -> bool:
        """Destroy the tracker: its circuits and permits raise trip.Error from now on, and iterations over its events
        end. False if it was closed before.
        """
        try:
            return super().close()
        finally:
            self._remembered.forget()
            wake_all(self._waiting)


def handle_of(tracker: Tracker | None) -> int:
    """The number of a tracker whose clock something goes by; 0 where that is the machine's."""
    if tracker is None:
        return 0
    if not isinstance(tracker, Tracker):
        raise TypeError(f"tracker must be a trip.Tracker or None, not {type(tracker).__name__}; options have names")
    return tracker.handle


def _scope(tenant: Name | None, provider: Name | None) -> tuple[Scope, Name, Name]:
    """Whose policy it is that names are given for, or not given."""
    if tenant is None:
        return (Scope.TRACKER, "", "") if provider is None else (Scope.PROVIDER, "", provider)
    return (Scope.TENANT, tenant, "") if provider is None else (Scope.CIRCUIT, tenant, provider)


def _time_of_day(now_unix_ns: int | None) -> int:
    """As the library takes it, for which 0 is the system's."""
    if now_unix_ns is not None:
        require_int("now_unix_ns", now_unix_ns, 1, U64_MAX)
    return now_unix_ns or 0
