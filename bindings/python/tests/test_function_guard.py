"""A function of C is called through its circuit: by its result the circuit opens, and then it is not called."""

from __future__ import annotations

import ctypes
import errno
import gc
import math
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

import trip
from trip import _callbacks
from trip._library import library

LIBC = ctypes.CDLL(None, use_errno=True)
LIBM = ctypes.CDLL("libm.so.6")


def made(result: Any, *parameters: Any) -> Callable[[Callable[..., Any]], Any]:
    """A function of C that calls one of Python's."""
    return ctypes.CFUNCTYPE(result, *parameters)


def guarded(circuit: trip.Circuit, function: Any, signature: str, **options: Any) -> trip.FunctionGuard:
    return trip.FunctionGuard(circuit, function, signature, **options)


# ---- Calls


def test_a_function_is_called_and_its_result_decides(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    guard = guarded(circuit, LIBC.atoi, "int32 (pointer)")
    assert (guard.call(b"42"), circuit.inspect().successes) == (42, 1)
    assert (guard.call(b"-4"), circuit.inspect().state) == (-4, trip.State.OPEN)
    with pytest.raises(trip.CircuitOpen) as raised:
        guard.call(b"42")
    refused = raised.value
    assert (refused.tenant, refused.provider, refused.retry_after) == ("acme", "openai", 30.0)
    tracker.advance(30)
    assert (guard.call(b"1"), circuit.inspect().state) == (1, trip.State.CLOSED)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("int8", ctypes.c_int8, [-128, -1, 127]),
        ("uint8", ctypes.c_uint8, [0, 255]),
        ("int16", ctypes.c_int16, [-(2**15), -1, 2**15 - 1]),
        ("uint16", ctypes.c_uint16, [0, 2**16 - 1]),
        ("int32", ctypes.c_int32, [-(2**31), -1, 2**31 - 1]),
        ("uint32", ctypes.c_uint32, [0, 2**32 - 1]),
        ("int64", ctypes.c_int64, [-(2**63), -1, 2**63 - 1]),
        ("uint64", ctypes.c_uint64, [0, 2**64 - 1]),
        ("float", ctypes.c_float, [-1.5, 0.0, math.inf]),
        ("double", ctypes.c_double, [-1.1, 0.0, math.inf]),
        ("pointer", ctypes.c_void_p, [None, 1, 2**64 - 1]),
    ],
)
def test_values_of_every_type_pass_unharmed(circuit: trip.Circuit, name: str, kind: Any, values: list[Any]) -> None:
    def same(first: Any, value: Any) -> Any:
        return value

    function = made(kind, ctypes.c_int8, kind)(same)
    guard = guarded(circuit, function, f"{name} (int8, {name})", rule=trip.Rule.CLASSIFIER, classify=lambda *_: 0)
    for value in values:
        assert guard.call(-1, value) == value
        assert guard.pointer(-1, value) == value
    assert circuit.inspect().successes == 2 * len(values)


@pytest.mark.parametrize("kind", [ctypes.c_int8, ctypes.c_int16, ctypes.c_int32, ctypes.c_int64])
def test_a_narrow_result_below_zero_fails(tracker: trip.Tracker, kind: Any) -> None:
    name = f"int{8 * ctypes.sizeof(kind)}"
    guard = guarded(tracker.circuit("acme", name), made(kind)(lambda: -1), f"{name} ()")
    assert guard.call() == -1
    with pytest.raises(trip.CircuitOpen):
        guard.call()
    assert guard.pointer() == -1


def test_nothing_and_null_are_arguments_and_results(circuit: trip.Circuit) -> None:
    seen: list[Any] = []

    def classify(result: Any, _: int) -> trip.StatusClass:
        seen.append(result)
        return trip.StatusClass.SUCCESS

    nothing = guarded(
        circuit,
        made(None, ctypes.c_void_p)(seen.append),
        "void (pointer)",
        rule=trip.Rule.CLASSIFIER,
        classify=classify,
    )
    assert (nothing.call(None), nothing.pointer(None)) == (None, None)
    assert seen == [None] * 4
    null = guarded(circuit, made(ctypes.c_void_p)(lambda: None), "pointer ()", rule=trip.Rule.ZERO_FAILS)
    assert null.call() is None
    with pytest.raises(trip.CircuitOpen):
        null.call()


def test_pointers_may_be_whatever_ctypes_has(circuit: trip.Circuit) -> None:
    length = guarded(circuit, LIBC.strlen, "uint64 (pointer)", rule=trip.Rule.CLASSIFIER, classify=lambda *_: 0)
    text = ctypes.create_string_buffer(b"four")
    address = ctypes.addressof(text)
    for given in b"four", text, ctypes.c_char_p(b"four"), ctypes.pointer(text), address, ctypes.c_void_p(address):
        assert length.call(given) == 4
    number = ctypes.c_int32(7)
    read = made(ctypes.c_int32, ctypes.c_void_p)(lambda at: ctypes.c_int32.from_address(at).value)
    assert guarded(circuit, read, "int32 (pointer)").call(ctypes.byref(number)) == 7


def test_many_arguments_pass(circuit: trip.Circuit) -> None:
    function = made(ctypes.c_double, *([ctypes.c_double, ctypes.c_uint8] * 8))(lambda *given: sum(given))
    parameters = ", ".join(["double, uint8"] * 8)
    numbers = [n + 0.5 if n % 2 == 0 else n for n in range(16)]
    assert guarded(circuit, function, f"double ({parameters})").call(*numbers) == sum(numbers)


def test_a_function_may_be_given_by_its_address(circuit: trip.Circuit) -> None:
    address = ctypes.cast(LIBC.abs, ctypes.c_void_p).value
    guard = guarded(circuit, address, "int32 (int32)")
    assert (guard.call(-3), guard.pointer(-4)) == (3, 4)
    assert guarded(circuit, LIBM.fabs, " double(double )").call(-1.5) == 1.5


def test_the_errno_of_the_function_can_be_read(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    close = guarded(circuit, LIBC.close, "int32 (int32)", rule=trip.Rule.ERRNO, refused_errno=errno.EBUSY)
    ctypes.set_errno(0)
    assert (close.call(-1), ctypes.get_errno()) == (-1, errno.EBADF)
    circuit.trip()
    assert (close.pointer(-1), ctypes.get_errno()) == (-1, errno.EBUSY)


def test_a_guard_may_be_entered_again(circuit: trip.Circuit) -> None:
    def factorial(n: int) -> int:
        return 1 if n == 0 else n * int(guard.call(n - 1))

    function = made(ctypes.c_int64, ctypes.c_int64)(factorial)
    guard = guarded(circuit, function, "int64 (int64)")
    assert (guard.call(12), circuit.inspect().permits) == (479001600, 13)


# ---- Judging


@pytest.mark.parametrize(
    ("rule", "result", "fails"),
    [
        (trip.Rule.NEGATIVE_FAILS, -1, True),
        (trip.Rule.NEGATIVE_FAILS, 0, False),
        (trip.Rule.ZERO_SUCCEEDS, 1, True),
        (trip.Rule.ZERO_SUCCEEDS, 0, False),
        (trip.Rule.ZERO_FAILS, 0, True),
        (trip.Rule.ZERO_FAILS, 1, False),
    ],
)
def test_the_rule_says_what_a_failure_is(circuit: trip.Circuit, rule: trip.Rule, result: int, fails: bool) -> None:
    guarded(circuit, made(ctypes.c_int32)(lambda: result), "int32 ()", rule=rule).call()
    assert (circuit.inspect().state is trip.State.OPEN) is fails


def test_a_classifier_gets_the_result_and_the_errno(circuit: trip.Circuit) -> None:
    seen: list[Any] = []

    def classify(result: Any, error_number: int) -> trip.StatusClass:
        seen.append((result, error_number))
        return trip.StatusClass.AUTH

    guard = guarded(circuit, LIBC.close, "int32 (int32)", rule=trip.Rule.CLASSIFIER, classify=classify)
    assert guard.call(-1) == -1
    assert (seen, circuit.inspect().successes) == ([(-1, errno.EBADF)], 1)


@pytest.mark.parametrize("said", [None, "TIMEOUT", -1, 2**32, 1.5, True])
def test_a_classifier_that_says_nothing_sensible_is_reported(
    circuit: trip.Circuit, caplog: pytest.LogCaptureFixture, said: Any
) -> None:
    guard = guarded(circuit, LIBC.abs, "int32 (int32)", rule=trip.Rule.CLASSIFIER, classify=lambda *_: said)
    assert (guard.call(-1), circuit.inspect().cancels) == (1, 1)
    assert "could not classify" in caplog.text


def test_a_classifier_that_raises_is_reported(circuit: trip.Circuit, caplog: pytest.LogCaptureFixture) -> None:
    def classify(*_: object) -> trip.StatusClass:
        raise OSError("its own")

    guard = guarded(circuit, LIBC.abs, "int32 (int32)", rule=trip.Rule.CLASSIFIER, classify=classify)
    assert (guard.call(-1), circuit.inspect().cancels) == (1, 1)
    assert "its own" in caplog.text


# ---- Pointers


def test_a_pointer_is_a_function_of_the_same_type(circuit: trip.Circuit) -> None:
    def difference(a: int, b: int) -> int:
        return ctypes.c_int8.from_address(a).value - ctypes.c_int8.from_address(b).value

    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(difference)
    sort = LIBC.qsort
    guard = guarded(circuit, compare, "int32 (pointer, pointer)", rule=trip.Rule.CLASSIFIER, classify=lambda *_: 0)
    pointer = guard.pointer
    assert type(pointer) is type(compare)
    numbers = (ctypes.c_int8 * 6)(3, -1, 2, 0, -5, 1)
    sort(numbers, ctypes.c_size_t(6), ctypes.c_size_t(1), pointer)
    assert (list(numbers), circuit.inspect().permits > 5) == ([-5, -1, 0, 1, 2, 3], True)


def test_a_pointer_answers_for_a_circuit_that_refuses(circuit: trip.Circuit) -> None:
    circuit.trip()
    whole = guarded(circuit, LIBC.abs, "int32 (int32)", refused_result=-77)
    assert whole.pointer(1) == -77
    LIBM.fabs.restype = ctypes.c_double
    broken = guarded(circuit, LIBM.fabs, "double (double)", refused_result=math.inf)
    assert broken.pointer(ctypes.c_double(1)) == math.inf
    nan = guarded(circuit, LIBM.fabs, "double (double)", refused_result=math.nan)
    assert math.isnan(nan.pointer(ctypes.c_double(1)))


def test_a_pointer_calls_unasked_when_its_guard_is_closed(circuit: trip.Circuit) -> None:
    guard = guarded(circuit, LIBC.abs, "int32 (int32)")
    pointer = guard.pointer
    circuit.trip()
    assert pointer(-1) == -1
    assert (guard.close(), guard.close()) == (True, False)
    assert pointer(-3) == 3
    uses: list[Callable[[], Any]] = [lambda: guard.call(1), lambda: guard.pointer]
    for use in uses:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"


def test_a_pointer_keeps_its_guard_and_its_function(circuit: trip.Circuit) -> None:
    def pointer() -> Any:
        return guarded(circuit, made(ctypes.c_int32)(lambda: 42), "int32 ()").pointer

    kept = pointer()
    gc.collect()
    assert (kept(), circuit.inspect().permits) == (42, 1)
    address = ctypes.cast(kept, ctypes.c_void_p).value
    assert address is not None
    del kept
    gc.collect()
    assert ctypes.CFUNCTYPE(ctypes.c_int32)(address)() == 42  # some program of C may still have it
    assert circuit.inspect().permits == 1


# ---- What is wrong


@pytest.mark.parametrize(
    ("signature", "name"),
    [
        ("", "TRIP_E_INVALID"),
        ("int32", "TRIP_E_INVALID"),
        ("int (int32)", "TRIP_E_INVALID"),
        ("int32 (int32", "TRIP_E_INVALID"),
        ("int32 (void, int32)", "TRIP_E_INVALID"),
        ("int32 (...)", "TRIP_E_UNSUPPORTED"),
        ("int32 (struct point)", "TRIP_E_UNSUPPORTED"),
        ("x" * 5000, "TRIP_E_INVALID"),
    ],
)
def test_a_signature_that_is_none_says_why(circuit: trip.Circuit, signature: str, name: str) -> None:
    with pytest.raises(trip.Error, match=r"signature|variadic|struct") as raised:
        guarded(circuit, LIBC.abs, signature)
    assert raised.value.name == name


def test_rules_that_do_not_fit_are_refused(circuit: trip.Circuit) -> None:
    before = len(_callbacks._kept)
    wrong: list[dict[str, Any]] = [
        {"signature": "void ()", "rule": trip.Rule.ZERO_FAILS},
        {"signature": "uint32 ()"},
        {"signature": "int32 ()", "rule": trip.Rule.CLASSIFIER},
        {"signature": "int32 ()", "classify": lambda *_: 0},
        {"signature": "int32 ()", "rule": 5},
    ]
    for each in wrong:
        with pytest.raises(trip.ConfigError) as raised:
            guarded(circuit, LIBC.abs, **each)
        assert raised.value.field == "rule"
    assert len(_callbacks._kept) == before


def test_what_is_no_function_circuit_or_text_is_refused(circuit: trip.Circuit) -> None:
    for wrong in None, "abs", abs, True, object():
        with pytest.raises(TypeError, match="function"):
            guarded(circuit, wrong, "int32 (int32)")
    for address in 0, -1, 2**64:
        with pytest.raises(ValueError, match="function"):
            guarded(circuit, address, "int32 (int32)")
    with pytest.raises(TypeError, match="interpreter's lock"):
        guarded(circuit, ctypes.pythonapi.Py_IsInitialized, "int32 ()")
    with pytest.raises(TypeError, match="circuit"):
        guarded("acme", LIBC.abs, "int32 (int32)")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="signature"):
        guarded(circuit, LIBC.abs, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="classify"):
        guarded(circuit, LIBC.abs, "int32 (int32)", classify=1)


def test_arguments_that_do_not_fit_never_reach_c(circuit: trip.Circuit) -> None:
    guard = guarded(circuit, LIBC.abs, "int32 (int32)")
    value: Any
    for wrong in (), (1, 2):
        with pytest.raises(TypeError, match="takes 1 arguments"):
            guard.call(*wrong)
    for value in 2**31, -(2**31) - 1, 1.5, "1", None, True:
        with pytest.raises((TypeError, ValueError), match="argument 0"):
            guard.call(value)
    pointer = guarded(circuit, LIBC.strlen, "uint64 (pointer)", rule=trip.Rule.ZERO_FAILS)
    for value in "text", 1.5, True, -1, 2**64, ctypes.c_int32(1), [b"x"]:
        with pytest.raises((TypeError, ValueError), match="argument 0"):
            pointer.call(value)
    number = guarded(circuit, LIBM.fabs, "double (double)")
    for value in "1", None, True, b"1":
        with pytest.raises(TypeError, match="argument 0"):
            number.call(value)
    assert circuit.inspect().permits == 0


# ---- Its life


def test_a_guard_that_is_closed_while_a_call_is_inside_is_safe(circuit: trip.Circuit) -> None:
    entered, may_go_on, judged = threading.Event(), threading.Event(), []

    def wait() -> int:
        entered.set()
        assert may_go_on.wait(60)
        return 7

    def classify(result: Any, _: int) -> trip.StatusClass:
        judged.append(result)
        return trip.StatusClass.SUCCESS

    kept = weakref.ref(classify)
    guard = guarded(circuit, made(ctypes.c_int32)(wait), "int32 ()", rule=trip.Rule.CLASSIFIER, classify=classify)
    del classify
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(guard.call)
        assert entered.wait(60)
        assert guard.close()
        gc.collect()
        assert kept() is not None
        may_go_on.set()
        assert call.result(60) == 7
    gc.collect()
    assert (judged, kept(), circuit.inspect().successes) == ([7], None, 1)


def test_a_guard_that_is_collected_lets_its_classifier_go() -> None:
    with trip.Tracker() as tracker:

        def classify(*_: object) -> trip.StatusClass:
            return trip.StatusClass.SUCCESS

        kept, of_tracker = weakref.ref(classify), weakref.ref(tracker)
        circuit = tracker.circuit("acme", "libc")
        guard = guarded(circuit, LIBC.abs, "int32 (int32)", rule=trip.Rule.CLASSIFIER, classify=classify)
        handle = guard.handle
        del classify, circuit
        gc.collect()
        assert (kept() is not None, guard.call(-1)) == (True, 1)
        del guard
        gc.collect()
        assert kept() is None
        assert library.trip_guard_destroy(handle) < 0
        assert of_tracker() is tracker


def test_a_circuit_that_was_removed_is_made_anew(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    guard = guarded(circuit, LIBC.abs, "int32 (int32)")
    guard.call(1)
    circuit.remove()
    assert (guard.call(-2), tracker.circuit("acme", "openai").inspect().permits) == (2, 1)
    circuit.remove()
    assert guarded(circuit, LIBC.abs, "int32 (int32)").call(-2) == 2


def test_a_library_without_libffi_says_so(circuit: trip.Circuit, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(_callbacks._kept)
    monkeypatch.setattr(library, "trip_guard_create", lambda *_: -8)
    with pytest.raises(trip.Error) as raised:
        guarded(circuit, LIBC.abs, "int32 (int32)", rule=trip.Rule.CLASSIFIER, classify=lambda *_: 0)
    assert (raised.value.name, len(_callbacks._kept)) == ("TRIP_E_UNSUPPORTED", before)


def test_guards_end_with_the_interpreter() -> None:
    program = """
import ctypes, threading, time, trip
tracker = trip.Tracker()
guard = trip.FunctionGuard(
    tracker.circuit("a", "b"), ctypes.CDLL(None).abs, "int32 (int32)",
    rule=trip.Rule.CLASSIFIER, classify=lambda *_: tracker and trip.StatusClass.SUCCESS,
)
guard.me, pointer = guard, guard.pointer
def call():
    while True:
        pointer(-1)
threading.Thread(target=call, daemon=True).start()
time.sleep(0.01)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_guard_shows_which_it_is_and_stays_here(circuit: trip.Circuit) -> None:
    guard = guarded(circuit, LIBC.abs, "int32 (int32)")
    assert repr(guard) == f"<trip.FunctionGuard {guard.handle:#x}>"
    with pytest.raises(TypeError, match="in this process"):
        pickle.dumps(guard)
