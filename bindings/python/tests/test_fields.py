"""Every config has the fields and defaults of its struct, and reaches C field by field; every option is one of them."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from datetime import timedelta
from typing import Any, Callable

import pytest

import trip
from trip import _abi
from trip._library import library

LIBC = ctypes.CDLL(None)


def guard(tracker: trip.Tracker, **options: Any) -> trip.FunctionGuard:
    return trip.FunctionGuard(tracker.circuit("acme", "libc"), LIBC.abs, "int32 (int32)", **options)


def guard_of(config: Any, tracker: trip.Tracker) -> trip.FunctionGuard:
    return trip.FunctionGuard.from_config(config, tracker.circuit("acme", "libc"), LIBC.abs, "int32 (int32)")


def route(tracker: trip.Tracker, **options: Any) -> trip.Route:
    return trip.Route(tracker, "acme", **options)


def route_of(config: Any, tracker: trip.Tracker) -> trip.Route:
    return trip.Route.from_config(config, tracker, "acme")


KINDS: list[tuple[Any, Any, Callable[..., Any], Callable[..., Any]]] = [
    (trip.RetryConfig, trip.RetryOptions, trip.Retry, trip.Retry.from_config),
    (trip.DedupConfig, trip.DedupOptions, trip.Dedup, trip.Dedup.from_config),
    (trip.GateConfig, trip.GateOptions, trip.Gate, trip.Gate.from_config),
    (trip.RouteConfig, trip.RouteOptions, route, route_of),
    (trip.GuardConfig, trip.GuardOptions, guard, guard_of),
]
each_kind = pytest.mark.parametrize(("config", "options", "make", "of_config"), KINDS)


@each_kind
def test_a_config_has_the_fields_and_the_defaults_of_the_library(
    config: Any, options: Any, make: Any, of_config: Any
) -> None:
    native = config._struct()
    fill = getattr(library, f"{config._struct.__name__}_init")
    assert fill(ctypes.byref(native), ctypes.sizeof(native)) == _abi.TRIP_OK
    members = [name for name, *_ in native._fields_ if name not in ("struct_size", "reserved")]
    assert dataclasses.asdict(config()) == {name: getattr(native, name) for name in members}
    assert [field.name for field in dataclasses.fields(config)] == members


@each_kind
def test_every_option_is_a_field_and_reaches_the_library(
    config: Any, options: Any, make: Any, of_config: Any, tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [field.name for field in dataclasses.fields(config) if field.name != "refused_double"]
    assert [name.removesuffix("_ns") for name in fields] == list(options.__annotations__)
    for name in fields:
        seen: list[Any] = []
        monkeypatch.setattr(config, "native", lambda self, seen=seen: seen.append(self) or 1 / 0)
        value: Any = [trip.StatusClass.QUOTA] if name == "classes" else 3
        with pytest.raises(ZeroDivisionError):
            make(tracker, **{name.removesuffix("_ns"): value})
        told = 1 << trip.StatusClass.QUOTA if name == "classes" else 3 * 10**9 if name.endswith("_ns") else 3
        assert seen == [config(**{name: told})]


@each_kind
def test_a_config_reaches_c_field_by_field(config: Any, options: Any, make: Any, of_config: Any) -> None:
    fields = enumerate(dataclasses.fields(config), 1)
    values = {field.name: number + 0.5 if field.type == "float" else number for number, field in fields}
    native = config(**values).native()
    told = {name: getattr(native, name) for name, *_ in native._fields_ if name != "reserved"}
    assert told == {"struct_size": ctypes.sizeof(native), **values}


@each_kind
def test_a_config_that_makes_no_sense_names_its_field(
    config: Any, options: Any, make: Any, of_config: Any, tracker: trip.Tracker
) -> None:
    for field in dataclasses.fields(config):
        if field.name in ("seed", "refused_result", "refused_errno", "refused_double", "classes"):
            continue  # of which any is right, or most
        wrong = math.nan if field.type == "float" else 2**32 - 1 if not field.name.endswith("_ns") else 2**64 - 1
        if field.name == "max_bytes":
            wrong = 0
        with pytest.raises(trip.ConfigError) as raised:
            of_config(config(**{field.name: wrong}), tracker)
        assert (raised.value.field, raised.value.name) == (field.name, "TRIP_E_CONFIG")
        assert raised.value.text


@each_kind
def test_what_c_could_not_hold_never_reaches_it(
    config: Any, options: Any, make: Any, of_config: Any, tracker: trip.Tracker
) -> None:
    for field in dataclasses.fields(config):
        for wrong in "1", None, True, [1]:
            with pytest.raises(TypeError, match=field.name):
                config(**{field.name: wrong})
        with pytest.raises(trip.ConfigError) as raised:
            config(**{field.name: 10**400 if field.type == "float" else 2**64})
        assert raised.value.field == field.name
    with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
        make(tracker, unknown=1)
    with pytest.raises(TypeError, match=f"must be a trip.{config.__name__}"):
        of_config(trip.Config(), tracker)


def test_ints_may_be_below_zero_where_c_has_a_sign() -> None:
    least = trip.GuardConfig(refused_result=-(2**63), refused_errno=-(2**31)).native()
    assert (least.refused_result, least.refused_errno) == (-(2**63), -(2**31))
    for wrong in ({"refused_result": -(2**63) - 1}, {"refused_errno": 2**31}, {"rule": -1}):
        with pytest.raises(trip.ConfigError):
            trip.GuardConfig(**wrong)


def test_times_are_seconds_or_timedelta() -> None:
    with trip.Retry(base_delay=timedelta(milliseconds=5), max_delay=1.5) as retry:
        assert [retry.delay_for_ns(attempt) for attempt in (1, 2, 3, 20)] == [5 * 10**6, 10**7, 2 * 10**7, 15 * 10**8]
    with pytest.raises(trip.ConfigError) as raised:
        trip.Dedup(ttl=-1)
    assert raised.value.field == "ttl_ns"


@pytest.mark.parametrize("make", [trip.Retry, trip.Dedup, trip.Gate, route])
def test_what_goes_by_a_clock_takes_a_tracker_or_none(make: Any) -> None:
    for wrong in 1, "tracker", object():
        with pytest.raises(TypeError, match="tracker"):
            make(wrong)
    closed = trip.Tracker()
    closed.close()
    with pytest.raises(trip.Error) as raised:
        make(closed)
    assert raised.value.name == "TRIP_E_HANDLE"
