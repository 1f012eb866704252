"""Writes bindings/generate/signatures.json: everything that the header says, for programs. The frozen copies of
released versions, tests/abi/released-*.json, have this form."""

from __future__ import annotations

import json
from typing import Any

from . import NOTICE
from .model import Contract, Function, Struct

PATH = "bindings/generate/signatures.json"


def write(contract: Contract) -> str:
    return json.dumps(described(contract), indent=2) + "\n"


def described(contract: Contract) -> dict[str, Any]:
    return {
        "about": NOTICE,
        "format": 1,
        "types": {one.name: {"type": one.type, "doc": one.doc} for one in (*contract.aliases, *contract.callbacks)},
        "constants": {c.name: {"value": c.value, "group": c.group, "doc": c.doc} for c in contract.constants},
        "structs": {struct.name: structure(struct) for struct in contract.structs},
        "functions": {function.name: signature(function) for function in contract.functions},
    }


def structure(struct: Struct) -> dict[str, Any]:
    members = {
        m.name: {"type": m.type, "offset": m.offset, "size": m.size, "unit": m.unit, "doc": m.doc}
        for m in struct.members
    }
    return {"size": struct.size, "members": members, "doc": struct.doc}


def signature(function: Function) -> dict[str, Any]:
    parameters = [
        {
            "name": p.name,
            "type": p.type,
            "direction": "out" if p.is_output else "in",
            "unit": p.unit,
            "may_be_null": p.may_be_null,
            "doc": p.doc,
        }
        for p in function.parameters
    ]
    returns = {"type": function.returns.type}
    if function.returns.unit is not None:
        returns |= {"unit": function.returns.unit, "doc": function.returns.doc}
    return {
        "parameters": parameters,
        "returns": returns,
        "statuses": function.returns.statuses,
        "tags": list(function.tags),
        "since": function.since,
        "doc": function.doc,
    }
