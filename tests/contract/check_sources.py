#!/usr/bin/env python3
"""Checks the vector files and where they say they come from: format, names, SOURCES.md, docs/differences.md, and the
reference libraries where their sources lie beside the repository. Runs no vector."""

import re
import sys
from collections import Counter

import vector_format
from vector_format import Fault, require

REPOSITORY = vector_format.FOLDER.parents[1]
SOURCES = vector_format.FOLDER / "SOURCES.md"
DIFFERENCES = REPOSITORY / "docs" / "differences.md"
REFERENCE = REPOSITORY.parent / "shared" / "reference"
LIBRARIES = ("heartbit-core", "awaken-runtime", "brainwires-call-policy", "llm-agent-runtime")


class Skip(Exception):
    """What a check compares with is not here."""


def vectors():
    for path in vector_format.files():
        try:
            for vector in vector_format.read_file(path):
                yield path.name, vector
        except (Fault, ValueError) as fault:
            raise Fault(f"{path.name}: {fault}") from None


def as_set(items):
    """The items, of which none may stand twice."""
    counted = Counter(items)
    twice = [item for item, count in counted.items() if count > 1]
    require(not twice, f"twice: {twice}")
    return set(counted)


def require_equal(here, there, what):
    require(here == there, f"{what}: only here {sorted(here - there)}, only there {sorted(there - here)}")


# ---- SOURCES.md ----


def cell_names(cell):
    """`a`, `b` or, for a row of numbered vectors, `a-1` to `9`."""
    numbered = re.fullmatch(r"`(.+-)(\d+)` to `(\d+)`", cell)
    if numbered:
        first, last = int(numbered[2]), int(numbered[3])
        return [f"{numbered[1]}{number}" for number in range(first, last + 1)]
    return re.findall(r"`([^`]+)`", cell)


def sections():
    """Title and table rows of each part of SOURCES.md."""
    for part in re.split(r"^## ", SOURCES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        named = re.fullmatch(r"(.+) \((\d+)\)", title)
        require(named, f"SOURCES.md: {title!r} does not say how many")
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if "`" in line]
        require(len(rows) == int(named[2]), f"SOURCES.md: {title} has {len(rows)} rows")
        yield named[1], rows


def listed():
    """Every (library, test, vector) of the tables, and every (library, test) that is left out."""
    triples, left_out = [], []
    for title, rows in sections():
        if title == "Left out":
            left_out += [(library, cell_names(test)[0]) for library, test, _ in rows]
        else:
            triples += [(title, cell_names(test)[0], name) for test, names, _ in rows for name in cell_names(names)]
    return as_set(triples), as_set(left_out)


# ---- The checks ----


def vectors_follow_the_format():
    for file, vector in vectors():
        try:
            vector_format.check_vector(vector)
        except Fault as fault:
            raise Fault(f"{file}: {vector.get('name')}: {fault}") from None


def names_are_unique():
    as_set(vector["name"] for _, vector in vectors())


def table_and_sources_agree():
    sources = [(vector["source"], vector["name"]) for _, vector in vectors() if "test" in vector["source"]]
    named = as_set((source["library"], source["test"], name) for source, name in sources)
    require_equal(named, listed()[0], "vectors and SOURCES.md")


def every_reference_test_is_kept_or_left_out():
    if not REFERENCE.is_dir():
        raise Skip(f"{REFERENCE.name}/ is not here")
    found = set()
    for library in LIBRARIES:
        (path,) = REFERENCE.glob(f"{library}_*")
        tests = re.findall(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:async )?fn (\w+)\(", path.read_text(encoding="utf-8"))
        found |= {(library, test) for test in tests}
    triples, left_out = listed()
    kept = {(library, test) for library, test, _ in triples}
    require(not kept & left_out, f"kept and left out: {sorted(kept & left_out)}")
    require_equal(kept | left_out, found, "SOURCES.md and the reference libraries")


def differences_are_rows_of_the_table():
    if not DIFFERENCES.is_file():
        raise Skip("docs/differences.md is not here")
    table = DIFFERENCES.read_text(encoding="utf-8").replace("`", "")
    rows = {vector["differs"] for _, vector in vectors() if "differs" in vector}
    absent = sorted(row for row in rows if row not in table)
    require(not absent, f"not in docs/differences.md: {absent}")


CHECKS = [
    vectors_follow_the_format,
    names_are_unique,
    table_and_sources_agree,
    every_reference_test_is_kept_or_left_out,
    differences_are_rows_of_the_table,
]


def main():
    results = Counter()
    for check in CHECKS:
        try:
            check()
            result, why = "passed", ""
        except Skip as skip:
            result, why = "skipped", f": {skip}"
        except Fault as fault:
            result, why = "failed", f": {fault}"
        results[result] += 1
        print(f"{result}: {check.__name__}{why}")
    skipped = f", {results['skipped']} skipped" if results["skipped"] else ""
    print(f"{results['passed']} passed, {results['failed']} failed{skipped}")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
