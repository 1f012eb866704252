"""Owns one request on the wire and its permit: asked for before it is sent, settled once by what becomes of it.

Adapters of HTTP libraries tell it what happens and nothing else. No failure of this library reaches a request.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Generic, TypeVar, Union

from ._constants import StatusClass
from ._ending import says_nothing
from ._errors import Consumed, Error
from ._http_error import Errors, outcome_of
from ._listening import Listening, listening
from ._outcome import Outcome, parse_retry_hint_ns
from ._passable import passable
from ._rejection import CircuitOpen
from ._tracker import Tracker

if TYPE_CHECKING:
    from ._permit import Permit

R = TypeVar("R")
Naming = Union[str, Callable[[R], str]]  # a name, or what says it of a request

_WAITS = ("retry-after-ms", "x-ms-retry-after-ms", "retry-after")  # the finest first
_BODILESS = (204, 304)
_LENGTH_MAX = 18  # digits of a length that somebody may mean

_log = logging.getLogger("trip")


class Exchanges(Generic[R]):
    """Which circuit a request of a client asks. Shared by threads and loops, as the client is."""

    def __init__(self, tracker: Tracker, provider: Naming[R] | None, tenant: Naming[R], errors: Errors) -> None:
        if not isinstance(tracker, Tracker):
            raise TypeError(f"tracker must be a trip.Tracker, not {type(tracker).__name__}")
        for what, naming in ("provider", provider), ("tenant", tenant):
            if not (isinstance(naming, str) or callable(naming) or (what == "provider" and naming is None)):
                raise TypeError(f"{what} must be a str or a function of a request, not {type(naming).__name__}")
        self._tracker = tracker
        self._provider = provider
        self._tenant = tenant
        self._errors = errors
        self._reported: set[object] = set()

    def begin(self, request: R, host: str) -> Exchange:
        """Ask for a permit to send the request to `host`. Raises CircuitOpen; lets it through when the library fails,
        or a function that is to say a name.
        """
        try:
            tenant = self._tenant if isinstance(self._tenant, str) else self._tenant(request)
            provider = self._provider or host
            if not isinstance(provider, str):
                provider = provider(request)
            permit = self._tracker.circuit(tenant, provider).permit()
        except CircuitOpen as refused:
            raise passable(refused) from None
        except Exception as error:
            self._report(error)
            return Exchange(None, self._errors)
        return Exchange(permit, self._errors)

    def _report(self, error: Exception) -> None:
        kind = error.status if isinstance(error, Error) else type(error)
        if kind not in self._reported:
            self._reported.add(kind)
            _log.warning("requests are sent unguarded: no permit could be asked for", exc_info=error)


class Exchange:
    """One request, from its permit to the end of the response's body. Whatever is told after that changes nothing.

    A response that is collected before its end has been left by its caller.
    """

    __slots__ = (
        "__weakref__",
        "_began_ns",
        "_errors",
        "_left",
        "_listening",
        "_permit",
        "_status",
        "_took_ns",
        "_wait_ns",
    )

    def __init__(self, permit: Permit | None, errors: Errors) -> None:
        self._permit = permit  # until it is settled
        self._errors = errors
        self._status = 0  # until there is an answer
        self._wait_ns: int | None = None  # that the answer asks for
        self._listening: Listening | None = None
        self._left = -1  # bytes of the body that have not come; negative where nobody knows
        self._took_ns = 0  # to the first piece of a stream: how long that goes on says nothing of its provider
        self._began_ns = time.monotonic_ns()

    def answered(
        self, method: str, status: int, header: Callable[[str], str | None], *, is_unpacked: bool = False
    ) -> bool:
        """The head of a response has come. `is_unpacked`: its body is heard without its content-encoding. Returns
        whether the body is still to be told of: there may be none, or nobody who needs it.
        """
        if self._permit is None:
            return False
        try:
            self._read_head(method, status, header, is_unpacked)
        except Exception as error:
            self._give_up(error)
        return self._permit is not None

    def _read_head(self, method: str, status: int, header: Callable[[str], str | None], is_unpacked: bool) -> None:
        self._status = status
        if status >= 400:
            self._wait_ns = _asked_wait_ns(header)
        encoding = header("content-encoding") or ""
        length = header("content-length") or ""
        if not encoding and length.isdecimal() and len(length) <= _LENGTH_MAX:
            self._left = int(length)
        self._listening = listening(status, header("content-type") or "", "" if is_unpacked else encoding)
        if method == "HEAD" or status < 200 or status in _BODILESS or length == "0":
            self.ended()

    def heard(self, chunk: bytes) -> None:
        """A piece of the body has come. A probe is renewed; that of a stream has succeeded with its first piece."""
        permit, listening = self._permit, self._listening
        if permit is None or listening is None or not chunk:
            return
        try:
            if listening.is_stream and not self._took_ns:
                self._took_ns = time.monotonic_ns() - self._began_ns
            said = listening.hear(chunk)
            if said is not None:
                self._settle(said)
            elif self._left == len(chunk):
                self.ended()
            elif listening.is_stream and self._status < 400:
                permit.progress()
            else:
                permit.renew()
            self._left -= len(chunk)
        except Consumed:
            self._permit = None
        except Error as error:
            _unrecorded(error)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """A fault of ours, or of what the library of HTTP hands us: the caller has his response all the same."""
        _log.warning("a response could not be judged", exc_info=error)
        self._settle(None)

    def ended(self) -> None:
        """The body has come to its end, as it should."""
        self._settle(self._told())

    def left(self, *, is_whole: bool = False) -> None:
        """The caller wants no more of the response; `is_whole`: all of it has come. A status that is an error's, or a
        redirect's, has told what there is to tell, whatever its body might add.
        """
        self._settle(self._told() if is_whole or self._status >= 300 else None)

    def failed(self, error: BaseException) -> None:
        """An exception has ended it: before the response, or in the middle of it."""
        if self._status >= 300:
            self._settle(self._told())
        elif says_nothing(type(error)):
            self._settle(None)
        else:
            self._settle(outcome_of(error, self._errors))

    def _told(self) -> Outcome | None:
        """What the response has said so far; None: there was none."""
        try:
            return None if self._listening is None else self._listening.told()
        except Exception as error:  # then the status has to do
            _unrecorded(error)
            return Outcome(StatusClass.SERVER_ERROR if self._status >= 500 else StatusClass.UNKNOWN)

    def _settle(self, outcome: Outcome | None) -> None:
        """None: the provider was asked, and nothing is known of its answer."""
        permit, self._permit = self._permit, None
        if permit is None:
            return
        try:
            if outcome is None:
                permit.cancel()
            elif outcome.status_class == StatusClass.SUCCESS and not self._took_ns:
                permit.record_success()
            else:
                permit.record(self._completed(outcome))
        except Consumed:
            pass  # by another thread, in this moment
        except Error as error:
            _unrecorded(error)

    def _completed(self, outcome: Outcome) -> Outcome:
        wait_ns = outcome.retry_after_ns if self._wait_ns is None else self._wait_ns
        return replace(outcome, retry_after_ns=wait_ns, duration_ns=self._took_ns)

    def __del__(self) -> None:
        if self._permit is not None:
            self.left()


def _asked_wait_ns(header: Callable[[str], str | None]) -> int | None:
    """How long the headers ask to wait; None where none does, or what it says is absurd."""
    for name in _WAITS:
        value = header(name)
        if value:
            try:
                return parse_retry_hint_ns(name, value, time.time_ns())
            except Error:  # mostly an InvalidHint
                continue
    return None


def _unrecorded(error: Exception) -> None:
    _log.warning("a call could not be recorded: %s", error)
