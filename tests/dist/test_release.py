"""A release as a whole: it is the same wherever it is made, says what is in it, and keeps others' notices."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import archives
import bill
import maker
from conftest import REPOSITORY, Release, run

# In any form that a notice has, with its lines joined: what has to be there of it.
NOTICES = {
    "uthash": ("Troy D. Hanson", "Redistributions of source code must retain the above copyright notice"),
    "jsmn": ("Serge Zaitsev", "Permission is hereby granted, free of charge, to any person obtaining a copy"),
    "libffi": (
        "Anthony Green",
        "Red Hat",
        "Permission is hereby granted, free of charge, to any person obtaining a copy",
    ),
}


def contents(path: Path) -> dict[str, bytes]:
    return {
        name: gzip.decompress(entry.content) if name.endswith(".gz") else entry.content
        for name, entry in archives.read(path).items()
    }


def carries(path: Path) -> set[str]:
    """Whose code is in a package, by what only that code has: otherwise than the bill finds it."""
    found = set()
    for name, content in contents(path).items():
        if name.endswith((".c", ".h")) and b"#define UTHASH_VERSION" in content:
            found |= {"uthash", "jsmn"}
        if content.startswith(b"\x7fELF") and b"TRIP_REJECTED_OPEN" in content:
            found |= {"uthash", "jsmn", "libffi"}
    return found


def test_made_twice_in_different_folders_is_the_same(releases: list[Release]) -> None:
    first, second = releases
    assert first.tree != second.tree and len(first.files) >= 4
    assert first.sums == second.sums


def test_is_what_is_expected_of_it(release: Release) -> None:
    version = maker.version()
    names = {path.name for path in release.folder.iterdir()}
    assert names >= {
        f"libtrip-{version}.tar.xz",
        f"libtrip-amalgamation-{version}.tar.gz",
        f"libtrip-{version}.spdx.json",
        "SHA256SUMS",
    }
    assert [name for name in names if re.fullmatch(rf"libtrip1_{version}-\d+_\w+\.deb", name)]
    assert [name for name in names if re.fullmatch(rf"libtrip-dev_{version}-\d+_\w+\.deb", name)]


def test_checksums_are_those_of_all_files(release: Release) -> None:
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=release.folder)
    named = {line.split("  ")[1] for line in release.sums.splitlines()}
    assert named == {path.name for path in release.folder.iterdir()} - {"SHA256SUMS"}


def test_names_nothing_of_the_machine_that_made_it(release: Release) -> None:
    assert any(contents(path) for path in release.files)
    for path in release.files:
        for name, content in contents(path).items():
            assert str(release.tree).encode() not in content, f"{path.name}: {name}"
            assert str(REPOSITORY).encode() not in content, f"{path.name}: {name}"


def test_source_archive_is_the_commit(release: Release) -> None:
    (archive,) = release.folder.glob("libtrip-*.tar.xz")
    packed = {name.partition("/")[2] for name in archives.read(archive)}
    committed = set(run("git", "ls-tree", "-r", "--name-only", "HEAD", cwd=release.tree).splitlines())
    assert packed == committed


# ---- Notices ---------------------------------------------------------------------------------------------------------


def test_somebody_else_s_code_is_found_where_it_is(release: Release) -> None:
    found = {path.name: carries(path) for path in release.files}
    assert {"uthash", "jsmn"} in found.values() and {"uthash", "jsmn", "libffi"} in found.values()


def test_every_package_keeps_the_notices_of_what_it_carries(release: Release) -> None:
    for path in release.files:
        everything = b" ".join(contents(path).values()).decode(errors="replace")
        text = " ".join(re.sub(r"\n[ *#/]*", " ", everything).split())
        for work in carries(path):
            for words in NOTICES[work]:
                assert words in text, f"{path.name} carries {work} without its notice: {words!r}"


def test_whoever_says_libtrip_says_its_licence(release: Release) -> None:
    licence = "Copyright (c) 2026 The libtrip authors"
    for path in release.files:
        everything = b" ".join(contents(path).values()).decode(errors="replace")
        assert licence in everything or "Copyright: 2026 The libtrip authors" in everything, path.name


# ---- The bill of materials -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(release: Release) -> dict[str, Any]:
    (path,) = release.folder.glob("*.spdx.json")
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def test_bill_is_spdx(release: Release, tmp_path: Path) -> None:
    (path,) = release.folder.glob("*.spdx.json")
    run("pyspdxtools", "--infile", path)
    spoiled = tmp_path / "spoiled.spdx.json"
    spoiled.write_text(path.read_text().replace('"BSD-1-Clause"', '"BSD 1 Clause"'))
    with pytest.raises(AssertionError):
        run("pyspdxtools", "--infile", spoiled)


def test_bill_names_every_package_by_its_checksum(release: Release, document: dict[str, Any]) -> None:
    named = {
        package["packageFileName"]: package["checksums"][0]["checksumValue"]
        for package in document["packages"]
        if "packageFileName" in package
    }
    assert named == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in release.files}


def test_bill_says_what_each_package_carries(release: Release, document: dict[str, Any]) -> None:
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    said: dict[str, set[str]] = {path.name: set() for path in release.files}
    for relation in document["relationships"]:
        if relation["relationshipType"] == "CONTAINS":
            said[names[relation["spdxElementId"]]].add(names[relation["relatedSpdxElement"]])
    assert said == {path.name: carries(path) for path in release.files}


def test_bill_knows_the_versions_of_what_is_carried(document: dict[str, Any]) -> None:
    versions = {package["name"]: package["versionInfo"] for package in document["packages"]}
    for work in bill.LICENCES:
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?", versions[work]), f"{work} {versions[work]}"


# ---- Refusals --------------------------------------------------------------------------------------------------------


def test_refuses_what_is_not_committed(release: Release) -> None:
    (release.tree / "stray").touch()
    done = subprocess.run(["python", release.tree / "tools/release.py"], capture_output=True, text=True)
    assert done.returncode == 1 and "not committed" in done.stderr and "stray" in done.stderr
    assert release.files[0].exists()


def test_refuses_a_kind_that_there_is_not(release: Release) -> None:
    done = subprocess.run(["python", release.tree / "tools/release.py", "rpm"], capture_output=True, text=True)
    assert done.returncode == 2 and "no such kind of package: rpm" in done.stderr
