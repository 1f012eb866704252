"""Owns what OpenAI and Anthropic answer, whole and as streams, and the arguments that their SDKs are asked with."""

from __future__ import annotations

import json
from typing import Any

from endpoints import ENDPOINTS, Request  # what the demo's stand-ins answer

from wire import EVENTS, Answer, Then, event

ASKED: dict[str, Any] = {"model": "some", "messages": [{"role": "user", "content": "hello"}]}
ASKED_ANTHROPIC: dict[str, Any] = {**ASKED, "max_tokens": 10}
HEADERS = {"Content-Type": "application/json"}


def whole(provider: str) -> Answer:
    """A completion."""
    return Answer(200, ENDPOINTS[provider].completion(1, ASKED).body, HEADERS)


def error(provider: str, status: int, **headers: str) -> Answer:
    """An error, with headers such as retry_after="7"."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, ENDPOINTS[provider].error(status, 1).body, HEADERS | told)


def stream(provider: str, then: Then = Then.ENDS, tokens: int = 2) -> Answer:
    """A completion token by token; one that does not end has not said that it is complete."""
    said, last = _EVENTS[provider](tokens)
    return Answer(200, said + (last if then is Then.ENDS else []), EVENTS, then)


def overloaded_midway(provider: str) -> Answer:
    """A stream that says in its middle that it cannot go on, and then ends as a body should."""
    told = {
        "openai": event({"error": {"message": "The engine is overloaded", "type": "server_error", "code": None}}),
        "anthropic": event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"),
    }
    return Answer(200, [*_EVENTS[provider](1)[0], told[provider]], EVENTS)


def answer_to(request: Request) -> Answer:
    """What a provider that is well answers: that of the path, or somebody who says hello."""
    for provider, endpoint in ENDPOINTS.items():
        if request.path == endpoint.path:
            return stream(provider) if json.loads(request.body).get("stream") else whole(provider)
    return Answer(200, b"hello")


def _openai(tokens: int) -> tuple[list[bytes], list[bytes]]:
    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "some", "choices": [choice]})

    return [chunk({"content": "error "})] * tokens, [chunk({}, "stop"), event(b"[DONE]")]


def _anthropic(tokens: int) -> tuple[list[bytes], list[bytes]]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "1", "type": "message", "role": "assistant", "model": "some", "content": [], "usage": usage}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    token = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "error "}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    said = [{"type": "message_start", "message": message}, block, *[token] * tokens]
    last = [{"type": "content_block_stop", "index": 0}, end, {"type": "message_stop"}]

    def told(events: list[Any]) -> list[bytes]:
        return [event(one, one["type"]) for one in events]

    return told(said), told(last)


_EVENTS = {"openai": _openai, "anthropic": _anthropic}
