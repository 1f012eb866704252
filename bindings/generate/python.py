"""Writes bindings/python/src/trip/_abi.py: constants, structs and one typed declaration per function, for ctypes."""

from __future__ import annotations

import re
from textwrap import wrap

from . import NOTICE
from .model import ARGUMENTS, WORD_POINTER, Callback, Contract, Function, Parameter, Struct

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
    "void": "None",
    WORD_POINTER: "c_void_p",  # ctypes gives its value as a number, which from_address takes
}

HEAD = f'''\
"""The C ABI of libtrip as it is: constants, structs and one typed declaration per function.

{NOTICE}
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ctypes import _CArgObject as Reference  # what ctypes.byref gives
    from ctypes import _CFunctionType as Callback  # what the types of callbacks make; called with nothing, a NULL
'''

LIBRARY = '''\
def load(path: str) -> Library:
    """Load the library at a path, or one that the loader finds under a name; OSError when there is none.

    It is opened twice, which gives the same library two ways to be called: PyDLL keeps the interpreter's lock during a
    call, CDLL lets it go. A function that never waits is over before letting go of the lock has paid off, and other
    threads could take the lock away from it; one that may wait must let the others run. PyPy's ctypes has CDLL alone.
    """
    keeping_gil = getattr(ctypes, "PyDLL", ctypes.CDLL)
    return Library(keeping_gil=keeping_gil(path), releasing_gil=ctypes.CDLL(path))


def _bound(function: Any, restype: Any, *argtypes: Any) -> Any:
    function.restype = restype
    function.argtypes = argtypes
    return function


class Library:
    """The functions of a loaded library; include/trip.h says what they do. [non-blocking] ones keep the GIL."""

    def __init__(self, keeping_gil: ctypes.CDLL, releasing_gil: ctypes.CDLL) -> None:
'''


def write(contract: Contract) -> str:
    pieces = [HEAD]
    pieces += [f"{remark(a.doc, '')}{a.name} = {CTYPES[a.type]}\n" for a in contract.aliases]
    pieces += [prototype(callback) for callback in contract.callbacks]
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


def prototype(callback: Callback) -> str:
    """A pointer reaches the function as a number: a text may have any bytes, the caller alone knows the rest."""
    arguments = ["c_void_p" if a.type.endswith("*") else CTYPES.get(a.type, a.type) for a in callback.arguments]
    names = ", ".join(argument.name for argument in callback.arguments)
    said = remark(f"({names}): {callback.doc}" if names else callback.doc, "")
    return said + call(f"{callback.name} = ", "CFUNCTYPE", [CTYPES[callback.result], *arguments], "")


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
    hints = [hint(parameter) for parameter in function.parameters]
    returns = function.returns.type
    restype, result = ("c_char_p", "bytes") if returns == "const char *" else (CTYPES.get(returns, returns), "int")
    names = ", ".join(parameter.name for parameter in function.parameters)
    said = remark(f"({names}): {function.summary}" if names else function.summary, "        ")
    bound = ("_bound", [f"{handle}.{function.name}", restype, *argtypes])
    return said + assignment(f"self.{function.name}: Callable", hints, result, *bound)


def argtype(parameter: Parameter) -> str:
    if parameter.base == "char":
        return "c_char_p"
    if parameter.base == "void":
        return "POINTER(c_void_p)" if parameter.type == ARGUMENTS else "c_void_p"
    named = CTYPES.get(parameter.base, parameter.base)
    return f"POINTER({named})" if parameter.type.endswith("*") else named


def hint(parameter: Parameter) -> str:
    if parameter.base == "char":
        return "ctypes.Array[c_char] | None" if parameter.is_output else "bytes | None"
    if not parameter.is_pointer:
        return "int"
    if not parameter.type.endswith("*"):
        return "Callback"
    if parameter.base == "void" and not parameter.is_output:
        return "ctypes.Array[c_void_p] | None" if parameter.type == ARGUMENTS else "int | None"
    return "Reference | None" if parameter.may_be_null else "Reference"


def assignment(target: str, hints: list[str], result: str, name: str, arguments: list[str]) -> str:
    """What a call gives, to a target of a type, broken into lines as ruff would."""
    indent = " " * 8
    parameters = f"[{', '.join(hints)}]"
    whole = f"{indent}{target}[{parameters}, {result}] = "
    if len(f"{whole}{name}(") <= WIDTH:
        return call(whole, name, arguments, indent)
    if len(f"{whole}(") <= WIDTH:
        return f"{whole}(\n{call(f'{indent}    ', name, arguments, f'{indent}    ')}{indent})\n"
    subscript = f"{indent}    {parameters}, {result}\n"
    if len(subscript) > WIDTH + 1:
        subscript = f"{broken_list(parameters, hints, f'{indent}    ')}{indent}    {result},\n"
    return f"{indent}{target}[\n{subscript}" + call(f"{indent}] = ", name, arguments, indent)


def broken_list(whole: str, elements: list[str], indent: str) -> str:
    """A list on a line of its own, or each of its elements."""
    if len(f"{indent}{whole},") <= WIDTH:
        return f"{indent}{whole},\n"
    return f"{indent}[\n" + "".join(f"{indent}    {element},\n" for element in elements) + f"{indent}],\n"


def call(target: str, name: str, arguments: list[str], indent: str) -> str:
    """A call, broken into lines as ruff would."""
    joined = ", ".join(arguments)
    if len(f"{target}{name}({joined})") <= WIDTH:
        return f"{target}{name}({joined})\n"
    if len(f"{indent}    {joined}") <= WIDTH:
        return f"{target}{name}(\n{indent}    {joined}\n{indent})\n"
    listed = "".join(f"{indent}    {argument},\n" for argument in arguments)
    return f"{target}{name}(\n{listed}{indent})\n"
