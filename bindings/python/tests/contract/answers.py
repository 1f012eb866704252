"""Owns how vectors write what trip takes, and how what trip answers is shown to them."""

from __future__ import annotations

from typing import Any

import trip

SELECTORS = {
    "TRIP_BACKOFF_": trip.Backoff,
    "TRIP_DROP_": trip.OnDrop,
    "TRIP_CLOCK_": trip.Clock,
    "TRIP_EFFECT_": trip.Effect,
    "TRIP_JITTER_": trip.Jitter,
    "TRIP_ADAPT_": trip.Adapt,
    "TRIP_ORDER_": trip.Order,
    "TRIP_FALLBACK_": trip.Fallback,
    "TRIP_RULE_": trip.Rule,
}
DOUBLES = ("NaN", "Infinity", "-Infinity")


class Mismatch(AssertionError):
    """The library answered something else than the vector expects."""


def fields_of(written: dict[str, Any]) -> dict[str, Any]:
    """The fields of a config."""
    return {name: _value(value) for name, value in written.items()}


def _value(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    if written in DOUBLES:
        return float(written)
    prefix = next(prefix for prefix in SELECTORS if written.startswith(prefix))
    return SELECTORS[prefix][written[len(prefix) :]]


def text(written: Any) -> str:
    if isinstance(written, dict):
        repeated, times = (written[key] for key in ("repeat", "times"))
        return str(repeated) * int(times)
    return str(written)


def counted(counts: bool) -> dict[str, Any]:
    return {"status": "TRIP_OK" if counts else "TRIP_STALE"}


def rejection(refused: trip.Rejection) -> dict[str, Any]:
    return {
        "status": f"TRIP_REJECTED_{refused.reason.name}",
        "state": f"TRIP_STATE_{refused.state.name}",
        "failures": refused.failures,
        "retry_after_ns": refused.retry_after_ns,
        "open_duration_ns": refused.open_duration_ns,
    }
