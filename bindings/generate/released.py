"""Refuses a header that breaks the promise of a released version: what tests/abi/released-*.json has, the header has,
unchanged. Those files are written by hand, once, when a version is released; nothing here writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .model import Complaint, Contract, Place, Refused
from .signatures import described

FOLDER = "tests/abi"


def check(contract: Contract, folder: Path, shown: str) -> None:
    versions = sorted(folder.glob("released-*.json"))
    if not versions:
        raise Refused([Complaint(Place(str(folder), 1), "released-*.json", "is not there: nothing is promised")])
    broken = [complaint for version in versions for complaint in broken_promises(contract, version, shown)]
    if broken:
        raise Refused(sorted(broken, key=lambda complaint: (complaint.place.line, complaint.name)))


def broken_promises(contract: Contract, version: Path, shown: str) -> Iterator[Complaint]:
    promised = json.loads(version.read_text())
    for name, what in differences(promised, described(contract)):
        whole = name.partition(".")[0]
        yield Complaint(contract.places.get(whole, Place(shown, 1)), name, f"{what}, against {version.stem}")


def differences(promised: dict[str, Any], offered: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a caller of the promised version would miss in the offered one. Texts, units and new things may differ; a
    struct may grow."""
    yield from changed(promised["types"], offered["types"], ("type",))
    yield from changed(promised["constants"], offered["constants"], ("value",))
    yield from changed(promised["structs"], offered["structs"], ())
    for name in promised["structs"].keys() & offered["structs"].keys():
        yield from struct_changed(name, promised["structs"][name], offered["structs"][name])
    yield from changed(promised["functions"], offered["functions"], ("since",))
    for name in promised["functions"].keys() & offered["functions"].keys():
        yield from function_changed(name, promised["functions"][name], offered["functions"][name])


def changed(promised: dict[str, Any], offered: dict[str, Any], aspects: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, before in promised.items():
        if name not in offered:
            yield name, "is gone"
            continue
        for aspect in aspects:
            if before[aspect] != offered[name][aspect]:
                yield name, f"has changed its {aspect} from {before[aspect]} to {offered[name][aspect]}"


def struct_changed(name: str, promised: dict[str, Any], offered: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for member, text in changed(promised["members"], offered["members"], ("offset", "size", "type")):
        yield f"{name}.{member}", text
    if offered["size"] < promised["size"]:
        yield name, f"has shrunk from {promised['size']} to {offered['size']} bytes"


def function_changed(name: str, promised: dict[str, Any], offered: dict[str, Any]) -> Iterator[tuple[str, str]]:
    before, now = prototype(promised), prototype(offered)
    if before != now:
        yield name, f"has changed from {before} to {now}"
    for tag in promised["tags"]:
        if tag not in offered["tags"]:
            yield name, f"has lost [{tag}]"


def prototype(function: dict[str, Any]) -> str:
    parameters = ", ".join(parameter["type"] for parameter in function["parameters"])
    return f"{function['returns']['type']} ({parameters or 'void'})"
