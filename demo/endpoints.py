"""What the two providers' endpoints look like from outside: status codes, headers and bodies, as documented by them.

Pure functions from a request to an answer; when to fail, and how, is the stand-in's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any, Protocol

SENTENCE = "A circuit breaker stops calls to a provider that is down, so that nobody waits for it in vain."


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    wait_ms: int = 0  # how long it asks to stay away; 0 where it does not say

    def head(self) -> bytes:
        """The status line and headers; the length is the whole body's, whether or not all of it will be sent."""
        reason = "Overloaded" if self.status == 529 else HTTPStatus(self.status).phrase
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["content-type: application/json", f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode()


class Endpoint(Protocol):
    """One provider's endpoint: where it listens, whose key came in, what it says to a good request and to others."""

    path: str
    required: Sequence[str]  # members of a request's body

    def key(self, request: Request) -> str: ...
    def completion(self, serial: int, asked: Mapping[str, Any]) -> Answer: ...
    def error(self, status: int, serial: int, *, missing: str | None = None, wait_ms: int = 0) -> Answer: ...


class OpenAI:
    """POST /v1/chat/completions"""

    path = "/v1/chat/completions"
    required: Sequence[str] = ("model", "messages")
    _errors: Mapping[int, tuple[str, str, str | None]] = {
        400: ("We could not parse the JSON body of your request.", "invalid_request_error", None),
        401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        404: ("Unknown request URL.", "invalid_request_error", "unknown_url"),
        429: ("Rate limit reached for gpt-4 on requests per day (RPD): Limit 200, Used 200, Requested 1. "
              "Please try again in {wait_ms}ms.", "requests", "rate_limit_exceeded"),
        500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
        529: ("The engine is currently overloaded, please try again later.", "server_error", None),
    }  # fmt: skip

    def key(self, request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def completion(self, serial: int, asked: Mapping[str, Any]) -> Answer:
        prompt = sum(len(message["content"].split()) for message in asked["messages"])
        words = len(SENTENCE.split())
        return self._answer(200, serial, {
            "id": f"chatcmpl-{serial:029d}",
            "object": "chat.completion",
            "created": 1699448400,
            "model": asked["model"],
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": SENTENCE},
                "logprobs": None,
                "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words},
            "system_fingerprint": None,
        })  # fmt: skip

    def error(self, status: int, serial: int, *, missing: str | None = None, wait_ms: int = 0) -> Answer:
        message, kind, code = self._errors[status]
        message = f"you must provide a {missing} parameter" if missing else message.format(wait_ms=wait_ms)
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        return self._answer(status, serial, body, wait_ms)

    def _answer(self, status: int, serial: int, body: Mapping[str, Any], wait_ms: int = 0) -> Answer:
        headers = {
            "openai-organization": "libtrip-demo",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "30",
            "x-request-id": f"req_{serial:032x}",
            "x-ratelimit-limit-requests": "200",
            "x-ratelimit-remaining-requests": "0" if wait_ms else "199",
            "x-ratelimit-reset-requests": f"{wait_ms}ms",
        }
        if wait_ms:
            headers |= {"retry-after-ms": str(wait_ms), "retry-after": str(ceil(wait_ms / 1000))}
        return Answer(status, headers, json.dumps(body, indent=2).encode(), wait_ms)


class Anthropic:
    """POST /v1/messages"""

    path = "/v1/messages"
    required: Sequence[str] = ("model", "max_tokens", "messages")
    _errors: Mapping[int, tuple[str, str]] = {
        400: ("invalid_request_error", "The request body is not valid JSON."),
        401: ("authentication_error", "invalid x-api-key"),
        404: ("not_found_error", "Not found"),
        429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
        500: ("api_error", "Internal server error"),
        529: ("overloaded_error", "Overloaded"),
    }

    def key(self, request: Request) -> str:
        return request.headers.get("x-api-key", "")

    def completion(self, serial: int, asked: Mapping[str, Any]) -> Answer:
        prompt = sum(len(message["content"].split()) for message in asked["messages"])
        return self._answer(200, serial, {
            "id": f"msg_{serial:024d}",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
            "content": [{"type": "text", "text": SENTENCE}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": prompt, "output_tokens": len(SENTENCE.split())},
        })  # fmt: skip

    def error(self, status: int, serial: int, *, missing: str | None = None, wait_ms: int = 0) -> Answer:
        kind, message = self._errors[status]
        message = f"{missing}: Field required" if missing else message
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": self._request_id(serial)}
        return self._answer(status, serial, body, wait_ms)

    def _request_id(self, serial: int) -> str:
        return f"req_{serial:024d}"

    def _answer(self, status: int, serial: int, body: Mapping[str, Any], wait_ms: int = 0) -> Answer:
        headers = {
            "request-id": self._request_id(serial),
            "anthropic-organization-id": "libtrip-demo",
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": "0" if wait_ms else "999",
            "anthropic-ratelimit-requests-reset": "2023-11-08T13:00:00Z",
        }
        if wait_ms:
            headers["retry-after"] = str(ceil(wait_ms / 1000))
        return Answer(status, headers, json.dumps(body).encode(), wait_ms)


ENDPOINTS: Mapping[str, Endpoint] = {"openai": OpenAI(), "anthropic": Anthropic()}
