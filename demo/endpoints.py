"""What the two providers' endpoints look like from outside: status codes, headers and bodies, as documented by them.

Pure functions from a request to an answer; when to fail, and how, is the stand-in's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
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

    def key(self, request: Request) -> str: ...
    def completion(self, serial: int, request: Request) -> Answer: ...
    def error(self, status: int, serial: int) -> Answer: ...


class OpenAI:
    """POST /v1/chat/completions"""

    path = "/v1/chat/completions"
    _errors: Mapping[int, tuple[str, str, str | None]] = {
        400: ("We could not parse the JSON body of your request.", "invalid_request_error", None),
        401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        404: ("Unknown request URL.", "invalid_request_error", "unknown_url"),
        429: ("Rate limit reached for gpt-4 on requests per min (RPM): Limit 200, Used 200, Requested 1. "
              "Please try again in 300ms.", "requests", "rate_limit_exceeded"),
        503: ("The engine is currently overloaded, please try again later.", "server_error", None),
        529: ("The engine is currently overloaded, please try again later.", "server_error", None),
    }  # fmt: skip

    def key(self, request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def completion(self, serial: int, request: Request) -> Answer:
        asked = json.loads(request.body)
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

    def error(self, status: int, serial: int) -> Answer:
        message, kind, code = self._errors[status]
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        return self._answer(status, serial, body)

    def _answer(self, status: int, serial: int, body: Mapping[str, Any]) -> Answer:
        limited = status == 429
        headers = {
            "openai-organization": "libtrip-demo",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "30",
            "x-request-id": f"req_{serial:032x}",
            "x-ratelimit-limit-requests": "200",
            "x-ratelimit-remaining-requests": "0" if limited else "199",
            "x-ratelimit-reset-requests": "300ms",
        }
        if limited:
            headers |= {"retry-after-ms": "300", "retry-after": "1"}
        return Answer(status, headers, json.dumps(body, indent=2).encode())


class Anthropic:
    """POST /v1/messages"""

    path = "/v1/messages"
    _errors: Mapping[int, tuple[str, str]] = {
        400: ("invalid_request_error", "The request body is not valid JSON."),
        401: ("authentication_error", "invalid x-api-key"),
        404: ("not_found_error", "Not found"),
        429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
        503: ("api_error", "Internal server error"),
        529: ("overloaded_error", "Overloaded"),
    }

    def key(self, request: Request) -> str:
        return request.headers.get("x-api-key", "")

    def completion(self, serial: int, request: Request) -> Answer:
        asked = json.loads(request.body)
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

    def error(self, status: int, serial: int) -> Answer:
        kind, message = self._errors[status]
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": self._request_id(serial)}
        return self._answer(status, serial, body)

    def _request_id(self, serial: int) -> str:
        return f"req_{serial:024d}"

    def _answer(self, status: int, serial: int, body: Mapping[str, Any]) -> Answer:
        limited = status == 429
        headers = {
            "request-id": self._request_id(serial),
            "anthropic-organization-id": "libtrip-demo",
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": "0" if limited else "999",
            "anthropic-ratelimit-requests-reset": "2023-11-08T13:00:00Z",
        }
        if limited:
            headers["retry-after"] = "1"
        return Answer(status, headers, json.dumps(body).encode())


ENDPOINTS: Mapping[str, Endpoint] = {"openai": OpenAI(), "anthropic": Anthropic()}
