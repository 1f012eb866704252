#!/usr/bin/env python3
"""Writes draws.json: what seeded rules draw, and where sessions go, by a model of what ABI.md says of both.

The model is written from the papers, with Python's long integers and logarithms, and knows nothing of how the library
does it. What it says must stay so for ever: other processes, machines and languages go by the same numbers. `--check`
compares instead of writing.
"""

import math
import pathlib
import sys

from generate_properties import OK, file_text, write_or_check

FILE = pathlib.Path(__file__).with_name("draws.json")
MS, S = 10**6, 10**9
WORD = 2**64
RETRY = "include/trip.h, trip_retry_next"
ROUTE = "include/trip.h, trip_route_permit"


# ---- Draws: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), cut to a range by a product (Lemire, TOMACS 2019) ----


def mix(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB % WORD
    return x ^ x >> 31


class Draws:
    def __init__(self, seed):
        self.state = seed

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % WORD
        return mix(self.state)

    def between(self, least, most):
        return least + self.draw() * (most - least + 1) // WORD


# ---- SipHash-1-3 of 128 bits (Aumasson, Bernstein, 2012), whose halves name sessions and providers ----


def rotated(x, bits):
    return (x << bits | x >> (64 - bits)) % WORD


def sip_round(v0, v1, v2, v3):
    v0, v2 = (v0 + v1) % WORD, (v2 + v3) % WORD
    v1, v3 = rotated(v1, 13) ^ v0, rotated(v3, 16) ^ v2
    v0, v2 = (rotated(v0, 32) + v3) % WORD, (v2 + v1) % WORD
    return v0, rotated(v1, 17) ^ v2, rotated(v2, 32), rotated(v3, 21) ^ v0


def siphash(message):
    """Both halves, under the key 00 01 .. 0F."""
    low, high = (int.from_bytes(bytes(range(first, first + 8)), "little") for first in (0, 8))
    v = low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D ^ 0xEE, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v = sip_round(v[0], v[1], v[2], v[3] ^ word)
        v = v[0] ^ word, *v[1:]
    halves = []
    for flip in (0, 0, 0xEE), (0, 0xDD, 0):
        v = tuple(a ^ b for a, b in zip(v, (*flip, 0), strict=True))
        for _ in range(3):
            v = sip_round(*v)
        halves.append(v[0] ^ v[1] ^ v[2] ^ v[3])
    return halves


# ---- Rendezvous hashing, with weights by logarithms (Schindelhauer, Schomaker, SPAA 2005) ----


def ranking(session, providers):
    """The indexes of (name, weight) in the order in which they are asked; `session` is its number."""

    def cost(index):
        name, weight = providers[index]
        return -math.log2(mix(session ^ siphash(name.encode())[1]) / WORD) / weight

    ranked = sorted(range(len(providers)), key=cost)
    assert all(cost(b) - cost(a) > 1e-6 for a, b in zip(ranked, ranked[1:], strict=False)), "too close to tell"
    return ranked


def place_of(session, providers):
    return ranking(siphash(session.encode())[0], providers)


# ---- Retries ----


def rule(jitter, seed, **more):
    config = {"jitter": f"TRIP_JITTER_{jitter}", "seed": seed, "budget_burst": 1000, "max_attempts": 1000, **more}
    return {"do": "retry", "config": config, "as": "r", "expect": OK}


def attempt(number, delay, last=0):
    return {
        "do": "retry_next",
        "retry": "r",
        "provider": "openai",
        "attempt": number,
        "began_ns": 0,
        "class": "TRIP_CLASS_SERVER_ERROR",
        "last_delay_ns": last,
        "expect": {**OK, "delay_ns": delay},
    }


def full(seed):
    draws = Draws(seed)
    return [
        rule("FULL", seed),
        *(attempt(n, draws.between(0, min(500 * MS * 2 ** (n - 1), 60 * S))) for n in range(1, 10)),
    ]


def equal(seed):
    draws, steps = Draws(seed), [rule("EQUAL", seed, base_delay_ns=333)]
    for number in range(1, 10):
        delay = 333 * 2 ** (number - 1)
        steps.append(attempt(number, draws.between(delay - delay // 2, delay)))
    return steps


def decorrelated(seed):
    draws, steps, last = Draws(seed), [rule("DECORRELATED", seed, base_delay_ns=100 * MS, max_delay_ns=3 * S)], 0
    for number in range(1, 13):
        delay = draws.between(100 * MS, min(3 * max(last, 100 * MS), 3 * S))
        steps.append(attempt(number, delay, last))
        last = delay
    return steps


# ---- Routes ----


def route(providers, **config):
    listed = [{"provider": name, "weight": weight} for name, weight in providers]
    return {"do": "route", "tenant": "acme", "config": config, "providers": listed, "as": "rt", "expect": OK}


def permit(index, **more):
    return {"do": "route_permit", "route": "rt", **more, "as": "p", "expect": {**OK, "index": index}}


def settle(how):
    return {"do": how, "permit": "p", "expect": OK}


def weighted(seed, providers):
    draws = Draws(seed)
    steps = [route(providers, order="TRIP_ORDER_WEIGHTED", seed=seed)]
    for _ in range(16):
        steps += [permit(ranking(draws.draw(), providers)[0]), settle("success")]
    return steps


SESSIONS = [
    "0",
    "1",
    "user-17",
    "user-18",
    "9f1c2d",
    "a\x00b",
    "\u00fcber",
    "seven b",
    "eight by",
    "nine byte",
    "s" * 60,
]


def sessions(providers, order):
    steps = [route(providers, order=f"TRIP_ORDER_{order}")]
    for session in SESSIONS:
        steps += [permit(place_of(session, providers)[0], session=session), settle("success")]
    return steps


def grown(providers, name):
    """The sessions of a route, and where they are once it has a provider more."""
    more = [*providers, (name, 1)]
    moved = [session for session in SESSIONS if place_of(session, more)[0] == len(providers)]
    assert moved and len(moved) < len(SESSIONS) // 2, "none moves, or too many to show anything"
    steps = sessions(providers, "LISTED")
    steps.append({"do": "route_add", "route": "rt", "provider": name, "weight": 1, "expect": OK})
    for session in SESSIONS:
        before, after = place_of(session, providers)[0], place_of(session, more)[0]
        assert after in (before, len(providers)), "a session moves between those that stay"
        steps += [permit(after, session=session), settle("success")]
    return steps


def driven_away(session, providers):
    """Who is avoided is passed over, and so is who has failed; who is back has the session again."""
    ranked, steps, avoid = place_of(session, providers), [route(providers)], 0
    for index in ranked:
        steps += [permit(index, session=session, avoid=avoid), settle("success")]
        avoid |= 1 << index
    for index in ranked[:-1]:
        steps += [permit(index, session=session), settle("failure")]
    steps += [permit(ranked[-1], session=session), settle("success")]
    steps.append({"do": "advance", "ns": 30 * S, "expect": OK})
    return [*steps, permit(ranked[0], session=session), settle("success"), permit(ranked[0], session=session)]


# ---- Vectors ----

EQUALS = [("anthropic", 1), ("openai", 1), ("google", 1)]
UNEQUALS = [("anthropic", 1), ("openai", 3), ("google", 16)]


def vector(name, source, why, steps, config=None):
    return {"name": name, "source": {"design": source}, "why": why, "config": config or {}, "steps": steps}


def draws():
    seeds = [1, 42, 2**63 - 1]
    about = "Generated by generate_draws.py: what seeded rules draw, and where sessions go. Do not edit."
    said = "By a model: ABI.md says how."
    vectors = [
        *(vector(f"draws-full-jitter-of-seed-{seed}", RETRY, said, full(seed)) for seed in seeds),
        *(vector(f"draws-equal-jitter-of-seed-{seed}", RETRY, said, equal(seed)) for seed in seeds),
        *(vector(f"draws-decorrelated-jitter-of-seed-{seed}", RETRY, said, decorrelated(seed)) for seed in seeds),
        vector("draws-providers-of-equal-weights", ROUTE, said, weighted(7, EQUALS)),
        vector("draws-providers-of-unequal-weights", ROUTE, said, weighted(7, UNEQUALS)),
        vector("sessions-over-equal-weights", ROUTE, said, sessions(EQUALS, "LISTED")),
        vector("sessions-over-unequal-weights", ROUTE, said, sessions(UNEQUALS, "LISTED")),
        vector("sessions-whatever-the-order-is", ROUTE, said, sessions(UNEQUALS, "WEIGHTED")),
        vector("sessions-move-to-who-is-new", ROUTE, "And none moves between the others.", grown(EQUALS, "mistral")),
        *(
            vector(f"sessions-move-on-{session}", ROUTE, said, driven_away(session, UNEQUALS), {"failure_threshold": 1})
            for session in ("0", "user-17", "9f1c2d")
        ),
    ]
    return file_text(about, vectors)


if __name__ == "__main__":
    sys.exit(write_or_check(__doc__, FILE, draws()))
