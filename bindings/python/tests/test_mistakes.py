"""Who uses the package for the first time is told what is wrong, in words that lead on."""

from __future__ import annotations

import gc
import pickle
import sys
import warnings
from typing import Any, Callable

import pytest

import trip

tracker = trip.Tracker()
circuit = tracker.circuit("acme", "openai")


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a misspelt option": (
        lambda t: t.Tracker(failure_treshold=5),
        r"'failure_treshold'; did you mean 'failure_threshold'\?",
    ),
    "nanoseconds": (lambda t: t.Tracker(initial_open_ns=5), "'initial_open_ns'; did you mean 'initial_open'"),
    "a time that is text": (
        lambda t: t.Tracker(initial_open="30"),
        "initial_open must be seconds .* or a timedelta, not str",
    ),
    "a selector that is text": (
        lambda t: t.Tracker(on_drop="cancel"),
        "on_drop must be a trip.OnDrop, such as trip.OnDrop.FAILURE, not str",
    ),
    "a mode that is text": (
        lambda t: t.Circuit.set_mode(circuit, "open"),
        "mode must be a trip.Mode, such as trip.Mode.AUTO, not str",
    ),
    "labels that are text": (
        lambda t: t.Tracker.metrics(tracker, "tenant"),
        "labels must be a trip.Labels, such as trip.Labels.PROVIDER, not str",
    ),
    "a status in place of an outcome": (
        lambda t: t.Permit.record(circuit.permit(), 429),
        "outcome must be a trip.Outcome or a trip.StatusClass, not int",
    ),
    "an option without a name": (
        lambda t: t.Retry(3),
        "tracker must be a trip.Tracker or None, not int; options have names",
    ),
    "async under call": (lambda t: t.Caller(circuit).call(ask), "take call_async"),
}


async def ask(provider: str) -> None: ...


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(mistake: str) -> None:
    make, says = MISTAKES[mistake]
    with pytest.raises(TypeError, match=says):
        make(trip)


def test_only_a_manual_clock_is_moved() -> None:
    with pytest.raises(trip.Error, match=r"trip.Tracker\(clock=trip.Clock.MANUAL\)"):
        tracker.advance(1)


def test_whatever_is_far_from_all_options_is_just_unknown() -> None:
    with pytest.raises(TypeError, match=r"argument 'colour'$"):
        trip.Tracker(colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("by", ["the lane", "the library"])
def test_a_permit_that_is_forgotten_warns_who_looks_for_that(by: str) -> None:
    circuit = tracker.circuit("forgotten", by)
    for _ in range(20 if by == "the lane" else 0):
        circuit.permit().record_success()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        permit = circuit.permit()
        del permit
        gc.collect()
        with circuit.permit():
            pass
        for settle in trip.Permit.record_success, trip.Permit.cancel, trip.Permit.drop, trip.Permit.detach:
            settle(circuit.permit())
        gc.collect()
    assert [(each.category, str(each.message)) for each in told] == [
        (ResourceWarning, "a permit was collected unsettled: hold it in `with`, or settle it")
    ]
    assert circuit.inspect().drops == 2


def test_a_decorator_may_have_empty_parentheses() -> None:
    guarded = circuit.guard()(lambda: "answered")
    before = circuit.inspect().successes
    assert guarded() == "answered"
    assert circuit.inspect().successes == before + 1


def test_objects_say_what_they_are() -> None:
    permit = circuit.permit()
    assert repr(permit) == f"<trip.Permit {permit.handle:#x}>"
    permit.cancel()
    circuit.permit().record_success()
    settled = circuit.permit()
    settled.record_success()
    assert repr(settled).startswith("<trip.Permit ")
    assert repr(tracker.events()) == f"<trip.Events of {tracker!r}>"


def test_nothing_is_in_the_package_but_what_it_offers() -> None:
    modules = {
        name[len("trip.") :] for name in sys.modules if name.startswith("trip.")
    }  # of the package, for who asks for them
    assert {name for name in vars(trip) if not name.startswith("_")} - modules == set(trip.__all__)


@pytest.mark.parametrize("kept", [tracker, circuit, tracker.events(), trip.Gate(), trip.Dedup(), trip.Retry()])
def test_what_lives_in_this_process_stays_in_it(kept: object) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        pickle.dumps(kept)
