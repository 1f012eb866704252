"""Writes bindings/python/src/trip/_abi.py: constants, structs and one typed declaration per function, for ctypes."""

from __future__ import annotations

import re
from textwrap import wrap

from . import NOTICE
from .model import WORD_POINTER, Contract, Function, Parameter, Struct

PATH = "bindings/python/src/trip/_abi.py"
WIDTH = 120

CTYPES = {
    "int32_t": "c_int32",
    "uint32_t": "c_uint32",
    "int64_t": "c_int64",
    "uint64_t": "c_uint64",
    "size_t": "c_size_t",
    "double": "c_double",
    "char": "c_char",
    WORD_POINTER: "c_void_p",  # ctypes gives its value as a number, which from_address takes
}

HEAD = f'''\
"""The C ABI of libtrip as it is: constants, structs and one typed declaration per function.

{NOTICE}
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char, c_char_p, c_double, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ctypes import _CArgObject as Reference  # what ctypes.byref gives
'''

LIBRARY = '''\
def load(path: str) -> Library:
    """Load the library at a path, or one that the loader finds under a name; OSError when there is none.

    It is opened twice, which gives the same library two ways to be called: PyDLL keeps the interpreter's lock during a
    call, CDLL lets it go. A function that never waits is over before letting go of the lock has paid off, and other
    threads could take the lock away from it; one that may wait must let the others run.
    """
    return Library(keeping_gil=ctypes.PyDLL(path), releasing_gil=ctypes.CDLL(path))


def _bound(function: Any, restype: Any, *argtypes: Any) -> Any:
    function.restype = restype
    function.argtypes = argtypes
    return function


class Library:
    """The functions of a loaded library; include/trip.h says what they do. [non-blocking] ones keep the GIL."""

    def __init__(self, keeping_gil: ctypes.PyDLL, releasing_gil: ctypes.CDLL) -> None:
'''


def write(contract: Contract) -> str:
    pieces = [HEAD]
    pieces += [f"{remark(a.doc, '')}{a.name} = {CTYPES[a.type]}\n" for a in contract.aliases]
    for constants in contract.groups.values():
        pieces.append("".join(f"{remark(c.doc, '')}{c.name}: Final = {c.value}\n" for c in constants))
    names = "".join(f'    {c.name}: "{c.name}",\n' for c in contract.statuses)
    pieces.append(f"STATUS_NAMES: Final[dict[int, str]] = {{\n{names}}}\n")
    text = "\n".join(pieces)
    for struct in contract.structs:
        text += "\n\n" + structure(struct)
    return text + "\n\n" + LIBRARY + "\n".join(binding(function) for function in contract.functions)


def remark(text: str, indent: str) -> str:
    """A comment that tools read as the documentation of the name below it."""
    return "".join(f"{indent}#: {line}\n" for line in wrap(text, WIDTH - len(indent) - 3))


def structure(struct: Struct) -> str:
    doc = "\n".join(wrap(struct.doc, WIDTH - 4, initial_indent='    """', subsequent_indent="    "))
    doc += '"""' if "\n" not in doc else '\n    """'
    hints = "".join(
        f"{remark(f'[{m.unit}] {m.doc}', '    ')}    {m.name}: {python_value(m.type)}\n" for m in struct.members
    )
    fields = "".join(f'        ("{m.name}", {member_type(m.type)}),\n' for m in struct.members)
    return f"class {struct.name}(ctypes.Structure):\n{doc}\n\n{hints}\n    _fields_ = [\n{fields}    ]\n"


def python_value(c_type: str) -> str:
    if c_type == WORD_POINTER:
        return "int | None"
    return "float" if c_type == "double" else "bytes" if c_type.startswith("char[") else "int"


def member_type(c_type: str) -> str:
    array = re.fullmatch(r"char\[(\d+)\]", c_type)
    return f"c_char * {array.group(1)}" if array else CTYPES.get(c_type, c_type)


def binding(function: Function) -> str:
    handle = "keeping_gil" if "non-blocking" in function.tags else "releasing_gil"
    argtypes = [argtype(parameter) for parameter in function.parameters]
    hints = ", ".join(hint(parameter) for parameter in function.parameters)
    returns = function.returns.type
    restype, result = ("c_char_p", "bytes") if returns == "const char *" else (CTYPES.get(returns, returns), "int")
    names = ", ".join(parameter.name for parameter in function.parameters)
    said = remark(f"({names}): {function.summary}" if names else function.summary, "        ")
    bound = ("_bound", [f"{handle}.{function.name}", restype, *argtypes])
    return said + assignment(f"self.{function.name}: Callable", f"[{hints}], {result}", *bound)


def argtype(parameter: Parameter) -> str:
    if parameter.base == "char":
        return "c_char_p"
    named = CTYPES.get(parameter.base, parameter.base)
    return f"POINTER({named})" if parameter.type.endswith("*") else named


def hint(parameter: Parameter) -> str:
    if parameter.base == "char":
        return "ctypes.Array[c_char] | None" if parameter.is_output else "bytes | None"
    if not parameter.type.endswith("*"):
        return "int"
    return "Reference | None" if parameter.may_be_null else "Reference"


def assignment(target: str, parameters: str, name: str, arguments: list[str]) -> str:
    """What a call gives, to a target with a subscript, broken into lines as ruff would."""
    indent = " " * 8
    whole = f"{indent}{target}[{parameters}] = "
    if len(f"{whole}{name}(") <= WIDTH:
        return call(whole, name, arguments, indent)
    if len(f"{whole}(") <= WIDTH:
        return f"{whole}(\n{call(f'{indent}    ', name, arguments, f'{indent}    ')}{indent})\n"
    subscript = f"{indent}    {parameters}"
    assert len(subscript) <= WIDTH, f"{target} has more parameters than fit on a line"
    return f"{indent}{target}[\n{subscript}\n" + call(f"{indent}] = ", name, arguments, indent)


def call(target: str, name: str, arguments: list[str], indent: str) -> str:
    """A call, broken into lines as ruff would."""
    joined = ", ".join(arguments)
    if len(f"{target}{name}({joined})") <= WIDTH:
        return f"{target}{name}({joined})\n"
    if len(f"{indent}    {joined}") <= WIDTH:
        return f"{target}{name}(\n{indent}    {joined}\n{indent})\n"
    listed = "".join(f"{indent}    {argument},\n" for argument in arguments)
    return f"{target}{name}(\n{listed}{indent})\n"
