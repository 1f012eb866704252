"""A tracker takes seconds, refuses nonsense before C sees it, and lives as long as somebody holds it."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import gc
import math
import pickle
from datetime import timedelta
from typing import Any, cast

import pytest

import trip
from trip import _abi, _config
from trip._library import library

SECONDS = [
    *("initial_open", "max_open", "probe_lease", "probe_retry", "quota_open", "max_retry_after"),
    *("slow_call", "time_window", "hang", "ramp", "stall"),
]
COUNTS = ["failure_threshold", "half_open_max_probes", "half_open_successes", "max_circuits"]
# The largest count that 32 bits hold is legal for a minimum.
LATER_COUNTS = [
    *("half_open_probes", "count_window", "count_minimum"),
    *("time_buckets", "time_minimum", "hang_calls", "ramp_steps"),
]
EFFECTS = [f"on_{each.name.lower()}" for each in trip.StatusClass if each is not trip.StatusClass.SUCCESS]
SELECTORS = ["backoff", "on_drop", "clock", *EFFECTS]
RATIOS = [
    *("backoff_multiplier", "jitter"),
    *(f"{window}_{kind}_ratio" for window in ("count", "time") for kind in ("failure", "slow")),
]


def open_period(tracker: trip.Tracker) -> int:
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record_failure()
    return circuit.inspect().open_duration_ns


def test_config_has_the_fields_and_the_defaults_of_the_library() -> None:
    native = _abi.trip_config()
    assert library.trip_config_init(ctypes.byref(native), ctypes.sizeof(native)) == _abi.TRIP_OK
    members = [field[0] for field in _abi.trip_config._fields_ if field[0] != "struct_size"]
    assert dataclasses.asdict(trip.Config()) == {name: getattr(native, name) for name in members}
    assert [field.name for field in dataclasses.fields(trip.Config)] == members


def test_every_option_is_a_field_of_the_config() -> None:
    every = SECONDS + COUNTS + LATER_COUNTS + SELECTORS + RATIOS
    assert sorted(every) == sorted(trip.Options.__annotations__)
    assert {name.removesuffix("_ns") for name in trip.Config.__dataclass_fields__} == set(every)


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[trip.Config] = []

    def create(config: trip.Config) -> int:
        seen.append(config)
        return 0

    monkeypatch.setattr("trip._tracker.create_tracker", create)
    trip.Tracker()
    trip.Tracker(
        failure_threshold=1,
        initial_open=2,
        max_open=3,
        backoff_multiplier=4.0,
        backoff=trip.Backoff.COMPOUND,
        half_open_max_probes=6,
        half_open_successes=7,
        on_drop=trip.OnDrop.CANCEL,
        probe_lease=8,
        probe_retry=9,
        jitter=0.5,
        clock=trip.Clock.MANUAL,
        max_circuits=10,
        on_quota=trip.Effect.NOTHING,
        half_open_probes=11,
        quota_open=12,
        max_retry_after=timedelta(seconds=13),
        slow_call=14,
        count_window=15,
        count_minimum=16,
        count_failure_ratio=0.17,
        count_slow_ratio=0.18,
        time_window=19,
        time_buckets=20,
        time_minimum=21,
        time_failure_ratio=0.22,
        time_slow_ratio=0.23,
        hang=24,
        hang_calls=25,
        ramp_steps=26,
        ramp=27,
        stall=28,
    )
    s = 1_000_000_000
    first = (1, 2 * s, 3 * s, 4.0, trip.Backoff.COMPOUND, 6, 7, trip.OnDrop.CANCEL, 8 * s, 9 * s, 0.5, 1, 10)
    effects = [getattr(trip.Config(), effect) for effect in EFFECTS]
    effects[EFFECTS.index("on_quota")] = trip.Effect.NOTHING
    windows = (15, 16, 0.17, 0.18, 19 * s, 20, 21, 0.22, 0.23)
    rest: list[Any] = [*first, *effects, 11, 12 * s, 13 * s, 14 * s, *windows, 24 * s, 25, 26, 27 * s, 28 * s]
    assert seen == [trip.Config(), trip.Config(*rest)]


def test_a_config_reaches_c_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = enumerate(dataclasses.fields(trip.Config), 1)
    values: dict[str, Any] = {field.name: number + 0.5 if field.type == "float" else number for number, field in fields}
    config = trip.Config(**values)
    seen: list[dict[str, Any]] = []

    def create(native: Any, tracker: Any, error: Any) -> int:
        seen.append({name: getattr(native._obj, name) for name, *_ in native._obj._fields_})
        return _abi.TRIP_OK

    monkeypatch.setattr(library, "trip_tracker_create", create)
    _config.create_tracker(config)
    assert seen == [{"struct_size": ctypes.sizeof(_abi.trip_config), **dataclasses.asdict(config)}]


@pytest.mark.parametrize(
    ("duration", "ns"),
    [
        (30, 30_000_000_000),
        (0.05, 50_000_000),
        (1e-9, 1),
        (timedelta(minutes=1, microseconds=1), 60_000_001_000),
        (31_536_000, 31_536_000_000_000_000),
    ],
)
def test_seconds_are_exact(duration: float | timedelta, ns: int) -> None:
    assert open_period(trip.Tracker(failure_threshold=1, initial_open=duration, max_open=31_536_000)) == ns


def test_an_exact_config_needs_no_seconds() -> None:
    assert open_period(trip.Tracker.from_config(trip.Config(failure_threshold=1, initial_open_ns=1234567891))) == (
        1234567891
    )


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [-1, -1e-9, math.nan, math.inf, -math.inf, 1e300, 10**30, timedelta(days=-1), 1e11])
def test_a_duration_out_of_range_is_refused(option: str, value: Any) -> None:
    with pytest.raises(trip.ConfigError, match=option) as raised:
        trip.Tracker(**{option: value})
    assert (raised.value.field, raised.value.name, raised.value.status) == (f"{option}_ns", "TRIP_E_CONFIG", -6)


@pytest.mark.parametrize("option", SECONDS + COUNTS + LATER_COUNTS + SELECTORS + RATIOS)
@pytest.mark.parametrize("value", ["1", None, True, b"1", [1], 1j])
def test_an_option_of_another_type_is_refused(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match=option):
        trip.Tracker(**{option: value})


@pytest.mark.parametrize("option", COUNTS + SELECTORS)
@pytest.mark.parametrize("value", [-1, 2**32, 2**32 + 1, 10**30, 2**32 - 1])
def test_an_int_is_not_cut_down_to_its_low_bits(option: str, value: int) -> None:
    with pytest.raises(trip.ConfigError, match=option) as raised:
        trip.Tracker(**{option: value})  # type: ignore[arg-type]
    assert raised.value.field == option


@pytest.mark.parametrize("option", LATER_COUNTS)
@pytest.mark.parametrize("value", [-1, 2**32, 2**32 + 1, 10**30])
def test_nor_is_a_later_count(option: str, value: Any) -> None:
    with pytest.raises(trip.ConfigError, match=option) as raised:
        trip.Tracker(**{option: value})
    assert raised.value.field == option


@pytest.mark.parametrize("option", [*COUNTS, *LATER_COUNTS, *SELECTORS])
def test_a_count_is_an_int(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        trip.Tracker(**{option: 1.0})  # type: ignore[arg-type]


@pytest.mark.parametrize("option", RATIOS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, 10**400])
def test_a_ratio_out_of_range_is_refused(option: str, value: float) -> None:
    with pytest.raises(trip.ConfigError, match=option) as raised:
        trip.Tracker(**{option: value})  # type: ignore[arg-type]
    assert raised.value.field == option


def test_a_config_error_is_a_value_error_that_can_be_pickled() -> None:
    with pytest.raises(ValueError, match="jitter") as raised:
        trip.Tracker(jitter=2.0)
    assert isinstance(raised.value, trip.ConfigError)
    back = pickle.loads(pickle.dumps(raised.value))
    assert (type(back), str(back), back.field, back.status) == (trip.ConfigError, str(raised.value), "jitter", -6)


def test_from_config_takes_a_config_only() -> None:
    with pytest.raises(TypeError, match=r"trip\.Config"):
        trip.Tracker.from_config({})  # type: ignore[arg-type]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        trip.Config().jitter = 0.5  # type: ignore[misc]


def test_options_are_named() -> None:
    with pytest.raises(TypeError):
        cast(Any, trip.Tracker)(5)


def test_advance_moves_the_manual_clock(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record_failure()
    for step in 10, 1.5, timedelta(milliseconds=500):
        tracker.advance(step)
    tracker.advance_ns(1)
    assert circuit.inspect().retry_after_ns == 18_000_000_000 - 1


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e300, 10**30])
def test_advance_refuses_what_is_no_time(tracker: trip.Tracker, value: float) -> None:
    with pytest.raises(ValueError, match="duration"):
        tracker.advance(value)


@pytest.mark.parametrize("value", ["1", None, True])
def test_advance_refuses_another_type(tracker: trip.Tracker, value: Any) -> None:
    with pytest.raises(TypeError, match="duration"):
        tracker.advance(value)
    with pytest.raises(TypeError, match="ns"):
        tracker.advance_ns(value)


@pytest.mark.parametrize("ns", [-1, 2**64])
def test_advance_ns_is_not_cut_down_to_its_low_bits(tracker: trip.Tracker, ns: int) -> None:
    with pytest.raises(ValueError, match="ns"):
        tracker.advance_ns(ns)


def test_only_a_manual_clock_is_moved() -> None:
    with pytest.raises(trip.Error, match="TRIP_E_UNSUPPORTED"):
        trip.Tracker().advance(1)


def test_a_closed_tracker_answers_with_errors(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    permit = circuit.permit()
    assert tracker.close() is True
    assert tracker.close() is False
    for use in (
        lambda: tracker.circuit("acme", "openai"),
        lambda: tracker.advance(1),
        circuit.permit,
        circuit.peek,
        circuit.inspect,
        circuit.key,
        permit.inspect,
        permit.record_success,
    ):
        with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
            use()
    assert (circuit.tenant, circuit.provider) == ("acme", "openai")


def test_leaving_a_block_closes_its_tracker() -> None:
    with trip.Tracker() as tracker:
        pass
    assert tracker.close() is False


def test_a_collected_tracker_is_destroyed() -> None:
    tracker = trip.Tracker()
    permit = trip.Permit.from_handle(tracker.circuit("acme", "openai").permit().detach())
    assert permit.inspect() is not None
    del tracker
    gc.collect()
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        permit.inspect()


def test_a_tracker_that_was_not_made_is_collected_in_silence() -> None:
    with pytest.raises(trip.ConfigError):
        trip.Tracker(failure_threshold=0)
    with pytest.raises(TypeError):
        trip.Tracker(bogus=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="initial_open_ns"):
        trip.Tracker(initial_open_ns=1)  # type: ignore[call-arg]
    gc.collect()  # pytest makes an exception in a destructor an error


def test_a_tracker_cannot_be_copied(tracker: trip.Tracker) -> None:
    for duplicate in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="lives in this process"):
            duplicate(tracker)


@pytest.mark.parametrize("enum", [trip.State, trip.Mode, trip.Reason])
def test_a_value_of_a_newer_library_is_kept(enum: type[trip.State]) -> None:
    newer = enum(77)
    assert (newer, newer.name, pickle.loads(pickle.dumps(newer))) == (77, "UNKNOWN_77", 77)
    with pytest.raises(ValueError, match="text"):
        enum("text")  # type: ignore[arg-type]


def test_an_unknown_status_is_an_error_of_its_own_number() -> None:
    from trip._errors import failure

    error = failure(-77)
    assert (type(error), error.status, error.name) == (trip.Error, -77, "TRIP_UNKNOWN")
    back = pickle.loads(pickle.dumps(error))
    assert (back.status, str(back)) == (-77, str(error))


def test_objects_show_which_they_are(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    permit = circuit.permit()
    assert repr(tracker) == f"<trip.Tracker {tracker.handle:#x}>"
    assert repr(circuit) == "<trip.Circuit tenant='acme' provider='openai'>"
    assert repr(permit) == f"<trip.Permit {permit.handle:#x}>"
    assert permit.cancel()
