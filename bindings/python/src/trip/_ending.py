"""Owns what the end of a block or of a guarded call says of the provider: the one place that judges an exception."""

from __future__ import annotations

import ctypes
import logging
from typing import Callable, Union

from . import _abi, _native
from ._constants import StatusClass
from ._errors import Error, failure
from ._native import Settle, cancel, record_failure
from ._outcome import Outcome, complete, native
from ._rejection import CircuitOpen
from ._shed import Shed

# What the caller's code makes of an exception. None: it says nothing, and the exception is a failure.
Classify = Callable[[Exception], Union[Outcome, StatusClass, None]]

# What the breaker itself raises says nothing of the provider, and nor does what is no Exception.
_OWN = (CircuitOpen, Shed, Error)
_log = logging.getLogger("trip")


def recording(outcome: Outcome) -> Settle:
    """The settlement that records an outcome."""
    told = ctypes.byref(native(outcome))
    return lambda permit: _native.record(permit, told)


def says_nothing(kind: type[BaseException]) -> bool:
    """Whether an exception of this kind tells nothing of the provider."""
    return not issubclass(kind, Exception) or issubclass(kind, _OWN)


def judged(error: BaseException | None, classify: Classify | None) -> Outcome | None:
    """What an exception tells of the provider; None: that it has failed. Never raises anything of its own."""
    if classify is None or not isinstance(error, Exception):
        return None
    try:
        said = classify(error)
        if said is None:
            return None
        outcome = complete(said)
        native(outcome)  # which refuses what the library would
    except Exception:
        _log.warning("%r could not classify %r, which counts as a failure", classify, error, exc_info=True)
        return None
    return outcome


def settlement(kind: type[BaseException], error: BaseException | None, classify: Classify | None) -> Settle:
    """How a call is settled that this exception ended. Never raises anything of its own."""
    if says_nothing(kind):
        return cancel
    outcome = judged(error, classify)
    return record_failure if outcome is None else recording(outcome)


def required(classify: Classify) -> Classify:
    if not callable(classify):
        raise TypeError(f"classify must be a function of an exception, not {type(classify).__name__}")
    return classify


def report(status: int) -> None:
    """What a block or a guarded call cannot raise. A permit that is consumed the block has settled by its handle."""
    if status < 0 and status != _abi.TRIP_E_CONSUMED:
        _log.warning("a call could not be recorded: %s", failure(status))
