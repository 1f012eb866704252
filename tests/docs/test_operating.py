"""The layout that docs/operating.md tells is that of the snapshot that was released: its tables suffice to read it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SNAPSHOT = (ROOT / "tests/unit/snapshots/1.0.bin").read_bytes()
DOCUMENT = (ROOT / "docs/operating.md").read_text()
MASK = 2**64 - 1


def members(table: str) -> list[tuple[str, str]]:
    """Names and sizes, in the order of the table with this head."""
    rows = DOCUMENT.split(f"| {table} | bytes | |\n| --- | --- | --- |\n")[1].split("\n\n")[0]
    return re.findall(r"(?m)^\| (\w+) \| (\w+) \|", rows)


def read(table: str, at: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, size in members(table):
        length = int(size) if size.isdigit() else number(found[size])
        found[name] = SNAPSHOT[at : at + length]
        at += length
    return found


def number(text: bytes) -> int:
    return int.from_bytes(text, "little")


def rotate(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & MASK


def rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        v[0] = (v[0] + v[1]) & MASK
        v[1] = rotate(v[1], 13) ^ v[0]
        v[0] = rotate(v[0], 32)
        v[2] = (v[2] + v[3]) & MASK
        v[3] = rotate(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & MASK
        v[3] = rotate(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & MASK
        v[1] = rotate(v[1], 17) ^ v[2]
        v[2] = rotate(v[2], 32)


def siphash(key: bytes, message: bytes) -> bytes:
    """SipHash-1-3, 128 bits, as its authors describe it."""
    k0, k1 = number(key[:8]), number(key[8:])
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) % 256])
    for at in range(0, len(padded), 8):
        block = number(padded[at : at + 8])
        v[3] ^= block
        rounds(v, 1)
        v[0] ^= block
    halves = []
    for which, mark in ((2, 0xEE), (1, 0xDD)):
        v[which] ^= mark
        rounds(v, 3)
        halves.append((v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little"))
    return b"".join(halves)


def circuits() -> list[dict[str, bytes]]:
    header = read("header", 0)
    at = number(header["header_size"])
    found = []
    for _ in range(number(header["count"])):
        found.append(read("circuit", at))
        at += number(found[-1]["size"])
    assert at == len(SNAPSHOT) - 16
    return found


def test_the_header_is_read_by_its_table() -> None:
    header = read("header", 0)
    assert header["magic"] == b"TRIPSNAP"
    assert (number(header["major"]), number(header["minor"])) == (1, 0)
    assert number(header["length"]) == len(SNAPSHOT)
    assert number(header["at_unix_ns"]) == 1795262400 * 10**9


def test_the_circuits_are_read_by_their_table() -> None:
    by_name = {(circuit["tenant"], circuit["provider"]): circuit for circuit in circuits()}
    assert len(by_name) == 12
    open_circuit = by_name[b"acme", b"groq"]
    assert (number(open_circuit["state"]), number(open_circuit["open_left_ns"])) == (1, 59 * 10**9)
    counts = {
        name: number(open_circuit[name]) for name in ("failures_total", "successes", "rejections", "stale", "opens")
    }
    assert counts == {"failures_total": 3, "successes": 1, "rejections": 1, "stale": 1, "opens": 1}
    assert number(by_name[b"acme", b"anthropic"]["failures"]) == 2
    assert number(by_name[b"globex", b"mistral"]["wait_left_ns"]) == 600 * 10**9
    forced = by_name[b"initech", b"openai"]
    assert (number(forced["mode"]), number(forced["mode_left_ns"])) == (1, 300 * 10**9)
    assert forced["reason"].decode() == "maintenance, € 5"
    assert number(by_name[b"initech", b"groq"]["mode_left_ns"]) == 2**64 - 1


def test_the_checksum_is_the_one_that_is_told() -> None:
    key = re.search(r"The key is the 16 bytes `(.{16})`", DOCUMENT)
    assert key is not None
    assert SNAPSHOT[-16:] == siphash(key[1].encode(), SNAPSHOT[:-16])
