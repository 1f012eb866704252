#!/usr/bin/env python3
"""Proves that the suites of this folder can fail: breaks lib/word.c in one place after the other, and each time one of
their assertions must say so. A survivor, a fragment that is not there exactly once, or a mutant that does not compile
or dies otherwise is an error. Owns the list of mutants; never changes the tree.

    tests/word/mutants.py [another word.c]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORD = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "lib" / "word.c"
COMPILE = ["gcc", "-std=c11", "-O1", f"-I{ROOT / 'include'}", f"-I{ROOT / 'lib'}", f"-I{HERE}"]
SUITES = {"random": ["--steps", "300000"], "exhaustive": []}
QUICK_ONES_FIRST = [
    ("random", "lives"),
    *(("exhaustive", case) for case in ("words", "closed", "open", "half-open", "tallied")),
]
ALONGSIDE = ["model", "twin"]
SECONDS = 120
CHECK_LIBS = subprocess.check_output(["pkg-config", "--libs", "check"], text=True).split()
ASSERTION = re.compile(r"^\S+?:\d+:F:[^:]*:(\w+):\d+: (.*?)(?:: (?:seed|word) .*| failed: .*)?$", re.MULTILINE)

MUTANTS = [
    # Time
    ("a stamp is rounded down", "ns / TRIP_NS_PER_MS + (ns % TRIP_NS_PER_MS != 0)", "ns / TRIP_NS_PER_MS"),
    (
        "a stamp of a whole millisecond is rounded up too",
        "ns / TRIP_NS_PER_MS + (ns % TRIP_NS_PER_MS != 0)",
        "ns / TRIP_NS_PER_MS + 1",
    ),
    (
        "the stamp of a moment past the last one wraps",
        "return smaller(ns / TRIP_NS_PER_MS + (ns % TRIP_NS_PER_MS != 0), TRIP_STAMP_MAX);",
        "return ns / TRIP_NS_PER_MS + (ns % TRIP_NS_PER_MS != 0);",
    ),
    ("the stamp after the last one wraps", "return smaller(stamp + 1, TRIP_STAMP_MAX);", "return stamp + 1;"),
    ("a time past the end of the clock wraps", "return a > UINT64_MAX - b ? UINT64_MAX : a + b;", "return a + b;"),
    (
        "an open deadline is its stamp",
        "trip_word_stamp(word) * TRIP_NS_PER_MS - (word & UNITS_MAX) * NS_PER_UNIT",
        "trip_word_stamp(word) * TRIP_NS_PER_MS",
    ),
    (
        "a quarter of a lease is rounded down",
        "lease_ns + lease_ns * quarters / 4",
        "lease_ns + lease_ns / 4 * quarters",
    ),
    ("a lease ignores its quarters", "lease_ns + lease_ns * quarters / 4", "lease_ns"),
    # Jitter
    ("no jitter", "return period + (period >> 32) * share + ((period & UINT32_MAX) * share >> 32);", "return period;"),
    ("jitter forgets the low half of the period", " + ((period & UINT32_MAX) * share >> 32);", ";"),
    ("jitter forgets the high half of the period", "period + (period >> 32) * share + ", "period + "),
    ("jitter is the same for all keys", "mix(setting->salt + epoch *", "mix(epoch *"),
    (
        "jitter is the same in all epochs",
        "mix(setting->salt + epoch * UINT64_C(0x9E3779B97F4A7C15))",
        "mix(setting->salt)",
    ),
    ("jitter is not scaled by the policy", "setting->policy->jitter * draw >> 32;", "draw;"),
    ("jitter mixes once", "x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);", ""),
    (
        "the salt joins tenant and provider without their lengths",
        "hash = (hash ^ len[i]) * UINT64_C(0x100000001B3);",
        "",
    ),
    (
        "the salt multiplies before it takes a byte",
        "hash = (hash ^ text[i][j]) * UINT64_C(0x100000001B3);",
        "hash = hash * UINT64_C(0x100000001B3) ^ text[i][j];",
    ),
    # Words
    (
        "a new closed word takes any stamp",
        "make(TRIP_WORD_CLOSED, slow, smaller(stamp, TRIP_STAMP_MAX), 0)",
        "make(TRIP_WORD_CLOSED, slow, stamp, 0)",
    ),
    (
        "a vacant word forgets its stamp",
        "make(TRIP_WORD_VACANT, 0, smaller(stamp, TRIP_STAMP_MAX), 0)",
        "make(TRIP_WORD_VACANT, 0, 0, 0)",
    ),
    ("closing loses the slow bit", "make(TRIP_WORD_CLOSED, from & TRIP_WORD_SLOW,", "make(TRIP_WORD_CLOSED, 0,"),
    ("opening loses the slow bit", "make(TRIP_WORD_OPEN, word & TRIP_WORD_SLOW,", "make(TRIP_WORD_OPEN, 0,"),
    ("probing loses the slow bit", "make(TRIP_WORD_HALF_OPEN, from & TRIP_WORD_SLOW,", "make(TRIP_WORD_HALF_OPEN, 0,"),
    (
        "closing may set the stamp back",
        "from & TRIP_WORD_SLOW, larger(trip_word_stamp_at(now), trip_word_stamp(from)), 0)",
        "from & TRIP_WORD_SLOW, trip_word_stamp_at(now), 0)",
    ),
    (
        "closing keeps the stamp",
        "from & TRIP_WORD_SLOW, larger(trip_word_stamp_at(now), trip_word_stamp(from)), 0)",
        "from & TRIP_WORD_SLOW, trip_word_stamp(from), 0)",
    ),
    (
        "opening may set the stamp back",
        "larger(trip_word_stamp_at(deadline), next_stamp(trip_word_stamp(word)))",
        "trip_word_stamp_at(deadline)",
    ),
    (
        "opening may keep the stamp",
        "larger(trip_word_stamp_at(deadline), next_stamp(trip_word_stamp(word)))",
        "larger(trip_word_stamp_at(deadline), trip_word_stamp(word))",
    ),
    ("an open deadline is rounded up to its millisecond", "smaller((end - deadline) / NS_PER_UNIT, UNITS_MAX)", "0"),
    (
        "an open deadline is rounded down",
        "smaller((end - deadline) / NS_PER_UNIT, UNITS_MAX)",
        "smaller((end - deadline) / NS_PER_UNIT + 1, UNITS_MAX)",
    ),
    (
        "units flow over into the level",
        "smaller((end - deadline) / NS_PER_UNIT, UNITS_MAX)",
        "(end - deadline) / NS_PER_UNIT",
    ),
    ("opening forgets the level", "level << UNITS_BITS | units", "units"),
    ("forgetting probes keeps the epoch", "    p.stamp = next_stamp(p.stamp);\n", ""),
    (
        "forgetting probes keeps them",
        "    p.stamp = next_stamp(p.stamp);\n    p.out = p.quarters = 0;\n",
        "    p.stamp = next_stamp(p.stamp);\n",
    ),
    # Leases and expiry
    (
        "a lease that ends now is extended",
        "while (lease_deadline(&q, setting->policy) < wanted)",
        "while (lease_deadline(&q, setting->policy) <= wanted)",
    ),
    (
        "a lease is extended by one quarter too few",
        "if (++q.quarters > QUARTERS_MAX)",
        "if (++q.quarters >= QUARTERS_MAX)",
    ),
    (
        "an extension flows over into the successes",
        "if (++q.quarters > QUARTERS_MAX)",
        "if (++q.quarters > QUARTERS_MAX + 1)",
    ),
    ("an extended lease stays as it was", "    *p = q;\n", ""),
    ("nothing expires", "if (p.out == 0 || setting->now < end)", "if (true)"),
    (
        "a lease ends one nanosecond late",
        "if (p.out == 0 || setting->now < end)",
        "if (p.out == 0 || setting->now <= end)",
    ),
    ("a lease without probes expires", "if (p.out == 0 || setting->now < end)", "if (setting->now < end)"),
    (
        "expiry takes a lost probe for the opposite",
        "setting->policy->on_drop == TRIP_DROP_FAILURE && !can_lose",
        "setting->policy->on_drop != TRIP_DROP_FAILURE && !can_lose",
    ),
    ("expiry opens silently", "*out_opened = true;", ""),
    (
        "the open period after expiry begins when it is noticed",
        "open_from(word, end, ",
        "open_from(word, setting->now, ",
    ),
    (
        "expiry keeps the level",
        "open_from(word, end, smaller(p.level + 1, LEVEL_MAX), setting)",
        "open_from(word, end, p.level, setting)",
    ),
    (
        "the level passes its last at expiry",
        "open_from(word, end, smaller(p.level + 1, LEVEL_MAX), setting)",
        "open_from(word, end, p.level + 1, setting)",
    ),
    (
        "expiry to half-open keeps the epoch",
        "    p.stamp = larger(trip_word_stamp_at(end), next_stamp(p.stamp));\n",
        "",
    ),
    (
        "expiry to half-open dates the epoch to its beginning",
        "larger(trip_word_stamp_at(end), next_stamp(p.stamp))",
        "next_stamp(p.stamp)",
    ),
    (
        "expiry to half-open keeps the probes",
        "next_stamp(p.stamp));\n    p.out = p.quarters = 0;\n",
        "next_stamp(p.stamp));\n",
    ),
    # Closed
    ("a success leaves the failures", "return go(word & ~TRIP_WORD_PAYLOAD);", "return go(word);"),
    ("a failure is not counted", "return go(word + 1);", "return go(word);"),
    (
        "one failure too few opens",
        "if (failures + 1 < setting->policy->failure_threshold)",
        "if (failures + 2 < setting->policy->failure_threshold)",
    ),
    (
        "the threshold is passed, not reached",
        "if (failures + 1 < setting->policy->failure_threshold)",
        "if (failures + 1 <= setting->policy->failure_threshold)",
    ),
    (
        "a circuit opens at the level of a failed probe",
        "return go(word + 1);\n        return go_open(word, 0, setting);",
        "return go(word + 1);\n        return go_open(word, 1, setting);",
    ),
    (
        "a cancel counts as a success",
        "    default:\n        return stay(word, TRIP_OK);",
        "    default:\n        return go(word & ~TRIP_WORD_PAYLOAD);",
    ),
    ("opening is not told", ".status = TRIP_OK, .opened = true}", ".status = TRIP_OK}"),
    # Open
    (
        "the deadline is not yet the end of the open period",
        "if (setting->now < open_deadline(word))",
        "if (setting->now <= open_deadline(word))",
    ),
    ("an open circuit grants", "if (setting->now < open_deadline(word))", "if (false)"),
    (
        "probing may set the stamp back",
        ".stamp = larger(trip_word_stamp_at(setting->now), trip_word_stamp(word)),",
        ".stamp = trip_word_stamp_at(setting->now),",
    ),
    (
        "probing keeps the stamp of the deadline",
        ".stamp = larger(trip_word_stamp_at(setting->now), trip_word_stamp(word)),",
        ".stamp = trip_word_stamp(word),",
    ),
    ("probing forgets the level", ".level = open_level(word), .out = 1}", ".out = 1}"),
    ("the first probe is not counted", ".level = open_level(word), .out = 1}", ".level = open_level(word)}"),
    # Half-open
    (
        "one probe too many",
        "if (p.out >= policy->half_open_max_probes || all_granted)",
        "if (p.out > policy->half_open_max_probes || all_granted)",
    ),
    (
        "a new row of probes keeps the old date",
        "        p.stamp = larger(trip_word_stamp_at(setting->now), p.stamp);\n",
        "",
    ),
    (
        "a new row of probes may set the stamp back",
        "p.stamp = larger(trip_word_stamp_at(setting->now), p.stamp);",
        "p.stamp = trip_word_stamp_at(setting->now);",
    ),
    ("a new row of probes keeps the quarters", "        p.quarters = 0;\n", ""),
    ("another probe does not extend the lease", "} else if (!extend_lease(&p, setting)) {", "} else if (false) {"),
    ("another probe is not counted", "    p.out++;\n", ""),
    ("a probe that was not granted can be settled", "if (p.out == 0) /*", "if (false) /*"),
    (
        "one success too few closes",
        "if (p.won + 1 >= setting->policy->half_open_successes)",
        "if (p.won + 2 >= setting->policy->half_open_successes)",
    ),
    (
        "one success too many is needed",
        "if (p.won + 1 >= setting->policy->half_open_successes)",
        "if (p.won >= setting->policy->half_open_successes)",
    ),
    ("a success is not counted", "        p.won++;\n", ""),
    ("a settled probe stays out", "    p.out--;\n", ""),
    (
        "a cancel keeps its probe out",
        "default: /* cancelled */\n        break;",
        "default: /* cancelled */\n        return stay(word, TRIP_OK);",
    ),
    (
        "a failed probe keeps the level",
        "return go_open(word, smaller(p.level + 1, LEVEL_MAX), setting);",
        "return go_open(word, p.level, setting);",
    ),
    (
        "the level passes its last at a failed probe",
        "return go_open(word, smaller(p.level + 1, LEVEL_MAX), setting);",
        "return go_open(word, p.level + 1, setting);",
    ),
    (
        "a renewal does nothing",
        "return extend_lease(&p, setting) ? go(half_open(word, &p, setting->policy)) : stay(word, TRIP_E_CAPACITY);",
        "return stay(word, TRIP_OK);",
    ),
    ("a renewal out of reach passes for done", "stay(word, TRIP_E_CAPACITY)", "stay(word, TRIP_OK)"),
    # Judging
    (
        "a vacant place is judged",
        "        return stay(word, TRIP_E_HANDLE);\n",
        "        return stay(word, TRIP_OK);\n",
    ),
    (
        "stale permits are settled",
        "if (!asks && (current != word || trip_word_epoch(word) != epoch))",
        "if (false)",
    ),
    (
        "a permit is settled after its lease",
        "(current != word || trip_word_epoch(word) != epoch)",
        "(trip_word_epoch(word) != epoch)",
    ),
    (
        "a permit of the epoch that expiry begins is settled",
        "(current != word || trip_word_epoch(word) != epoch)",
        "(trip_word_epoch(current) != epoch)",
    ),
    (
        "permits of another epoch are settled",
        "(current != word || trip_word_epoch(word) != epoch)",
        "(current != word)",
    ),
    ("asking needs an epoch", "if (!asks && (current", "if ((current"),
    (
        "a drop counts as the opposite",
        "event = setting->policy->on_drop == TRIP_DROP_FAILURE ? TRIP_ON_FAILURE : TRIP_ON_CANCEL;",
        "event = setting->policy->on_drop == TRIP_DROP_FAILURE ? TRIP_ON_CANCEL : TRIP_ON_FAILURE;",
    ),
    (
        "any settlement of an open circuit asks for a probe",
        "verdict = asks ? step_open(current, event, setting) : stay(word, TRIP_STALE);",
        "verdict = step_open(current, event, setting);",
    ),
    ("an opening by expiry is not told", "    verdict.opened |= opened;\n", ""),
    ("a lost probe is not told", "    verdict.lost = current != word;\n", ""),
    ("only a lost probe that opens is told", "verdict.lost = current != word;", "verdict.lost = opened;"),
    (
        "whatever changes the word is told as a lost probe",
        "verdict.lost = current != word;",
        "verdict.lost = verdict.word != word;",
    ),
    # What the provider asks for
    ("an open period ends before the provider wants calls", "larger(deadline, setting->not_before)", "deadline"),
    (
        "an open period ends when the provider wants calls",
        "larger(deadline, setting->not_before)",
        "setting->not_before",
    ),
    (
        "a hint brings the end nearer",
        "return larger(setting->now, open_deadline(word)) < setting->not_before",
        "return setting->now < setting->not_before",
    ),
    (
        "a hint that is over begins another period",
        "return larger(setting->now, open_deadline(word)) < setting->not_before",
        "return open_deadline(word) < setting->not_before",
    ),
    (
        "a hint for the very end puts it off",
        "return larger(setting->now, open_deadline(word)) < setting->not_before",
        "return larger(setting->now, open_deadline(word)) <= setting->not_before",
    ),
    (
        "a hint puts nothing off",
        "return larger(setting->now, open_deadline(word)) < setting->not_before",
        "return false",
    ),
    (
        "a hint sets the level back",
        "go(trip_word_open_until(word, setting->not_before, open_level(word)))",
        "go(trip_word_open_until(word, setting->not_before, 0))",
    ),
    (
        "a hint counts as an opening",
        "? go(trip_word_open_until(word, setting->not_before, open_level(word)))",
        "? go_open(word, open_level(word), setting)",
    ),
    (
        "a hint asks for a probe",
        "    if (event == TRIP_ON_HINT)\n        return stay(word, TRIP_OK);\n",
        "",
    ),
    (
        "a hint can be stale",
        "    bool asks = concerns_any_epoch(event);\n",
        "    bool asks = event == TRIP_ON_PERMIT || event > TRIP_ON_HINT;\n",
    ),
    (
        "a hint needs no clock",
        "    if (!concerns_any_epoch(event) && trip_word_epoch(word) != epoch)\n        return false;\n",
        "    if (event != TRIP_ON_PERMIT && event <= TRIP_ON_HINT && trip_word_epoch(word) != epoch)\n"
        "        return false;\n",
    ),
    # More than an outcome
    (
        "a trip does not open",
        "    case TRIP_ON_TRIP:\n        return go_open(word, 0, setting);\n",
        "",
    ),
    (
        "a trip opens at the level of a failed probe",
        "    case TRIP_ON_TRIP:\n        return go_open(word, 0, setting);\n",
        "    case TRIP_ON_TRIP:\n        return go_open(word, 1, setting);\n",
    ),
    (
        "a trip settles a probe",
        "    case TRIP_ON_TRIP:\n        return stay(word, TRIP_OK);\n",
        "    case TRIP_ON_TRIP:\n        break;\n",
    ),
    (
        "a trip opens a circuit that probes",
        "    case TRIP_ON_TRIP:\n        return stay(word, TRIP_OK);\n",
        "    case TRIP_ON_TRIP:\n",
    ),
    ("a trip needs no clock", " || event == TRIP_ON_TRIP || event > TRIP_ON_HINT)\n", " || event > TRIP_ON_HINT)\n"),
    # Told from outside
    (
        "failures from outside are added",
        "return trip_word_bare(word) | failures;",
        "return word + failures;",
    ),
    (
        "failures from outside forget that the circuit is slow",
        "return trip_word_bare(word) | failures;",
        "return (trip_word_bare(word) & ~TRIP_WORD_SLOW) | failures;",
    ),
    # M of N probes
    (
        "one probe that fails opens",
        "return p->lost + policy->half_open_successes <= policy->half_open_probes;",
        "return false;",
    ),
    (
        "opens when M can still be reached",
        "return p->lost + policy->half_open_successes <= policy->half_open_probes;",
        "return p->lost + policy->half_open_successes < policy->half_open_probes;",
    ),
    (
        "waits when M can no longer be reached",
        "return p->lost + policy->half_open_successes <= policy->half_open_probes;",
        "return p->lost + policy->half_open_successes <= policy->half_open_probes + 1;",
    ),
    ("a probe that failed is forgotten", "    p->lost += failed;\n", ""),
    (
        "expiry loses one probe of those out",
        "!can_lose(&p, p.out, setting->policy)",
        "!can_lose(&p, 1, setting->policy)",
    ),
    (
        "more probes are granted than N",
        "bool all_granted = may_lose(policy) && p.out > 0 && p.out + p.won + p.lost >= policy->half_open_probes;",
        "bool all_granted = false;",
    ),
    (
        "probes that failed are granted again",
        "p.out > 0 && p.out + p.won + p.lost >= policy",
        "p.out > 0 && p.out + p.won >= policy",
    ),
    (
        "probes that succeeded are granted again",
        "p.out > 0 && p.out + p.won + p.lost >= policy",
        "p.out > 0 && p.out + p.lost >= policy",
    ),
    (
        "N bounds probes where none may fail",
        "bool all_granted = may_lose(policy) && p.out",
        "bool all_granted = p.out",
    ),
    (
        "as many as must succeed is enough to lose some",
        "return policy->half_open_probes > policy->half_open_successes;",
        "return policy->half_open_probes >= policy->half_open_successes;",
    ),
    ("the tally of the lost is written elsewhere", "p->won << 10 | p->lost << 6 :", "p->won << 10 | p->lost << 5 :"),
    ("the tally of the lost is not read", "        p.lost = word >> 6 & 15;\n", ""),
    # Looking
    (
        "only closed circuits need a clock to fail",
        "    if (trip_word_state_of(word) != TRIP_WORD_CLOSED || event == TRIP_ON_TRIP || event > TRIP_ON_HINT)\n",
        "    if (event == TRIP_ON_TRIP)\n",
    ),
    (
        "the failure that opens needs no clock",
        "return fails && (word & TRIP_WORD_PAYLOAD) + 1 >=",
        "return fails && (word & TRIP_WORD_PAYLOAD) >=",
    ),
    (
        "the drop that opens needs no clock",
        " || (event == TRIP_ON_DROP && policy->on_drop == TRIP_DROP_FAILURE);",
        ";",
    ),
    ("everything needs a clock", "return fails && (word", "return true || (word"),
    (
        "an epoch that is over needs no clock but any does",
        "    if (!concerns_any_epoch(event) && trip_word_epoch(word) != epoch)\n        return false;\n",
        "    if (trip_word_epoch(word) != epoch)\n        return false;\n",
    ),
    (
        "a lease without probes has a deadline",
        "== TRIP_WORD_HALF_OPEN && p.out > 0)\n        return lease_deadline(&p, policy);",
        "== TRIP_WORD_HALF_OPEN)\n        return lease_deadline(&p, policy);",
    ),
    ("a view does not apply expiry", "    word = expire(word, setting, &opened);\n", "    opened = false;\n"),
    (
        "a view hides the failures in a row",
        "view.failures = (uint32_t)(word & TRIP_WORD_PAYLOAD);",
        "view.failures = 0;",
    ),
    ("a view counts failures from the level alone", "policy->failure_threshold + view.level", "view.level"),
    ("a view shows the first period", "policy->open_ns[view.level]", "policy->open_ns[0]"),
    (
        "a refusal by probes waits past the lease",
        "smaller(policy->probe_retry_ns, view.lease_left_ns)",
        "policy->probe_retry_ns",
    ),
    (
        "a refusal by probes waits for the lease",
        "smaller(policy->probe_retry_ns, view.lease_left_ns)",
        "view.lease_left_ns",
    ),
    (
        "what is left is counted from the wrong side",
        "return deadline > now ? deadline - now : 0;",
        "return deadline >= now ? deadline - now + 1 : 0;",
    ),
    # Orders, and policies that are replaced
    (
        "an earlier policy's probes are the last",
        "may_lose(policy) && p.out > 0 && p.out",
        "may_lose(policy) && p.out",
    ),
    ("an order to open needs no clock", " || event > TRIP_ON_HINT)\n", " || event == TRIP_ON_RESET)\n"),
    ("a reset needs no clock", " || event > TRIP_ON_HINT)\n", " || event == TRIP_ON_OPEN)\n"),
    (
        "a reset looks at the lease first",
        "return go(closed_anew(word, setting->now));",
        "return go(closed_anew(expire(word, setting, &(bool){false}), setting->now));",
    ),
    (
        "a reset of a closed circuit keeps its epoch",
        "? next_stamp(trip_word_stamp(from)) : 0;",
        "? trip_word_stamp(from) : 0;",
    ),
    ("a reset forgets the slow bit", "passed), from & TRIP_WORD_SLOW);", "passed), 0);"),
    ("an order shortens an open period", "larger(setting->not_before, open_deadline(word));", "setting->not_before;"),
    ("an order to open forgets the level", "? 0 : open_level(word), &at_least", "? 0 : 0, &at_least"),
    (
        "an order to open is a failed probe",
        "? 0 : open_level(word), &at_least",
        "? 0 : smaller(open_level(word) + 1, LEVEL_MAX), &at_least",
    ),
    (
        "fifteen probes are too many to tally",
        "policy->half_open_max_probes <= TRIP_TALLIED_PROBES_MAX",
        "policy->half_open_max_probes < TRIP_TALLIED_PROBES_MAX",
    ),
    (
        "successes do not count for the layout",
        " &&\n                                policy->half_open_successes <= TRIP_TALLIED_PROBES_MAX",
        "",
    ),
]


def compile_c(source, target):
    return subprocess.run([*COMPILE, "-w", "-c", source, "-o", target], capture_output=True, text=True)


def run_suites(word_c, room):
    """The first failing assertion, or None when all pass."""
    built = compile_c(word_c, room / "word.o")
    if built.returncode != 0:
        raise RuntimeError(f"does not compile: {built.stderr.splitlines()[0]}")
    for suite in SUITES:
        objects = [room.parent / f"{part}.o" for part in (suite, *ALONGSIDE)]
        subprocess.run(["gcc", *objects, room / "word.o", "-o", room / suite, *CHECK_LIBS], check=True)
    for suite, case in QUICK_ONES_FIRST:
        run = subprocess.run(
            [room / suite, *SUITES[suite]],
            env={**os.environ, "CK_RUN_CASE": case},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        failed = ASSERTION.search(run.stdout)
        if failed:
            return f"{failed[1]}: {failed[2]}"
        if run.returncode != 0:
            raise RuntimeError(f"{suite} died without an assertion: {run.stdout[-300:]}")
    return None


def judge(mutant, room):
    name, fragment, replacement = mutant
    source = WORD.read_text()
    try:
        if source.count(fragment) != 1:
            raise RuntimeError(f"the fragment is there {source.count(fragment)} times, not once")
        room.mkdir()
        (room / "word.c").write_text(source.replace(fragment, replacement))
        caught = run_suites(room / "word.c", room)
    except (RuntimeError, subprocess.SubprocessError) as problem:
        return False, f"ERROR    {name}: {problem}"
    return caught is not None, f"{'caught  ' if caught else 'SURVIVED'} {name}" + (f"  <-  {caught}" if caught else "")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for part in (*SUITES, *ALONGSIDE):
            built = compile_c(HERE / f"{part}.c", folder / f"{part}.o")
            if built.returncode != 0:
                sys.exit(built.stderr)
        (folder / "unbroken").mkdir()
        complaint = run_suites(WORD, folder / "unbroken")
        if complaint:
            sys.exit(f"the unbroken word fails: {complaint}")
        passed = 0
        with ThreadPoolExecutor(max_workers=2) as pool:
            rooms = [folder / str(number) for number in range(len(MUTANTS))]
            for caught, line in pool.map(judge, MUTANTS, rooms):
                passed += caught
                print(line, flush=True)
    print(f"{passed} passed, {len(MUTANTS) - passed} failed")
    return passed != len(MUTANTS)


if __name__ == "__main__":
    sys.exit(main())
