"""What the demo replays: the times, the failure modes, the load, the timeouts and how all of it is scaled.

One place for every number; run.py writes it out as scenario.json, which stand-ins, clients and the report read. Nothing
here opens a socket or starts a process. In the file, instants are microseconds of the replay, from its start.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import trip

FROM = datetime(2023, 11, 8, 12, 50, tzinfo=UTC)
UNTIL = datetime(2023, 11, 8, 16, 50, tzinfo=UTC)
SECONDS = 24.0  # 240 minutes at 10 minutes a second
SEED = 20231108

SIDES = ("without", "with")
LANGUAGES = ("python", "rust", "go")
TENANTS = ("acme", "globex")
PROVIDERS = ("openai", "anthropic")

CALLS_A_SECOND = 10  # of each language, tenant and provider
TIMEOUT_S = 1.5
OPEN_FIRST_S = 0.25
OPEN_LONGEST_S = 2.0
OPEN_MULTIPLIER = 2.0
FAILURE_THRESHOLD = 5
ANSWER_MS = (20.0, 60.0, 32.0)  # how long a healthy provider takes: shortest, longest, most frequent
ERROR_MS = (4.0, 12.0, 6.0)  # a provider that says no says it faster

INCIDENT = {
    "provider": "openai",
    "whose": "OpenAI's API",
    "from": "2023-11-08T13:54:00Z",
    "until": "2023-11-08T15:46:00Z",
    "id": "00fpy0yxrx1q",
    "attribution": (
        "its status page, incident 00fpy0yxrx1q, as collected in the data set of “An Empirical Characterization of "
        "Outages and Incidents in Public Services for Large Language Models” (ICPE 2025, Zenodo record 14018219)"
    ),
    "ours": (
        "The status page says that the API was down and from when to when. How it failed within that time (529, 500, "
        "hangs, refused connections, cut bodies), globex's rate limit, the callers' own mistakes, latencies and load "
        "are ours."
    ),
}


@dataclass(frozen=True)
class Spell:
    """A stretch of time in which a provider fails in one way: for everybody, or for one tenant's key."""

    provider: str
    since: str
    until: str
    mode: str
    says: str
    tenant: str | None = None
    asks_wait: timedelta | None = None  # how long to stay away, in the provider's time


@dataclass(frozen=True)
class Mistake:
    """A stretch of time in which a tenant sends a provider in good health what it must turn down."""

    provider: str
    tenant: str
    since: str
    until: str
    status: int
    says: str
    lacks: str | None = None  # the member that is missing in the body
    key: str | None = None  # what is sent for a key


SPELLS = (
    # What a limit of 200 requests a day gives back next, it gives back after a 200th of a day.
    Spell("openai", "12:55", "13:35", "429", "429", tenant="globex", asks_wait=timedelta(days=1) / 200),
    Spell("openai", "13:54", "14:10", "529", "529"),
    Spell("openai", "14:10", "14:20", "500", "500"),
    Spell("openai", "14:20", "14:50", "hangs", "hangs"),
    Spell("openai", "14:50", "15:20", "refuses", "refuses connections"),
    Spell("openai", "15:20", "15:46", "cuts", "cuts bodies"),
)

MISTAKES = (
    Mistake("anthropic", "acme", "13:00", "13:30", 400, "lack max_tokens", lacks="max_tokens"),
    Mistake("anthropic", "globex", "15:00", "15:30", 401, "have a wrong key", key="demo-anthropic-of-last-year"),
)

# What an operator does when all calls are over.
ORDER: dict[str, Any] = {"tenant": "acme", "provider": "openai", "reason": "rotating acme's key", "ttl_us": 60_000_000}

PROMPT = "Say in one sentence what a circuit breaker is for."
REQUESTS: dict[str, dict[str, Any]] = {
    "openai": {
        "path": "/v1/chat/completions",
        "key_header": ("authorization", "Bearer {key}"),
        "headers": {},
        "body": {"model": "gpt-4-0613", "messages": [{"role": "user", "content": PROMPT}]},
    },
    "anthropic": {
        "path": "/v1/messages",
        "key_header": ("x-api-key", "{key}"),
        "headers": {"anthropic-version": "2023-06-01"},
        "body": {"model": "claude-2.0", "max_tokens": 256, "messages": [{"role": "user", "content": PROMPT}]},
    },
}


def api_key(tenant: str, provider: str) -> str:
    return f"demo-{provider}-{tenant}"


def build(seconds: float) -> dict[str, Any]:
    """The whole replay squeezed into `seconds`. Open periods shrink with it, so that they stay the same share of the
    outage; load and timeout do not, so that a short replay is a small one and no slower a machine's undoing."""
    speed = (UNTIL - FROM).total_seconds() / seconds
    scale = seconds / SECONDS
    return {
        "from": _text(FROM),
        "until": _text(UNTIL),
        "seconds": seconds,
        "speed": speed,
        "seed": SEED,
        "incident": INCIDENT,
        "timeout_us": round(TIMEOUT_S * 1e6),
        "circuit": {
            "failure_threshold": FAILURE_THRESHOLD,
            "initial_open_us": round(OPEN_FIRST_S * scale * 1e6),
            "max_open_us": round(OPEN_LONGEST_S * scale * 1e6),
            "backoff_multiplier": OPEN_MULTIPLIER,
            "counts_as": _effects(),
        },
        "answer_ms": ANSWER_MS,
        "error_ms": ERROR_MS,
        "sides": SIDES,
        "languages": LANGUAGES,
        "tenants": TENANTS,
        "providers": PROVIDERS,
        "keys": {provider: {api_key(tenant, provider): tenant for tenant in TENANTS} for provider in PROVIDERS},
        "spells": [_spell(spell, speed) for spell in SPELLS],
        "mistakes": [_mistake(mistake, speed) for mistake in MISTAKES],
        "order": ORDER | {"body": json.dumps(REQUESTS[ORDER["provider"]]["body"])},
        "calls_a_second": CALLS_A_SECOND,
        "lanes": [
            _lane(language, tenant, provider, speed, seconds)
            for provider in PROVIDERS
            for tenant in TENANTS
            for language in LANGUAGES
        ],
    }


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _effects() -> dict[str, str]:
    """What each class of outcome counts as, where nobody says otherwise, as here: the library's word, not ours."""
    config = trip.Config()
    effects = {trip.StatusClass.SUCCESS: trip.Effect.SUCCESS} | {
        kind: trip.Effect(getattr(config, f"on_{kind.name.lower()}"))
        for kind in trip.StatusClass
        if kind is not trip.StatusClass.SUCCESS
    }
    return {kind.name.lower().replace("_", "-"): effect.name.lower() for kind, effect in effects.items()}


def _micros(clock: str, speed: float) -> int:
    hour, minute = map(int, clock.split(":"))
    return round((FROM.replace(hour=hour, minute=minute) - FROM) / timedelta(microseconds=1) / speed)


def _spell(spell: Spell, speed: float) -> dict[str, Any]:
    asks_wait = spell.asks_wait or timedelta()
    return {
        "provider": spell.provider,
        "tenant": spell.tenant,
        "mode": spell.mode,
        "says": spell.says,
        "asks_wait_ms": round(asks_wait / timedelta(milliseconds=1) / speed),
        "from_us": _micros(spell.since, speed),
        "until_us": _micros(spell.until, speed),
    }


def _mistake(mistake: Mistake, speed: float) -> dict[str, Any]:
    return {
        "provider": mistake.provider,
        "tenant": mistake.tenant,
        "status": mistake.status,
        "says": mistake.says,
        "from_us": _micros(mistake.since, speed),
        "until_us": _micros(mistake.until, speed),
    }


def _lane(language: str, tenant: str, provider: str, speed: float, seconds: float) -> dict[str, Any]:
    """One caller: what it sends, and when. Open loop: a call starts when its time has come, whatever became of the one
    before. Each call has a slot of its own, so the load is even, and falls anywhere in it, so that no two lanes beat in
    time."""
    dice = random.Random(f"{SEED}/{language}/{tenant}/{provider}")
    slot = 1_000_000 / CALLS_A_SECOND
    return {
        "language": language,
        "tenant": tenant,
        "provider": provider,
        "path": REQUESTS[provider]["path"],
        "requests": _requests(tenant, provider, speed),
        "at_us": [int((place + dice.random()) * slot) for place in range(int(seconds * CALLS_A_SECOND))],
    }


def _requests(tenant: str, provider: str, speed: float) -> list[dict[str, Any]]:
    """What a lane sends, and from when on. No client knows that some of it is a mistake."""
    right = _request(tenant, provider)
    requests = [{"from_us": 0, **right}]
    for mistake in MISTAKES:
        if (mistake.tenant, mistake.provider) == (tenant, provider):
            wrong = _request(tenant, provider, mistake)
            requests += [{"from_us": _micros(mistake.since, speed), **wrong}]
            requests += [{"from_us": _micros(mistake.until, speed), **right}]
    return requests


def _request(tenant: str, provider: str, mistake: Mistake | None = None) -> dict[str, Any]:
    request = REQUESTS[provider]
    body = {name: value for name, value in request["body"].items() if not mistake or name != mistake.lacks}
    name, value = request["key_header"]
    key = (mistake and mistake.key) or api_key(tenant, provider)
    headers = {"content-type": "application/json", name: value.format(key=key), **request["headers"]}
    return {"headers": headers, "body": json.dumps(body)}
