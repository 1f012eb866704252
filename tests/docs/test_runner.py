"""The runner of the documents' blocks finds every block, and a block that does not work fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import Block, Malformed, blocks
from languages import ROOT, holds_only_the_two_commands, run

WORKING = {
    "c": "#include <trip.h>\nint main(void) { return trip_abi_version() == 0; }\n",
    "python": "import trip\n\ntrip.Tracker().circuit('acme', 'openai').permit().record_success()\n",
    "rust": "fn main() { drop(trip::Tracker::new(&trip::Config::default()).unwrap()); }\n",
    "go": 'package main\n\nimport "libtrip.example/trip"\n\n'
    "func main() {\n\tif _, err := trip.NewTracker(trip.Config{}); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
    "sh": "test -f x\n",
    "console": "$ echo one; echo two; echo three\none\n...\nthree\n",
    "yaml": "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up == 0\n",
}

BROKEN = {
    "c": ["int main(void) { return 1; }\n", "int main(void) { return no_such_name; }\n"],
    "python": ["import trip\n\nassert False\n"],
    "rust": ["fn main() { panic!() }\n", "fn main() { trip::no_such_name() }\n"],
    "go": ["package main\n\nfunc main() { panic(1) }\n"],
    "sh": ["false\ntrue\n", "echo $no_such_variable\n"],
    "console": ["$ false\n", "$ echo one\ntwo\n", "$ echo one; echo two\none\n"],
    "yaml": ["groups: 1\n", "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up ==\n"],
}


@pytest.mark.parametrize("language", WORKING)
def test_a_working_block_passes(language: str, tmp_path: Path) -> None:
    ran = run(language, WORKING[language], tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(("language", "program"), [(name, p) for name, ps in BROKEN.items() for p in ps])
def test_a_broken_block_fails(language: str, program: str, tmp_path: Path) -> None:
    assert run(language, program, tmp_path).returncode != 0


@pytest.mark.parametrize("language", ["", "cpp", "bash"])
def test_a_language_that_cannot_be_run_is_refused(language: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        run(language, "", tmp_path)


def found(text: str, folder: Path) -> list[Block]:
    document = folder / "document.md"
    document.write_text(text)
    return list(blocks(document, folder))


def test_every_block_is_found_with_its_line(tmp_path: Path) -> None:
    text = "# a\n```c\nint a;\n```\n- item\n  ~~~python\n  if a:\n      b\n  ~~~\n````text\n```c\n```\n````\n"
    assert [(b.line, b.language, b.text) for b in found(text, tmp_path)] == [
        (2, "c", "int a;\n"),
        (6, "python", "if a:\n    b\n"),
        (10, "text", "```c\n```\n"),
    ]


def test_a_fragment_is_wrapped_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "whole.py").write_text("def f():\n    # block\nf()\n")
    (block,) = found("<!-- test: wrap=whole.py -->\n\n```python\na = 1\nb = 2\n```\n", tmp_path)
    assert block.program() == "def f():\n    a = 1\n    b = 2\nf()\n"


def test_a_comment_speaks_of_the_next_block_alone(tmp_path: Path) -> None:
    text = "<!-- test: wrap=whole.py -->\n```python\n```\n```python\n```\n"
    assert [b.wrap is None for b in found(text, tmp_path)] == [False, True]
    assert found("<!-- test: wrap=whole.py -->\nprose\n```python\n```\n", tmp_path)[0].wrap is None


@pytest.mark.parametrize("text", ["```c\nint a;\n", "<!-- test: skip because -->\n```c\n```\n"])
def test_what_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        found(text, tmp_path)


def test_a_wrapper_without_a_place_for_the_block_is_refused(tmp_path: Path) -> None:
    (tmp_path / "whole.c").write_text("int main(void) { return 0; }\n")
    with pytest.raises(Malformed):
        Block(ROOT / "README.md", 1, "c", "int a;\n", tmp_path / "whole.c").program()


@pytest.mark.parametrize(
    ("program", "only"),
    [
        ("./x demo\n", True),
        ("./x demo   # watch it\n./x test\n", True),
        ("$ ./x test\n", True),
        ("./x test\ntrue\n", False),
        ("./x gen\n", False),
        ("\n", False),
    ],
)
def test_only_the_two_commands_are_left_out(program: str, only: bool) -> None:
    assert holds_only_the_two_commands(program) is only
