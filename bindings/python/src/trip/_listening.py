"""Owns what a response says while its body passes: whether that is an error, and whether it says that it is complete.
Keeps no more of a body than the library reads, and changes nothing of it.
"""

from __future__ import annotations

import re
import zlib
from typing import Protocol

from ._constants import StatusClass
from ._outcome import Outcome, classify_http

_READ_MAX = 65536  # bytes of a body, or of one event, of which the library reads no more

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")  # between the events of a stream, as the HTML standard says
_SPLIT_MAX = 3  # bytes of a boundary that the end of a chunk may have cut

# With these a provider says that all has been said. Clients then close the stream, without a look at its end: OpenAI's
# chat completions and their many imitators; Anthropic's messages; OpenAI's responses.
_COMPLETE = re.compile(
    rb"(?:^|[\r\n])(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|incomplete)))\s*(?:$|[\r\n])"
)
_COMPLETE_WORDS = (b"[DONE]", b"message_stop", b"response.")  # which are sooner looked for, in every token

_SUCCESS = Outcome(StatusClass.SUCCESS)


class Listening(Protocol):
    """What listens to a body."""

    @property
    def is_stream(self) -> bool:
        """Whether what has come already is of use: then each piece is progress."""

    def hear(self, chunk: bytes) -> Outcome | None:
        """What is certain once this has come; mostly nothing yet."""

    def told(self) -> Outcome:
        """What is known of the call by what has come."""


class Body:
    """A body as such, of which the beginning may be an error object."""

    is_stream = False

    def __init__(self, status: int, unpack: Unpacking | None) -> None:
        self._status = status
        self._unpack = unpack
        self._begun = bytearray()

    def hear(self, chunk: bytes) -> Outcome | None:
        room = _READ_MAX - len(self._begun)
        if room > 0:
            self._begun += chunk[:room] if self._unpack is None else self._unpack(chunk, room)
        return None

    def told(self) -> Outcome:
        return _classified(self._status, bytes(self._begun))


class EventStream:
    """Server-sent events, any of which may be an error, or the last."""

    is_stream = True

    def __init__(self, status: int, unpack: Unpacking | None) -> None:
        self._status = status
        self._unpack = unpack
        self._pending = b""

    def hear(self, chunk: bytes) -> Outcome | None:
        if self._unpack is not None:
            chunk = self._unpack(chunk)
        *events, rest = _BOUNDARY.split(self._pending + chunk)
        self._pending = rest if len(rest) <= _READ_MAX else rest[: _READ_MAX - _SPLIT_MAX] + rest[-_SPLIT_MAX:]
        for event in events:
            said = _classified(self._status, event)
            if said.status_class != StatusClass.SUCCESS or _is_last(event):
                return said
        return None

    def told(self) -> Outcome:
        return _classified(self._status, self._pending)


class Unpacking:
    """What a body was before it was packed for the way; nothing more once it cannot be read."""

    def __init__(self, encoding: str) -> None:
        packed = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}.get(encoding)
        self._zlib = None if packed is None else zlib.decompressobj(packed)

    def __call__(self, chunk: bytes, at_most: int = 0) -> bytes:
        """`at_most` so many bytes, after which it is not asked again; 0: all."""
        if self._zlib is None:
            return b""
        try:
            return self._zlib.decompress(chunk, at_most)
        except zlib.error:
            self._zlib = None
            return b""


def listening(status: int, content_type: str, encoding: str) -> Listening:
    """What listens to the body of a response with these headers. An encoding other than "" is one that the body still
    has when it is heard; of those that Python cannot unpack, nothing is understood.
    """
    packing = encoding.strip().lower()
    unpack = None if packing in ("", "identity") else Unpacking(packing)
    if content_type.strip().lower().startswith("text/event-stream"):
        return EventStream(status, unpack)
    return Body(status, unpack)


def _is_last(event: bytes) -> bool:
    return any(word in event for word in _COMPLETE_WORDS) and _COMPLETE.search(event) is not None


def _classified(status: int, said: bytes) -> Outcome:
    """A 2xx may be an error all the same. A redirect is an answer as it should be: the provider is up."""
    if status < 400 and (b"error" not in said or not 200 <= status < 300):
        return _SUCCESS
    return classify_http(status, said)
