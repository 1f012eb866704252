#!/usr/bin/env python3
"""Fuzzes the classifiers, the hint parser and the reader of snapshots with libFuzzer, under the address and
undefined-behaviour sanitizers. Begins with corpus/, with everything that the contract vectors say, and with the
snapshots that were released; ends after a number of runs, or seconds.

    fuzz.py [--runs N | --seconds N] [--seed N]

What breaks is kept as build/fuzz/TARGET/crash-...; put it into corpus/ together with the repair.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
SAID = ["abi", "civil_time", "classify", "error_body", "retry_hint", "symptom", "words"]
SOURCES = {"classify": SAID, "hints": SAID, "snapshot": sorted(file.stem for file in (ROOT / "lib").glob("*.c"))}
LEAST_SEEDS = {"classify": 100, "hints": 100, "snapshot": 1}
CLANG = ["clang-14", "-std=gnu11", "-D_GNU_SOURCE", '-DTRIP_VERSION="fuzzed"', "-g", "-O2"]
SANITIZE = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
HEADERS = [
    "",
    "Retry-After",
    "retry-after-ms",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-reset",
    "Date",
]
LONGEST = 2048
CHECKSUM_SIZE = 16


def build(target: str) -> Path:
    program = BUILD / f"fuzz-{target}"
    program.parent.mkdir(parents=True, exist_ok=True)
    sources = [HERE / f"{target}.c", *(ROOT / "lib" / f"{name}.c" for name in SOURCES[target])]
    includes = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'lib'}"]
    subprocess.run([*CLANG, *SANITIZE, *includes, *map(str, sources), "-lpthread", "-o", str(program)], check=True)
    return program


def steps() -> Iterator[dict[str, Any]]:
    for file in sorted((ROOT / "tests" / "contract").glob("*.json")):
        for vector in json.loads(file.read_text(encoding="utf-8"))["vectors"]:
            yield from vector.get("steps", [])


def seeds(target: str) -> Iterator[bytes]:
    """Inputs as the target takes them: out of the vectors, where texts that are repeated are too long to begin with; or
    snapshots without their checksums."""
    if target == "snapshot":
        for file in sorted((ROOT / "tests" / "unit" / "snapshots").glob("*.bin")):
            yield file.read_bytes()[:-CHECKSUM_SIZE]
        return
    for step in steps():
        if target == "classify" and step["do"] == "classify_http" and isinstance(step["body"], str):
            yield (step["http_status"] % 620).to_bytes(2, "big") + step["body"].encode()
        if target == "classify" and step["do"] == "classify_text":
            yield b"\0\0" + step["text"].encode()
        if target == "hints" and step["do"] == "retry_hint":
            number = HEADERS.index(step["name"]) if step["name"] in HEADERS else 3
            yield bytes([number]) + step["value"].encode()


def plant(target: str) -> tuple[Path, int]:
    """A folder with the seeds, and how many they are."""
    folder = BUILD / target / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    planted = list(seeds(target))
    for number, seed in enumerate(planted):
        (folder / f"seed-{number:03}").write_bytes(seed)
    return folder, len(planted)


def fuzz(target: str, options: argparse.Namespace) -> bool:
    program = build(target)
    folder, planted = plant(target)
    grown = BUILD / target / "grown"  # what libFuzzer finds stays here, and is found again by the next run
    grown.mkdir(exist_ok=True)
    limit = f"-max_total_time={options.seconds}" if options.seconds else f"-runs={options.runs}"
    command = [program, limit, f"-seed={options.seed}", f"-max_len={LONGEST}", f"-dict={HERE / 'said.dict'}"]
    command += ["-timeout=10", "-print_final_stats=1", f"-artifact_prefix={BUILD / target}/"]
    command += [grown, HERE / "corpus" / target, folder]
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", check=False)
    done = [line for line in ran.stderr.splitlines() if line.startswith("stat::number_of_executed_units")]
    print(f"{target}: {planted} seeds, then {done[0].split()[-1] if done else 'no'} inputs", flush=True)
    if ran.returncode != 0 or planted < LEAST_SEEDS[target] or not done:
        print(ran.stderr[-6000:])
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30_000, help="inputs for each target")
    parser.add_argument("--seconds", type=int, help="instead: how long for each target")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    held = [fuzz(target, options) for target in SOURCES]
    print(f"{sum(held)} passed, {len(held) - sum(held)} failed")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
