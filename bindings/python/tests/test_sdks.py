"""The SDKs of OpenAI and Anthropic behind a circuit, as they come, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Iterator
from typing import Any, Callable

import anthropic
import httpx
import httpx2
import openai
import pytest
from openai._vendor.httpx_aiohttp import AiohttpTransport

import trip
import trip.httpx
import trip.httpx2
from completions import ASKED, ASKED_ANTHROPIC, error, overloaded_midway, stream, whole
from wire import Answer, Then, Wire, listening

PROVIDERS = ("openai", "anthropic")
ERRORS = (openai.OpenAIError, anthropic.AnthropicError, httpx2.TransportError)
STATUS_ERRORS = (openai.APIStatusError, anthropic.APIStatusError)
SENTENCE = "error error "


@pytest.fixture
def wire() -> Iterator[Wire]:
    with listening() as wire:
        yield wire


@pytest.fixture
def circuit(tracker: trip.Tracker, wire: Wire) -> trip.Circuit:
    return tracker.circuit("", wire.host)


class Sdk:
    """One of the SDKs, asked in one of its two ways: `ask` for a whole answer, `tokens` for a stream of them."""

    def __init__(self, provider: str, is_async: bool, tracker: trip.Tracker, url: str, max_retries: int = 0) -> None:
        module: Any = {"openai": openai, "anthropic": anthropic}[provider]
        self._is_openai, self._is_async = provider == "openai", is_async
        kind = ("Async" if is_async else "") + ("OpenAI" if self._is_openai else "Anthropic")
        client = module.DefaultAsyncHttpxClient if is_async else module.DefaultHttpxClient
        transport = trip.httpx2.AsyncTransport if is_async else trip.httpx2.Transport
        self._client = getattr(module, kind)(
            api_key="key",
            base_url=f"{url}/v1" if self._is_openai else url,
            max_retries=max_retries,
            http_client=client(transport=transport(tracker)),
        )
        self._loop = asyncio.new_event_loop() if is_async else None

    def _create(self, **options: Any) -> Any:
        if self._is_openai:
            return self._client.chat.completions.create(**ASKED, **options)
        return self._client.messages.create(**ASKED_ANTHROPIC, **options)

    def run(self, step: Any) -> Any:
        return step if self._loop is None else self._loop.run_until_complete(step)

    def ask(self) -> Any:
        return self.run(self._create())

    def begin(self) -> Any:
        return self.run(self._create(stream=True))

    def text(self, tokens: Any) -> str:
        """All that a stream says."""
        if self._loop is None:
            return "".join(map(self._said, tokens))

        async def joined() -> str:
            return "".join([self._said(token) async for token in tokens])

        return str(self.run(joined()))

    def first(self, tokens: Any) -> Any:
        return next(iter(tokens)) if self._loop is None else self.run(tokens.__anext__())

    def _said(self, token: Any) -> str:
        if self._is_openai:
            return token.choices[0].delta.content or ""
        return token.delta.text if token.type == "content_block_delta" else ""

    def close(self) -> None:
        self.run(self._client.close())
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


Make = Callable[..., Sdk]


@pytest.fixture(params=[(p, a) for p in PROVIDERS for a in (False, True)], ids=lambda p: f"{p[0]}{'-async' * p[1]}")
def kind(request: pytest.FixtureRequest) -> tuple[str, bool]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def provider(kind: tuple[str, bool]) -> str:
    return kind[0]


@pytest.fixture
def make(kind: tuple[str, bool], tracker: trip.Tracker, wire: Wire) -> Iterator[Make]:
    made: list[Sdk] = []

    def make(max_retries: int = 0, tracker: trip.Tracker = tracker) -> Sdk:
        made.append(Sdk(*kind, tracker, wire.url, max_retries))
        return made[-1]

    yield make
    for sdk in made:
        sdk.close()


def counted(circuit: trip.Circuit) -> dict[str, int]:
    """What the permits of a circuit have become, as far as there are any; all of them are settled."""
    info = circuit.inspect()
    kinds = ("successes", "failures_total", "cancels", "drops")
    assert info.permits == sum(getattr(info, kind) for kind in kinds)
    return {kind: getattr(info, kind) for kind in kinds if getattr(info, kind)}


def test_an_answer_is_a_success(make: Make, provider: str, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(whole(provider))
    assert "circuit breaker" in make().ask().model_dump_json()
    assert counted(circuit) == {"successes": 1}


def test_a_stream_that_ends_is_a_success(make: Make, provider: str, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(stream(provider))
    sdk = make()
    assert sdk.text(sdk.begin()) == SENTENCE
    assert counted(circuit) == {"successes": 1}


def test_a_stream_cut_midway_is_one_failure(make: Make, provider: str, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(stream(provider, Then.BREAKS))
    sdk = make(max_retries=2)  # which a stream that has begun does not get
    tokens = sdk.begin()
    with pytest.raises(ERRORS):
        sdk.text(tokens)
    assert counted(circuit) == {"failures_total": 1}
    assert len(wire.requests) == 1


def test_a_stream_closed_early_is_one_cancel(make: Make, provider: str, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(stream(provider, Then.HANGS))
    sdk = make()
    tokens = sdk.begin()
    sdk.first(tokens)
    sdk.run(tokens.close())
    assert counted(circuit) == {"cancels": 1}


def test_a_stream_that_says_that_it_failed_is_one_failure(
    make: Make, provider: str, wire: Wire, circuit: trip.Circuit
) -> None:
    wire.answer(overloaded_midway(provider))
    sdk = make()
    tokens = sdk.begin()
    with pytest.raises(ERRORS, match="verloaded"):
        sdk.text(tokens)
    assert counted(circuit) == {"failures_total": 1}


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_a_529_opens_for_as_long_as_it_asks(kind: tuple[str, bool], wire: Wire, is_stream: bool) -> None:
    with trip.Tracker(failure_threshold=1, initial_open=1, clock=trip.Clock.MANUAL) as tracker:
        sdk, circuit = Sdk(*kind, tracker, wire.url), tracker.circuit("", wire.host)
        wire.answer(error(kind[0], 529, retry_after="7"), whole(kind[0]))
        with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
            sdk.begin() if is_stream else sdk.ask()
        assert counted(circuit) == {"failures_total": 1}
        tracker.advance(6.999)
        with pytest.raises(trip.CircuitOpen) as refused:
            sdk.ask()
        assert refused.value.retry_after == pytest.approx(0.001)
        tracker.advance(0.001)
        sdk.ask()
        sdk.close()
        assert circuit.inspect().state is trip.State.CLOSED


@pytest.mark.parametrize(("status", "is_failure"), [(400, False), (401, False), (404, False), (429, True), (500, True)])
def test_what_a_status_counts_as(
    make: Make, provider: str, wire: Wire, circuit: trip.Circuit, status: int, is_failure: bool
) -> None:
    wire.answer(error(provider, status))
    with pytest.raises(STATUS_ERRORS) as told:
        make().ask()
    assert isinstance(told.value, STATUS_ERRORS)
    assert told.value.status_code == status
    assert told.value.body is not None
    assert counted(circuit) == {"failures_total" if is_failure else "successes": 1}


class TestRefusals:
    def test_one_reaches_neither_the_server_nor_the_sdk_s_retries(
        self, make: Make, provider: str, wire: Wire, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
    ) -> None:
        circuit.trip()
        sdk = make(max_retries=5)
        with caplog.at_level(logging.DEBUG), pytest.raises(trip.CircuitOpen) as refused:
            sdk.ask()
        assert refused.value.retry_after == 30
        assert wire.requests == []
        assert circuit.inspect().rejections == 1
        assert "etrying" not in caplog.text

    def test_one_is_an_error_of_the_sdk_but_none_of_the_provider_s(
        self, make: Make, provider: str, circuit: trip.Circuit
    ) -> None:
        circuit.trip()
        with pytest.raises((openai.OpenAIError, anthropic.AnthropicError)) as refused:
            make().ask()
        assert isinstance(refused.value, trip.CircuitOpen)
        assert not isinstance(refused.value, (openai.APIError, anthropic.APIError))

    def test_one_can_be_pickled(self, make: Make, circuit: trip.Circuit) -> None:
        circuit.trip()
        with pytest.raises(trip.CircuitOpen) as refused:
            make().ask()
        copied = pickle.loads(pickle.dumps(refused.value))
        assert type(copied) is trip.CircuitOpen
        assert copied.args == refused.value.args
        assert str(copied) == str(refused.value)


class TestRetriesOfTheSdk:
    """Each of them is a request of its own, and asks the circuit for a permit of its own."""

    @pytest.fixture
    def patient(self) -> Iterator[trip.Tracker]:
        with trip.Tracker(failure_threshold=3, clock=trip.Clock.MANUAL) as tracker:
            yield tracker

    def test_each_has_a_permit(self, make: Make, provider: str, wire: Wire, patient: trip.Tracker) -> None:
        again = error(provider, 529, retry_after_ms="1")
        wire.answer(again, again, whole(provider))
        make(max_retries=2, tracker=patient).ask()
        assert counted(patient.circuit("", wire.host)) == {"failures_total": 2, "successes": 1}
        assert [request.headers["x-stainless-retry-count"] for request in wire.requests] == ["0", "1", "2"]

    def test_they_end_when_the_circuit_opens(
        self, make: Make, provider: str, wire: Wire, patient: trip.Tracker
    ) -> None:
        wire.answer(*[error(provider, 529, retry_after_ms="1")] * 5)
        with pytest.raises(trip.CircuitOpen):
            make(max_retries=4, tracker=patient).ask()
        assert len(wire.requests) == 3
        assert patient.circuit("", wire.host).inspect().rejections == 1

    def test_a_server_that_wants_none_gets_none(
        self, make: Make, provider: str, wire: Wire, patient: trip.Tracker
    ) -> None:
        wire.answer(error(provider, 500, x_should_retry="false"))
        with pytest.raises(STATUS_ERRORS):
            make(max_retries=2, tracker=patient).ask()
        assert counted(patient.circuit("", wire.host)) == {"failures_total": 1}
        assert len(wire.requests) == 1

    def test_a_server_that_wants_one_gets_it_whatever_was_wrong(
        self, make: Make, provider: str, wire: Wire, patient: trip.Tracker
    ) -> None:
        wire.answer(error(provider, 400, x_should_retry="true", retry_after_ms="1"), whole(provider))
        make(max_retries=2, tracker=patient).ask()
        assert counted(patient.circuit("", wire.host)) == {"successes": 2}

    def test_those_of_a_stream_are_made_before_it_begins(
        self, make: Make, provider: str, wire: Wire, patient: trip.Tracker
    ) -> None:
        wire.answer(error(provider, 529, retry_after_ms="1"), stream(provider))
        sdk = make(max_retries=2, tracker=patient)
        assert sdk.text(sdk.begin()) == SENTENCE
        assert counted(patient.circuit("", wire.host)) == {"failures_total": 1, "successes": 1}

    def test_those_of_trip_take_their_place(self, wire: Wire, patient: trip.Tracker) -> None:
        """With a budget, and none after a refusal; the permits are the transport's in any case."""
        sdk = Sdk("openai", False, patient, wire.url, max_retries=0)
        circuit = patient.circuit("", wire.host)

        def classify(failed: Exception) -> trip.Outcome | None:
            return trip.classify_http(failed.status_code) if isinstance(failed, openai.APIStatusError) else None

        with trip.Retry(max_attempts=3, base_delay=0.001) as retry:
            wire.answer(error("openai", 500), error("openai", 500), whole("openai"))
            assert retry.call(sdk.ask, provider="openai", classify=classify).object == "chat.completion"
            assert counted(circuit) == {"failures_total": 2, "successes": 1}
            circuit.trip()
            with pytest.raises(trip.CircuitOpen):
                retry.call(sdk.ask, provider="openai", classify=classify)
            assert retry.inspect("openai").retries == 2
        sdk.close()
        assert len(wire.requests) == 3


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stage", ["before the head", "between tokens"])
def test_a_task_that_is_cancelled_leaves_nothing_behind(
    provider: str, stage: str, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
) -> None:
    before = stage == "before the head"
    wire.answer(Answer(body=None, then=Then.HANGS) if before else stream(provider, Then.HANGS))
    sdk = Sdk(provider, True, tracker, wire.url, max_retries=5)
    begun = asyncio.Event()

    async def ask() -> None:
        tokens = await sdk._create(stream=True)
        async for _ in tokens:
            begun.set()

    async def cancel() -> None:
        task = asyncio.ensure_future(ask())
        if not before:
            await begun.wait()
        while not wire.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    sdk.run(cancel())
    assert counted(circuit) == {"cancels": 1}
    sdk.close()


def test_openai_takes_a_client_of_httpx_too(tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit) -> None:
    http: Any = httpx.Client(transport=trip.httpx.Transport(tracker))
    client = openai.OpenAI(api_key="key", base_url=f"{wire.url}/v1", http_client=http)
    wire.answer(whole("openai"))
    client.chat.completions.create(**ASKED)
    circuit.trip()
    with pytest.raises(trip.CircuitOpen):
        client.chat.completions.create(**ASKED)
    client.close()
    assert len(wire.requests) == 1


@pytest.mark.parametrize("then", [Then.ENDS, Then.BREAKS, Then.HANGS])
def test_aiohttp_may_be_beneath(tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit, then: Then) -> None:
    """By the transport that the SDK has for that."""
    wire.answer(stream("openai", then))

    async def ask() -> None:
        http = openai.DefaultAsyncHttpxClient(transport=trip.httpx2.AsyncTransport(tracker, AiohttpTransport()))
        async with openai.AsyncOpenAI(api_key="key", base_url=f"{wire.url}/v1", http_client=http) as client:
            tokens = await client.chat.completions.create(**ASKED, stream=True)
            await tokens.__anext__()
            if then is Then.HANGS:
                await tokens.close()
            elif then is Then.ENDS:
                assert len([token async for token in tokens]) == 2
            else:
                with pytest.raises(ERRORS):
                    [token async for token in tokens]

    asyncio.run(ask())
    expected = {Then.ENDS: "successes", Then.BREAKS: "failures_total", Then.HANGS: "cancels"}
    assert counted(circuit) == {expected[then]: 1}


def test_the_circuit_of_a_tenant_is_named_by_its_key(wire: Wire) -> None:
    with trip.Tracker() as tracker:
        transport = trip.httpx2.Transport(
            tracker, provider="anthropic", tenant=lambda request: request.headers["authorization"]
        )
        client = anthropic.Anthropic(
            api_key="key of acme", base_url=wire.url, http_client=anthropic.DefaultHttpxClient(transport=transport)
        )
        wire.answer(whole("anthropic"))
        client.messages.create(**ASKED_ANTHROPIC)
        client.close()
        assert [(c.tenant, c.provider) for c, _ in tracker.circuits()] == [("Bearer key of acme", "anthropic")]
