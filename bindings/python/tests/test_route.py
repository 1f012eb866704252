"""A route gives permits of the first provider that admits, keeps sessions together, and says who was chosen."""

from __future__ import annotations

import asyncio
import collections
import gc
import pickle
import threading
import weakref
from typing import Any, Callable

import pytest

import trip
from trip._library import library

PROVIDERS = ["a", "b", "c"]


@pytest.fixture
def route(tracker: trip.Tracker) -> trip.Route:
    return trip.Route(tracker, "acme", PROVIDERS)


def chosen(route: trip.Route, session: str = "", avoid: tuple[int, ...] = ()) -> str:
    with route.permit(session, avoid) as permit:
        return permit.provider


def test_the_first_provider_that_admits_is_chosen(tracker: trip.Tracker, route: trip.Route) -> None:
    assert (route.tenant, route.providers) == ("acme", ("a", "b", "c"))
    for index, provider in enumerate(PROVIDERS):
        permit = route.permit()
        assert (permit.provider, permit.index) == (provider, index)
        assert permit.record_failure()
    with pytest.raises(trip.CircuitOpen) as raised:
        route.permit()
    assert (raised.value.tenant, raised.value.provider, raised.value.retry_after) == ("acme", "a, b, c", 30.0)
    assert raised.value.reason is trip.Reason.OPEN
    assert "provider 'a, b, c' is open" in str(raised.value)
    tracker.advance(30)
    assert chosen(route) == "a"


def test_the_permit_is_one_of_the_circuit(tracker: trip.Tracker, route: trip.Route) -> None:
    circuit = tracker.circuit("acme", "a")
    assert route.circuit(0) == circuit
    with route.permit():
        assert circuit.inspect().permits == 1
    assert circuit.inspect().successes == 1
    with pytest.raises(OSError, match="its own"), route.permit().classified_by(lambda _: trip.StatusClass.AUTH):
        raise OSError("its own")
    assert (circuit.inspect().successes, chosen(route)) == (2, "a")
    with pytest.raises(KeyboardInterrupt), route.permit():
        raise KeyboardInterrupt
    assert circuit.inspect().cancels == 1

    async def main() -> None:
        with pytest.raises(OSError, match="its own"):
            async with route.permit():
                raise OSError("its own")

    asyncio.run(main())
    assert chosen(route) == "b"
    tracker.advance(30)
    permit = route.permit()
    info = permit.inspect()
    assert info is not None
    assert info.is_probe
    assert trip.Permit.from_handle(permit.detach()).record_success()
    with pytest.raises(trip.PermitConsumed):
        permit.record_success()


def test_a_permit_that_is_collected_is_dropped(route: trip.Route) -> None:
    permit = route.permit()
    del permit
    gc.collect()
    assert (route.circuit(0).inspect().drops, chosen(route)) == (1, "b")


def test_a_provider_to_avoid_is_asked_last(route: trip.Route) -> None:
    assert [chosen(route, avoid=avoid) for avoid in ((), (0,), (0, 1), (0, 1, 2), (1,))] == ["a", "b", "c", "a", "a"]
    route.circuit(1).trip()
    route.circuit(2).trip()
    assert chosen(route, avoid=(0,)) == "a"


def test_a_session_stays_with_its_provider(tracker: trip.Tracker, route: trip.Route) -> None:
    sessions = [f"user {n}" for n in range(60)]
    of_each = {session: chosen(route, session) for session in sessions}
    assert set(of_each.values()) == {"a", "b", "c"}
    again = trip.Route(tracker, "acme", PROVIDERS, order=trip.Order.WEIGHTED)
    assert {session: chosen(again, session) for session in sessions} == of_each
    route.circuit(0).trip()
    without = {session: chosen(route, session) for session in sessions}
    assert all(without[session] == of_each[session] for session in sessions if of_each[session] != "a")


def test_drawn_providers_have_their_weights(tracker: trip.Tracker) -> None:
    route = trip.Route(tracker, "acme", [("a", 3), (b"b", 1)], order=trip.Order.WEIGHTED, seed=7)
    drawn = collections.Counter(chosen(route) for _ in range(1000))
    assert 600 < drawn["a"] < 900
    same = trip.Route(tracker, "acme", [("a", 3), ("b", 1)], order=trip.Order.WEIGHTED, seed=7)
    assert collections.Counter(chosen(same) for _ in range(1000)) == drawn


def test_where_all_refuse_one_may_pass(tracker: trip.Tracker) -> None:
    route = trip.Route(tracker, "acme", PROVIDERS, fallback=trip.Fallback.ONE)
    for index in range(3):
        route.circuit(index).trip()
    passes = route.permit()
    with pytest.raises(trip.CircuitOpen):
        route.permit()
    passes.record_failure()
    assert route.permit().cancel() in (True, False)


def test_texts_may_have_any_bytes(tracker: trip.Tracker) -> None:
    route = trip.Route(tracker, b"\xff", [b"\x80\0"])
    assert (route.tenant, route.providers) == ("\udcff", ("\udc80\0",))
    with route.permit(b"\xfe") as permit:
        assert permit.provider == "\udc80\0"
    assert route.circuit(0) == tracker.circuit("\udcff", "\udc80\0")


def test_what_is_wrong_is_refused(tracker: trip.Tracker, route: trip.Route) -> None:
    with pytest.raises(TypeError, match="tracker"):
        trip.Route(None, "acme")  # type: ignore[arg-type]
    for wrong in 1, None, ["acme"]:
        with pytest.raises(TypeError, match="tenant"):
            trip.Route(tracker, wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="provider"):
            route.add(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="session"):
            route.permit(wrong)  # type: ignore[arg-type]
    for index in -1, 64, "0", True:
        with pytest.raises((TypeError, ValueError), match="avoid"):
            route.permit(avoid=[index])  # type: ignore[list-item]
    refused: list[Callable[[], Any]] = [
        lambda: route.add("a"),
        lambda: route.add("d", 0),
        lambda: route.add("d", 1_000_001),
        lambda: route.add("x" * 256),
        lambda: route.permit("x" * 256),
        lambda: route.circuit(3),
        lambda: trip.Route(tracker, "x" * 256),
        trip.Route(tracker, "acme").permit,
    ]
    for use in refused:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_INVALID"
    for weight in -1, 2**32, 1.5, "1":
        with pytest.raises((TypeError, ValueError), match="weight"):
            route.add("d", weight)  # type: ignore[arg-type]
    for index in -1, 2**32, "0":
        with pytest.raises((TypeError, ValueError), match="index"):
            route.circuit(index)  # type: ignore[arg-type]
    assert route.providers == ("a", "b", "c")
    with pytest.raises(trip.Error) as raised:
        trip.Route(tracker, "acme", map(str, range(65)))
    assert raised.value.name == "TRIP_E_CAPACITY"
    assert trip.Route(tracker, "acme", "openai").providers == ("openai",)  # one name, not its letters


def test_providers_come_in_the_order_of_their_indices(tracker: trip.Tracker, switching_often: None) -> None:
    route = trip.Route(tracker, "acme")
    names = [[f"{thread}.{n}" for n in range(16)] for thread in range(4)]

    def add(own: list[str]) -> None:
        for name in own:
            route.add(name)

    threads = [threading.Thread(target=add, args=(own,)) for own in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(route.providers) == sorted(name for own in names for name in own)
    handles = [library_circuit(route, index) for index in range(64)]
    assert handles == [tracker.circuit("acme", provider).handle for provider in route.providers]


def test_who_adds_a_provider_waits_for_who_adds_another(tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    add, other_came = library.trip_route_add, threading.Event()

    def add_slowly(handle: Any, name: bytes, *rest: int) -> int:
        if name == b"first":
            other.start()
            other_came.wait(0.05)
        else:
            other_came.set()
        return add(handle, name, *rest)

    monkeypatch.setattr(library, "trip_route_add", add_slowly)
    route = trip.Route(tracker, "acme")
    other = threading.Thread(target=route.add, args=("second",))
    route.add("first")
    other.join(60)
    assert route.providers == ("first", "second")
    assert library_circuit(route, 0) == tracker.circuit("acme", "first").handle


def library_circuit(route: trip.Route, index: int) -> int:
    import ctypes

    circuit = ctypes.c_uint64()
    assert library.trip_route_circuit(route.handle, index, ctypes.byref(circuit)) == 0
    return circuit.value


def test_a_closed_route_is_an_error_and_its_permits_stay(tracker: trip.Tracker, route: trip.Route) -> None:
    permit = route.permit()
    assert (route.close(), route.close()) == (True, False)
    assert (permit.provider, permit.record_success()) == ("a", True)
    for use in route.permit, lambda: route.add("d"), lambda: route.circuit(0):
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"
    other = trip.Route(tracker, "acme", ["a"])
    tracker.close()
    with pytest.raises(trip.Error) as raised:
        other.permit()
    assert raised.value.name == "TRIP_E_HANDLE"


def test_a_permit_keeps_its_route_and_that_its_tracker() -> None:
    tracker = trip.Tracker()
    route = trip.Route(tracker, "acme", ["a"])
    kept, permit = weakref.ref(tracker), route.permit()
    del route, tracker
    gc.collect()
    assert kept() is not None
    assert permit.record_success()
    del permit
    gc.collect()
    assert kept() is None


def test_objects_show_which_they_are_and_stay_here(route: trip.Route) -> None:
    permit = route.permit()
    assert repr(route) == f"<trip.Route {route.handle:#x}>"
    assert repr(permit) == f"<trip.RoutePermit {permit.handle:#x}>"
    for each in route, permit:
        with pytest.raises(TypeError, match="in this process"):
            pickle.dumps(each)
