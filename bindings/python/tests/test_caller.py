"""The one call asks for what it needs in its order, and gives all of it back however, and wherever, it ends."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Literal

import pytest

import trip
from provider import classify, serving
from trip._library import library
from waits import descriptors, until, watched

Permits = Literal["attempt", "call"]
each_composition = pytest.mark.parametrize("permits", ["attempt", "call"])
either_way = pytest.mark.parametrize("is_async", [False, True])


class Parts:
    """All that a call can have, and a function that does what its script says."""

    def __init__(self) -> None:
        self.tracker = trip.Tracker(failure_threshold=100)
        self.route = trip.Route(self.tracker, "acme", ["a", "b"])
        self.retry = trip.Retry(base_delay=0.001, max_delay=0.001)
        self.dedup = trip.Dedup(self.tracker)
        self.gate = trip.Gate(self.tracker, capacity=10)
        self.called: list[str] = []
        self.script: list[Any] = []  # errors to raise, or values to return; at its end it goes on with its last
        self.descriptors = descriptors()

    def caller(self, permits: Permits = "attempt", **parts: Any) -> trip.Caller:
        to, with_all = parts.pop("to", self.route), {"retry": self.retry, "dedup": self.dedup, "gate": self.gate}
        return trip.Caller(to, permits=permits, **{**with_all, **parts})

    def function(self, provider: str) -> bytes:
        self.called.append(provider)
        does = self.script[min(len(self.called), len(self.script)) - 1]
        if isinstance(does, BaseException):
            raise does
        assert isinstance(does, bytes)
        return does

    async def function_async(self, provider: str) -> bytes:
        await asyncio.sleep(0)
        return self.function(provider)

    def run(self, caller: trip.Caller, is_async: bool, **options: Any) -> bytes:
        if is_async:
            answer: bytes = asyncio.run(caller.call_async(self.function_async, **options))
        else:
            answer = caller.call(self.function, **options)
        return answer

    def out(self) -> dict[str, int]:
        """What is held now."""
        infos = [info for _, info in self.tracker.circuits()]
        return {
            "places": self.gate.inspect().depth,
            "tickets": self.dedup.inspect().in_progress,
            "permits": sum(i.permits - i.successes - i.failures_total - i.drops - i.cancels for i in infos),
            "descriptors": descriptors() - self.descriptors,
        }

    def counts(self) -> dict[str, int]:
        """How permits have ended, over all circuits."""
        infos = [info for _, info in self.tracker.circuits()]
        names = {"successes": "successes", "failures": "failures_total", "cancels": "cancels", "drops": "drops"}
        return {name: total for name, member in names.items() if (total := sum(getattr(i, member) for i in infos))}


NOTHING = {"places": 0, "tickets": 0, "permits": 0, "descriptors": 0}


@contextmanager
def made() -> Iterator[Parts]:
    """Parts of which nothing is held at the end."""
    parts = Parts()
    with parts.tracker:
        yield parts
        assert parts.out() == NOTHING


@pytest.fixture
def parts() -> Iterator[Parts]:
    with made() as parts:
        yield parts


# ---- One call


@each_composition
@either_way
def test_a_call_that_succeeds_gives_back_all(parts: Parts, permits: Permits, is_async: bool) -> None:
    parts.script = [b"answer"]
    caller = parts.caller(permits)
    assert parts.run(caller, is_async, key="key", session="user 7") == b"answer"
    assert (parts.counts(), parts.gate.inspect().acquired, parts.dedup.inspect().completed) == ({"successes": 1}, 1, 1)
    assert parts.run(caller, is_async, key="key") == b"answer"
    assert (len(parts.called), parts.gate.inspect().acquired) == (1, 1)  # what is known needs no place and no permit
    assert parts.run(caller, is_async) == b"answer"  # without a key it is like no other
    assert (len(parts.called), parts.counts()) == (2, {"successes": 2})


@either_way
def test_each_attempt_has_a_permit_of_a_provider_that_has_not_failed(parts: Parts, is_async: bool) -> None:
    parts.script = [OSError("first"), OSError("second"), b"answer"]
    assert parts.run(parts.caller("attempt"), is_async, key="key") == b"answer"
    assert (parts.called, parts.counts()) == (["a", "b", "a"], {"successes": 1, "failures": 2})
    assert (parts.retry.inspect("a").calls, parts.retry.inspect("b").calls) == (1, 0)  # who was asked first earns
    assert (parts.retry.inspect("a").retries, parts.retry.inspect("b").retries) == (1, 1)  # who has failed pays
    assert parts.gate.inspect().acquired == 1


@either_way
def test_one_permit_learns_of_the_last_attempt(parts: Parts, is_async: bool) -> None:
    parts.script = [OSError("first"), OSError("second"), b"answer"]
    assert parts.run(parts.caller("call"), is_async) == b"answer"
    assert (parts.called, parts.counts()) == (["a", "a", "a"], {"successes": 1})
    parts.script = [OSError("last")]
    with pytest.raises(OSError, match="last"):
        parts.run(parts.caller("call"), is_async)
    assert (len(parts.called), parts.counts()) == (6, {"successes": 1, "failures": 1})


@each_composition
@either_way
def test_what_the_last_attempt_raised_goes_on_as_it_was(parts: Parts, permits: Permits, is_async: bool) -> None:
    errors = [OSError("first"), OSError("second"), OSError("third")]
    parts.script = list(errors)
    with pytest.raises(OSError, match="third") as raised:
        parts.run(parts.caller(permits), is_async, key="key")
    assert (raised.value, raised.value.__cause__, raised.value.__context__) == (errors[2], None, None)
    assert len(parts.called) == 3
    assert isinstance(parts.dedup.check("key"), trip.Ticket)  # nobody waits for a call that has failed


@each_composition
@either_way
def test_the_class_of_an_error_decides(parts: Parts, permits: Permits, is_async: bool) -> None:
    judged: list[Exception] = []

    def judge(error: Exception) -> trip.StatusClass:
        judged.append(error)
        return trip.StatusClass.INVALID_REQUEST

    parts.script = [OSError("its own")]
    with pytest.raises(OSError, match="its own"):
        parts.run(parts.caller(permits, classify=judge), is_async)
    assert (len(parts.called), len(judged), parts.counts()) == (1, 1, {"successes": 1})  # the provider is up


@each_composition
def test_no_delay_is_below_what_the_provider_asks(parts: Parts, permits: Permits, monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    parts.script = [OSError(), b"answer"]
    outcome = trip.Outcome(trip.StatusClass.RATE_LIMITED, retry_after_ns=20 * 10**9)
    assert parts.caller(permits, classify=lambda _: outcome).call(parts.function) == b"answer"
    assert len(slept) == 1
    assert slept[0] >= 20


@each_composition
@either_way
@pytest.mark.parametrize("error", [trip.Error(-4, ""), trip.Shed(1, 1, 1), trip.CircuitOpen("t", "p", (1, bytes(32)))])
def test_what_the_breaker_raises_inside_says_nothing(
    parts: Parts, permits: Permits, is_async: bool, error: Exception
) -> None:
    parts.script, asked = [error], list[Exception]()
    with pytest.raises(type(error)) as raised:
        parts.run(parts.caller(permits, classify=asked.append), is_async, key="key")
    assert (raised.value, len(parts.called), parts.counts(), asked) == (error, 1, {"cancels": 1}, [])


@either_way
def test_a_circuit_is_a_route_of_one(parts: Parts, is_async: bool) -> None:
    parts.script = [OSError(), b"answer"]
    circuit = parts.tracker.circuit("acme", "openai")
    caller = trip.Caller(circuit, retry=parts.retry)
    assert (parts.run(caller, is_async), parts.called) == (b"answer", ["openai", "openai"])
    assert parts.counts() == {"successes": 1, "failures": 1}
    parts.script = [OSError("alone")]
    with pytest.raises(OSError, match="alone"):
        parts.run(trip.Caller(circuit), is_async)
    assert len(parts.called) == 3
    with pytest.raises(OSError, match="alone"):
        parts.run(parts.caller(to=circuit, classify=lambda _: trip.StatusClass.AUTH), is_async)
    assert (len(parts.called), parts.counts()) == (4, {"successes": 2, "failures": 2})


@each_composition
def test_an_error_that_was_got_over_is_not_kept(parts: Parts, permits: Permits) -> None:
    class Flaw(Exception):
        pass

    def flawed(provider: str) -> bytes:
        if flaws:
            return b"answer"
        flaw = Flaw()
        flaws.append(weakref.ref(flaw))
        try:
            raise flaw
        finally:
            del flaw  # which else refers to this frame, and this frame to it

    flaws: list[weakref.ref[Flaw]] = []
    gc.collect()
    gc.disable()
    try:
        assert parts.caller(permits).call(flawed) == b"answer"
        assert [each() for each in flaws] == [None]
    finally:
        gc.enable()


def test_a_session_stays_with_its_provider(parts: Parts) -> None:
    parts.script = [b"answer"]
    caller = parts.caller()
    for _ in range(3):
        for session in "ab", "cd", "ef", "gh", "ij":
            caller.call(parts.function, session=session)
    assert parts.called[:5] == parts.called[5:10] == parts.called[10:]
    assert set(parts.called) == {"a", "b"}


def test_values_are_encoded_for_those_who_wait(parts: Parts) -> None:
    def answer(provider: str) -> dict[str, int]:
        parts.called.append(provider)
        return {"forty": 40, "two": 2}

    def encode(value: dict[str, int]) -> bytes:
        return json.dumps(value).encode()

    def decode(value: bytes) -> dict[str, int]:
        read: dict[str, int] = json.loads(value)
        return read

    caller = parts.caller()
    made = caller.call(answer, key="key", encode=encode, decode=decode)
    known = caller.call(answer, key="key", encode=encode, decode=decode)
    assert made == known == {"forty": 40, "two": 2}
    assert len(parts.called) == 1
    with pytest.raises(ValueError, match="cannot"):
        caller.call(answer, key="bad", encode=lambda _: int("cannot").to_bytes(1, "big"), decode=decode)
    assert parts.counts() == {"successes": 2}  # what the caller cannot encode, the provider has answered all the same
    with pytest.raises(TypeError, match="must be bytes"):
        caller.call(answer, key="bad")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot"):
        caller.call(answer, key="key", encode=encode, decode=lambda _: {"cannot": int("cannot")})


# ---- Refusals


@each_composition
@either_way
def test_a_full_gate_is_asked_before_any_circuit(parts: Parts, permits: Permits, is_async: bool) -> None:
    gate = trip.Gate(capacity=1)
    with gate.acquire(), pytest.raises(trip.Shed):
        parts.run(parts.caller(permits, gate=gate), is_async, key="key")
    assert (parts.called, parts.counts(), parts.retry.inspect("a").calls) == ([], {}, 0)
    assert gate.inspect().depth == 0


@each_composition
@either_way
def test_a_refused_permit_is_no_attempt(parts: Parts, permits: Permits, is_async: bool) -> None:
    for index in range(2):
        parts.route.circuit(index).trip()
    with pytest.raises(trip.CircuitOpen):
        parts.run(parts.caller(permits), is_async, key="key")
    assert (parts.called, parts.retry.inspect("a").calls) == ([], 0)


@either_way
def test_a_permit_refused_after_an_attempt_raises_what_that_has_raised(parts: Parts, is_async: bool) -> None:
    parts.tracker.configure(failure_threshold=1)
    own = OSError("the second one's own")
    parts.script = [OSError("the first one's own"), own]
    with pytest.raises(OSError, match="second") as raised:
        parts.run(parts.caller("attempt"), is_async, key="key")
    assert (raised.value, raised.value.__context__, parts.called) == (own, None, ["a", "b"])


def test_the_place_is_held_between_attempts(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    depths: list[dict[str, int]] = []
    monkeypatch.setattr("time.sleep", lambda _: depths.append(parts.out()))
    parts.script = [OSError(), b"answer"]
    parts.caller("attempt").call(parts.function, key="key")
    parts.called.clear()
    parts.caller("call").call(parts.function, key="other")
    assert depths == [{**NOTHING, "places": 1, "tickets": 1}, {**NOTHING, "places": 1, "tickets": 1, "permits": 1}]


def test_a_gate_that_adapts_learns_what_the_provider_answers(parts: Parts) -> None:
    gate = trip.Gate(capacity=100, adapt=trip.Adapt.AIMD, initial_limit=50)
    parts.script = [OSError()]
    for status_class, falls in (trip.StatusClass.AUTH, False), (trip.StatusClass.TIMEOUT, True):
        before = gate.inspect().limit
        for _ in range(5):
            with pytest.raises(OSError):  # noqa: PT011 - its own
                parts.caller(gate=gate, classify=lambda _, said=status_class: said).call(parts.function)
        assert (gate.inspect().limit < before) is falls


# ---- Many calls


@either_way
def test_of_many_with_a_key_one_calls_and_the_others_hold_nothing(parts: Parts, is_async: bool) -> None:
    entered, may_go_on = threading.Event(), threading.Event()

    def wait(provider: str) -> bytes:
        parts.called.append(provider)
        entered.set()
        assert may_go_on.wait(60)
        return b"answer"

    async def wait_async(provider: str) -> bytes:
        return await asyncio.to_thread(wait, provider)

    async def main() -> list[bytes]:
        calls = [asyncio.create_task(parts.caller().call_async(wait_async, key="key")) for _ in range(30)]
        await until(lambda: watched(asyncio.get_running_loop()) >= 29)
        check()
        return await asyncio.gather(*calls)

    def check() -> None:
        assert entered.wait(60)
        assert (parts.gate.inspect().depth, parts.dedup.inspect().in_progress) == (1, 1)
        may_go_on.set()

    if is_async:
        answers = asyncio.run(asyncio.wait_for(main(), 60))
    else:
        with ThreadPoolExecutor(30) as threads:
            calls = [threads.submit(parts.caller().call, wait, key="key") for _ in range(30)]
            while parts.dedup.inspect().waiting < 29:
                pass
            check()
            answers = [call.result(60) for call in calls]
    assert (answers, len(parts.called)) == ([b"answer"] * 30, 1)


@either_way
def test_when_the_call_fails_one_of_those_who_wait_makes_it(parts: Parts, is_async: bool) -> None:
    parts.script = [OSError("its own"), b"answer"]
    caller = parts.caller(retry=None)
    if is_async:

        async def main() -> list[Any]:
            calls = [asyncio.create_task(caller.call_async(parts.function_async, key="key")) for _ in range(20)]
            return await asyncio.gather(*calls, return_exceptions=True)

        ended = asyncio.run(asyncio.wait_for(main(), 60))
    else:
        begin = threading.Barrier(20)

        def call() -> Any:
            begin.wait(60)
            try:
                return caller.call(parts.function, key="key")
            except OSError as error:
                return error

        with ThreadPoolExecutor(20) as threads:
            ended = list(threads.map(lambda _: call(), range(20)))
    assert len(parts.called) == 2
    assert sorted(map(str, ended)) == [str(b"answer")] * 19 + ["its own"]


def test_fifty_threads_never_exceed_the_capacity_of_the_gate(parts: Parts, switching_often: None) -> None:
    gate, inside, most = trip.Gate(capacity=5), 0, 0
    counting, begin = threading.Lock(), threading.Barrier(50)

    def work(provider: str) -> bytes:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        with counting:
            inside -= 1
            if inside % 2:
                raise OSError
        return b""

    def call() -> int:
        begin.wait(60)
        shed = 0
        for _ in range(10):
            try:
                parts.caller(gate=gate, dedup=None).call(work)
            except trip.Shed:
                shed += 1
            except OSError:
                pass
        return shed

    with ThreadPoolExecutor(50) as threads:
        shed = sum(threads.map(lambda _: call(), range(50)))
    info = gate.inspect()
    assert 1 <= most <= 5
    assert (info.depth, info.shed, info.acquired, info.released) == (0, shed, 500 - shed, 500 - shed)


@each_composition
def test_retries_cannot_multiply_an_outage(permits: Permits) -> None:
    """Real requests over a socket, all of which fail: those that arrive are counted where they arrive."""
    calls, burst, threads = 200, 10, 8
    with trip.Tracker(failure_threshold=10**6) as tracker, serving() as provider:
        provider.status = 503
        retry = trip.Retry(base_delay=0.0001, max_attempts=5, budget_ratio=0.1, budget_burst=burst)
        caller = trip.Caller(tracker.circuit("acme", "openai"), retry=retry, permits=permits, classify=classify)

        def call(n: int) -> None:
            with pytest.raises(Exception, match="503"):
                caller.call(lambda _: provider.ask(f"/{n}"))

        with ThreadPoolExecutor(threads) as running:
            list(running.map(call, range(calls)))
        assert calls + calls // 20 < provider.requests <= 1.1 * calls + burst
        info = tracker.circuit("acme", "openai").inspect()
        assert info.failures_total == (provider.requests if permits == "attempt" else calls)


def test_real_answers_come_back_and_are_known(parts: Parts) -> None:
    with serving() as provider:
        caller = parts.caller(classify=classify)
        answers = {caller.call(lambda _: provider.ask("/question"), key="question") for _ in range(3)}
        assert (answers, provider.requests) == ({b"answer to /question"}, 1)


# ---- Cancellation


def cancelling(parts: Parts, call: Callable[[], Any], reached: Callable[[], bool]) -> None:
    """Cancel a call where it is when something comes true; what it leaves is seen at once."""

    async def main() -> None:
        before = watched(asyncio.get_running_loop())
        task = asyncio.ensure_future(call())
        await until(reached)
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert watched(asyncio.get_running_loop()) == before

    asyncio.run(asyncio.wait_for(main(), 60))


async def for_ever(provider: str) -> bytes:
    await asyncio.sleep(3600)
    return b""


@each_composition
def test_cancelled_inside_the_function(parts: Parts, permits: Permits) -> None:
    cancelling(
        parts,
        lambda: parts.caller(permits).call_async(for_ever, key="key"),
        lambda: parts.out() == {**NOTHING, "places": 1, "tickets": 1, "permits": 1, "descriptors": 3},
    )
    assert ({**parts.out(), "descriptors": 0}, parts.counts()) == (NOTHING, {"cancels": 1})


@each_composition
def test_cancelled_before_a_retry(parts: Parts, permits: Permits) -> None:
    retry = trip.Retry(base_delay=3600, max_delay=3600, jitter=trip.Jitter.NONE)
    parts.script = [OSError()]
    cancelling(
        parts,
        lambda: parts.caller(permits, retry=retry).call_async(parts.function_async, key="key"),
        lambda: retry.inspect("a").retries == 1,
    )
    assert parts.out() == NOTHING
    assert parts.counts() == ({"failures": 1} if permits == "attempt" else {"cancels": 1})


@each_composition
def test_cancelled_while_another_makes_the_call(parts: Parts, permits: Permits) -> None:
    ticket = parts.dedup.check("key")
    assert isinstance(ticket, trip.Ticket)
    cancelling(
        parts,
        lambda: parts.caller(permits).call_async(parts.function_async, key="key"),
        lambda: watched(asyncio.get_running_loop()) > 1,
    )
    assert (parts.out()["places"], parts.called) == (0, [])
    assert ticket.drop()


@each_composition
def test_who_makes_the_call_is_cancelled_while_many_wait(parts: Parts, permits: Permits) -> None:
    async def main() -> None:
        caller, before = parts.caller(permits), watched(asyncio.get_running_loop())
        first = asyncio.create_task(caller.call_async(for_ever, key="key"))
        await until(lambda: parts.dedup.inspect().in_progress == 1)
        parts.script = [b"answer"]
        others = [asyncio.create_task(caller.call_async(parts.function_async, key="key")) for _ in range(20)]
        await until(lambda: watched(asyncio.get_running_loop()) == before + 20)
        others[3].cancel()
        first.cancel()
        others[5].cancel()
        ended = await asyncio.gather(first, *others, return_exceptions=True)
        assert [type(each) for each in ended].count(asyncio.CancelledError) == 3
        assert ended.count(b"answer") == 18
        assert (len(parts.called), watched(asyncio.get_running_loop())) == (1, before)

    asyncio.run(asyncio.wait_for(main(), 60))


@each_composition
def test_cancelled_at_any_step(permits: Permits) -> None:
    """A call that meets with everything there is, cancelled after 0, 1, 2 ... turns of the loop."""
    seen: set[tuple[int, int, int]] = set()  # waits for another, has a place, has been made so often

    async def cancel_after(turns: int, parts: Parts) -> bool:
        loop, held = asyncio.get_running_loop(), parts.dedup.check("key")
        assert isinstance(held, trip.Ticket)
        before = watched(loop)
        call = asyncio.create_task(parts.caller(permits, retry=retry).call_async(parts.function_async, key="key"))
        for turn in range(turns):
            if turn == 3:
                held.fail()
            await asyncio.sleep(0)
        seen.add((watched(loop) - before, parts.gate.inspect().depth, len(parts.called)))
        is_over = not call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (watched(loop), is_over or call.cancelled()) == (before, True)
        return is_over

    for turns in range(100):
        retry = trip.Retry(base_delay=0)
        with made() as parts:
            parts.script = [OSError(), OSError(), b"answer"]
            is_over = asyncio.run(asyncio.wait_for(cancel_after(turns, parts), 60))
        if is_over:
            break
    assert is_over
    assert seen >= {(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 0, 3)}


# ---- When the library fails


@either_way
@pytest.mark.parametrize(
    ("function", "status"),
    [
        ("trip_dedup_check", "TRIP_E_NOMEM"),
        ("trip_dedup_wait", "TRIP_E_CAPACITY"),
        ("trip_gate_acquire", "TRIP_E_CAPACITY"),
        ("trip_retry_begin", "TRIP_E_NOMEM"),
        ("trip_route_permit", "TRIP_E_NOMEM"),
    ],
)
def test_a_call_goes_on_without_the_part_that_fails(
    parts: Parts,
    is_async: bool,
    function: str,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if function.startswith("trip_dedup"):
        function = "trip_dedup_check" if is_async else "trip_dedup_wait"
    number = {"TRIP_E_NOMEM": -4, "TRIP_E_CAPACITY": -5}[status]
    monkeypatch.setattr(library, function, lambda *_: number)
    parts.script = [OSError("its own"), b"answer"]
    caller = parts.caller()
    for _ in range(2):
        parts.called.clear()
        if function == "trip_retry_begin":
            with pytest.raises(OSError, match="its own"):
                parts.run(caller, is_async, key="key")
            assert parts.called == ["a"]
        else:
            assert parts.run(caller, is_async, key="key") == b"answer"
            assert parts.called == ["a", "b"]
        parts.dedup.forget("key")
    assert len([each for each in caplog.messages if status in each]) == 1
    monkeypatch.undo()


@either_way
@pytest.mark.parametrize("part", ["retry", "dedup", "gate", "route", "tracker"])
def test_a_closed_part_is_an_error(is_async: bool, part: str) -> None:
    parts = Parts()
    parts.script = [b"answer"]
    getattr(parts, part).close()
    with pytest.raises(trip.Error) as raised:
        parts.run(parts.caller(), is_async, key="key")
    assert (raised.value.name, parts.called) == ("TRIP_E_HANDLE", [])
    if part not in ("dedup", "tracker"):
        assert parts.dedup.inspect().in_progress == 0
    if part not in ("gate", "tracker"):
        assert parts.gate.inspect().depth == 0
    parts.tracker.close()


@each_composition
@either_way
def test_a_circuit_that_is_gone_lets_calls_through(
    parts: Parts, permits: Permits, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with trip.Tracker() as tracker:
        circuit = tracker.circuit("acme", "openai")
    parts.script = [OSError(), b"answer"]
    assert parts.run(parts.caller(permits, to=circuit), is_async) == b"answer"
    assert (parts.called, caplog.text.count("TRIP_E_HANDLE")) == (["openai", "openai"], 1)


def test_a_value_that_cannot_be_kept_is_the_callers_all_the_same(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def close_and_answer(provider: str) -> bytes:
        dedup.close()
        return b"answer"

    dedup = trip.Dedup()
    assert parts.caller(dedup=dedup).call(close_and_answer, key="key") == b"answer"
    assert "TRIP_E_HANDLE" in caplog.text


# ---- What is wrong


def test_wrong_parts_are_refused(parts: Parts) -> None:
    for wrong in None, "openai", parts.tracker:
        with pytest.raises(TypeError, match="a caller calls"):
            trip.Caller(wrong)  # type: ignore[arg-type]
    for part in "retry", "dedup", "gate":
        wrong_part: dict[str, Any] = {part: parts.tracker}
        with pytest.raises(TypeError, match=part):
            parts.caller(**wrong_part)
    with pytest.raises(TypeError, match="classify"):
        parts.caller(classify=1)
    for permits in "both", "", None, 1:
        with pytest.raises(ValueError, match="permits"):
            parts.caller(permits)  # type: ignore[arg-type]


def test_wrong_calls_are_refused(parts: Parts) -> None:
    parts.script = [b"answer"]
    caller = parts.caller()
    with pytest.raises(TypeError, match="call_async"):
        caller.call(parts.function_async)  # type: ignore[unused-coroutine]
    with pytest.raises(TypeError, match="go together"):
        caller.call(parts.function, key="key", encode=bytes)  # type: ignore[call-overload]
    for wrong in 1, ["key"]:
        with pytest.raises(TypeError, match="key"):
            caller.call(parts.function, key=wrong)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="session"):
            caller.call(parts.function, session=wrong)  # type: ignore[call-overload]
    for options in {"key": "x" * 65537}, {"session": "x" * 256}:
        with pytest.raises(trip.Error) as raised:
            caller.call(parts.function, **options)
        assert raised.value.name == "TRIP_E_INVALID"
    assert parts.called == []


def test_a_caller_shows_what_it_calls(parts: Parts) -> None:
    assert repr(parts.caller()) == f"<trip.Caller to={parts.route!r}>"
