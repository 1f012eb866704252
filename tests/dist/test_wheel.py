"""The wheel is what it says: this tree's library for any Linux with a glibc of 2018, its notices, and nothing else."""

from __future__ import annotations

import base64
import csv
import email
import email.message
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import PACKERS, REPOSITORY, PythonPackages

# Who wrote what the library contains, as their licences name them, and the beginning of what each of these asks for.
AUTHORS = ("The libtrip authors", "Troy D. Hanson", "Serge Zaitsev", "Anthony Green", "Red Hat, Inc")
CONDITIONS = (
    "The above copyright notice and this permission notice shall be included in all copies",
    "Redistributions of source code must retain the above copyright notice, this list of conditions",
)


@pytest.fixture(scope="module")
def version() -> str:
    command = ["meson", "introspect", "--projectinfo", str(REPOSITORY / "meson.build")]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(said["version"])


@pytest.fixture(scope="module")
def contents(python_packages: PythonPackages) -> dict[str, bytes]:
    with zipfile.ZipFile(python_packages.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def dist_info(contents: dict[str, bytes], version: str) -> dict[str, bytes]:
    folder = f"libtrip-{version}.dist-info/"
    return {name.removeprefix(folder): content for name, content in contents.items() if name.startswith(folder)}


@pytest.fixture(scope="module")
def metadata(dist_info: dict[str, bytes]) -> email.message.Message:
    return email.message_from_string(dist_info["METADATA"].decode())


@pytest.fixture(scope="module")
def parts(dist_info: dict[str, bytes]) -> list[dict[str, Any]]:
    """What the wheel's bill of materials lists: libtrip, and what is in its library."""
    bill = json.loads(dist_info["sboms/libtrip.cdx.json"])
    return [bill["metadata"]["component"], *bill["components"]]


def test_is_named_for_any_python_and_for_a_glibc_of_2018(python_packages: PythonPackages, version: str) -> None:
    assert python_packages.wheel.name == f"libtrip-{version}-py3-none-manylinux_2_28_x86_64.whl"
    assert python_packages.sdist.name == f"libtrip-{version}.tar.gz"


def test_has_the_version_of_the_library(metadata: email.message.Message, version: str) -> None:
    assert metadata["Version"] == version


def test_auditwheel_finds_it_as_old_as_it_says(python_packages: PythonPackages) -> None:
    command = [str(PACKERS / "auditwheel"), "show", str(python_packages.wheel)]
    shown = " ".join(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    (minor,) = re.findall(r'platform tag: "manylinux_2_(\d+)_x86_64"', shown)
    assert int(minor) <= 28
    assert set(re.findall(r"\b[\w+-]+\.so[.\d]*(?= with versions)", shown)) == {"libc.so.6", "libpthread.so.0"}


def test_the_library_keeps_what_the_tests_of_the_abi_ask_of_the_built_one(
    contents: dict[str, bytes], tmp_path: Path
) -> None:
    """Its symbols and their versions, what it needs, how it is hardened."""
    (tmp_path / "libtrip.so").write_bytes(contents["trip/libtrip.so.1"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/abi/test_symbols.py"]
    environment = {**os.environ, "TRIP_BUILD": str(tmp_path)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_holds_the_package_and_what_is_said_of_it(contents: dict[str, bytes], dist_info: dict[str, bytes]) -> None:
    package = REPOSITORY / "bindings/python/src"
    sources = {file.relative_to(package).as_posix() for file in package.rglob("*.py")}
    said = {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE", "licenses/NOTICE", "sboms/libtrip.cdx.json"}
    assert set(dist_info) == said
    beside = {name for name in contents if ".dist-info/" not in name}
    assert beside == {*sources, "trip/py.typed", "trip/libtrip.so.1"}


def test_the_record_is_right(contents: dict[str, bytes], dist_info: dict[str, bytes]) -> None:
    record = {name: (said, size) for name, said, size in csv.reader(io.StringIO(dist_info["RECORD"].decode()))}
    assert set(record) == set(contents)
    for name, (said, size) in record.items():
        if not name.endswith("/RECORD"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
            assert (said, size) == (f"sha256={digest}", str(len(contents[name])))


def test_carries_the_notices_of_all_whose_work_is_in_it(dist_info: dict[str, bytes]) -> None:
    notices = " ".join((dist_info["licenses/LICENSE"] + dist_info["licenses/NOTICE"]).decode().split())
    assert [words for words in (*AUTHORS, *CONDITIONS) if words not in notices] == []


def test_names_its_licences(metadata: email.message.Message, parts: list[dict[str, Any]]) -> None:
    stated = {licence["expression"] for part in parts for licence in part["licenses"]}
    assert set(metadata["License-Expression"].split(" AND ")) == stated
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]


def test_lists_what_is_in_its_library(parts: list[dict[str, Any]], dist_info: dict[str, bytes], version: str) -> None:
    versions = {part["name"]: part.get("version") for part in parts}
    assert versions.pop("libtrip") == version
    assert set(versions) == {"jsmn", "libffi", "uthash"}
    for name in versions:
        assert name in dist_info["licenses/NOTICE"].decode()
    for name in ("libffi", "uthash"):
        assert re.fullmatch(r"\d+(\.\d+)+", str(versions[name]))


def test_its_description_points_to_nothing_that_is_not_there(metadata: email.message.Message) -> None:
    description = metadata.get_payload()
    assert isinstance(description, str) and description.lstrip().startswith("# libtrip for Python")
    assert re.findall(r"\]\((?!https?:)([^)]*)", description) == []
