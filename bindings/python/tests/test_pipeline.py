"""Bytes pass through the stages in order; a stage that raises is named, and nothing is raised through C."""

from __future__ import annotations

import ctypes
import gc
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


class Coded(Exception):
    def __init__(self, code: Any) -> None:
        super().__init__(code)
        self.code = code


def failing(error: BaseException) -> Callable[[bytes], bytes]:
    def stage(given: bytes) -> bytes:
        raise error

    return stage


def test_bytes_pass_through_all_stages_in_order() -> None:
    pipeline = trip.Pipeline([("upper", bytes.upper), (b"reverse", lambda given: given[::-1])])
    pipeline.add("append", lambda given: bytearray(given + b"\0!"))  # type: ignore[arg-type,return-value]
    assert pipeline.stages == 3
    assert pipeline.run(b"abc\0") == b"\0CBA\0!"
    assert pipeline.run(bytearray(b"x")) == pipeline.run(memoryview(b"x")) == b"X\0!"


def test_an_empty_pipeline_gives_back_what_it_was_given() -> None:
    pipeline = trip.Pipeline()
    assert (pipeline.stages, pipeline.run(b"as it is\0"), pipeline.run(b"")) == (0, b"as it is\0", b"")


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 10**6])
def test_bytes_of_any_length_pass(length: int) -> None:
    given = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    assert trip.Pipeline([("as it is", lambda each: each), ("again", lambda each: each)]).run(given) == given


def test_a_stage_that_fails_is_named_and_the_last_that_runs() -> None:
    own, ran = ValueError("its own"), list[bytes]()
    pipeline = trip.Pipeline([("first", bytes.upper), (b"\xff\0wrong", failing(own)), ("last", ran.append)])  # type: ignore[list-item]
    with pytest.raises(trip.StageFailed) as raised:
        pipeline.run(b"abc")
    failed = raised.value
    assert (failed.stage, failed.name, failed.code, failed.__cause__) == (1, "\udcff\0wrong", -1, own)
    assert ran == []
    assert str(failed) == "stage 1, '\\udcff\\x00wrong', has failed with code -1"
    assert pickle.loads(pickle.dumps(failed)).args == failed.args
    assert pipeline.stages == 3


@pytest.mark.parametrize(
    ("code", "told"),
    [(7, 7), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1), (0, -1), (2**31, -1), (True, -1), ("7", -1), (None, -1)],
)
def test_the_code_of_an_exception_is_that_of_the_failure(code: Any, told: int) -> None:
    with pytest.raises(trip.StageFailed) as raised:
        trip.Pipeline([("coded", failing(Coded(code)))]).run(b"")
    assert raised.value.code == told


def test_a_code_that_cannot_be_read_is_none() -> None:
    class Unreadable(Exception):
        @property
        def code(self) -> int:
            raise OSError

    with pytest.raises(trip.StageFailed) as raised:
        trip.Pipeline([("coded", failing(Unreadable()))]).run(b"")
    assert raised.value.code == -1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_what_is_no_exception_goes_on_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        trip.Pipeline([("ends", failing(error))]).run(b"")
    assert raised.value is error


@pytest.mark.parametrize("wrong", [None, "text", 7, [b"bytes"]])
def test_what_is_no_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes bytes"):
        trip.Pipeline().run(wrong)
    with pytest.raises(trip.StageFailed) as raised:
        trip.Pipeline([("wrong", lambda given: wrong)]).run(b"")
    assert isinstance(raised.value.__cause__, TypeError)
    with pytest.raises(TypeError, match="a stage must be"):
        trip.Pipeline([("wrong", wrong)])


def test_wrong_names_are_refused_and_nothing_is_kept() -> None:
    pipeline, before = trip.Pipeline(), len(_callbacks._kept)
    with pytest.raises(TypeError, match="name"):
        pipeline.add(1, bytes.upper)  # type: ignore[arg-type]
    with pytest.raises(trip.Error) as raised:
        pipeline.add("x" * 256, bytes.upper)
    assert raised.value.name == "TRIP_E_INVALID"
    assert (pipeline.stages, len(_callbacks._kept)) == (0, before)
    for _ in range(1024):
        pipeline.add("", bytes.upper)
    with pytest.raises(trip.Error) as raised:
        pipeline.add("one too many", bytes.upper)
    assert (raised.value.name, len(_callbacks._kept)) == ("TRIP_E_CAPACITY", before + 1024)
    assert pipeline.run(b"a") == b"A"
    pipeline.close()
    assert len(_callbacks._kept) == before


def test_a_stage_may_run_its_own_pipeline() -> None:
    pipeline = trip.Pipeline()

    def halve(given: bytes) -> bytes:
        if len(given) < 2:
            return given
        middle = len(given) // 2
        return pipeline.run(given[middle:]) + pipeline.run(given[:middle])

    pipeline.add("reverse", halve)
    assert pipeline.run(bytes(range(100))) == bytes(reversed(range(100)))


def test_each_run_has_its_own_failure() -> None:
    inner = trip.Pipeline([("inner", failing(Coded(5)))])
    outer = trip.Pipeline([("outer", inner.run)])
    with pytest.raises(trip.StageFailed) as raised:
        outer.run(b"")
    assert (raised.value.name, raised.value.code) == ("outer", 5)
    cause = raised.value.__cause__
    assert isinstance(cause, trip.StageFailed)
    assert (cause.name, cause.code, type(cause.__cause__)) == ("inner", 5, Coded)

    def tolerant(given: bytes) -> bytes:
        with pytest.raises(trip.StageFailed):
            inner.run(given)
        return given

    assert trip.Pipeline([("tolerant", tolerant)]).run(b"goes on") == b"goes on"
    last = trip.Pipeline([("tolerant", tolerant), ("fails", failing(OSError("last")))])
    with pytest.raises(trip.StageFailed) as raised:
        last.run(b"")
    assert (raised.value.stage, str(raised.value.__cause__)) == (1, "last")


def test_many_threads_run_a_pipeline_at_once(switching_often: None) -> None:
    def odd(given: bytes) -> bytes:
        if given[0] % 2:
            raise Coded(given[0])
        return given * 2

    pipeline = trip.Pipeline([("odd", odd)])

    def run(n: int) -> int:
        try:
            assert pipeline.run(bytes([n])) == bytes([n, n])
        except trip.StageFailed as failed:
            return failed.code
        return 0

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, range(200))) == [n * (n % 2) for n in range(200)]


def test_a_run_goes_on_when_the_pipeline_is_closed_and_its_stages_live_until_then() -> None:
    entered, may_go_on = threading.Event(), threading.Event()

    class Stage:
        def __call__(self, given: bytes) -> bytes:
            entered.set()
            assert may_go_on.wait(60)
            return given + b"!"

    stage = Stage()
    kept = weakref.ref(stage)
    pipeline = trip.Pipeline([("slow", stage), ("upper", bytes.upper)])
    del stage
    with ThreadPoolExecutor(1) as threads:
        runs = threads.submit(pipeline.run, b"a")
        assert entered.wait(60)
        assert pipeline.close()
        gc.collect()
        assert kept() is not None
        with pytest.raises(trip.Error) as raised:
            pipeline.run(b"a")
        assert raised.value.name == "TRIP_E_HANDLE"
        may_go_on.set()
        assert runs.result(60) == b"A!"
    del runs
    gc.collect()
    assert kept() is None


def test_a_pipeline_that_is_collected_lets_its_stages_go() -> None:
    class Stage:
        def __call__(self, given: bytes) -> bytes:
            return given

    stage = Stage()
    kept, before = weakref.ref(stage), len(_callbacks._kept)
    pipeline = trip.Pipeline([("stage", stage)])
    handle = pipeline.handle
    del stage
    assert (kept() is not None, len(_callbacks._kept)) == (True, before + 1)
    del pipeline
    gc.collect()
    assert (kept(), len(_callbacks._kept)) == (None, before)
    assert library.trip_pipeline_destroy(handle) < 0


def test_a_closed_pipeline_is_an_error() -> None:
    pipeline = trip.Pipeline()
    assert (pipeline.close(), pipeline.close()) == (True, False)
    uses: list[Callable[[], Any]] = [
        lambda: pipeline.run(b""),
        lambda: pipeline.stages,
        lambda: pipeline.add("", bytes.upper),
    ]
    for use in uses:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"


def test_no_output_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run, outputs = library.trip_pipeline_run, []

    def run_and_tell(*arguments: Any) -> int:
        status = run(*arguments)
        outputs.append(arguments[3]._obj.value)
        return status

    monkeypatch.setattr(library, "trip_pipeline_run", run_and_tell)
    pipeline, read = trip.Pipeline([("first", lambda given: given[:1])]), library.trip_output_read
    assert pipeline.run(b"xyz") == b"x"
    monkeypatch.setattr(library, "trip_output_read", lambda *_: -4)
    with pytest.raises(trip.Error):
        pipeline.run(b"xyz")
    length = ctypes.c_size_t()
    assert [read(output, None, 0, ctypes.byref(length)) for output in outputs] == [-2, -2]
    assert outputs[0] != outputs[1] != 0


def test_a_pipeline_that_ends_with_the_interpreter_says_nothing() -> None:
    program = """
import threading, time, trip
def stage(given):
    return given
pipeline = trip.Pipeline([("a", stage), ("b", lambda given: pipeline and given)])
pipeline.me = pipeline
def run():
    while True:
        pipeline.run(b"x" * 1000)
threading.Thread(target=run, daemon=True).start()
time.sleep(0.01)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_pipeline_shows_which_it_is_and_stays_here() -> None:
    pipeline = trip.Pipeline()
    assert repr(pipeline) == f"<trip.Pipeline {pipeline.handle:#x}>"
    with pytest.raises(TypeError, match="in this process"):
        pickle.dumps(pipeline)
