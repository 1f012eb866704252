"""The bill of materials of a release: an SPDX document that names each file, what works of others are in it, and under
which licences. What is in a file is seen by opening it, and by asking its library; nothing is taken from file names."""

from __future__ import annotations

import ctypes
import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import archives
from amalgamate import system_header, version

FEATURE_GUARDS = 9  # TRIP_FEATURE_GUARDS: with libffi
ELF = b"\x7fELF"

# What may be bundled: under which licence, and who wrote it.
LICENCES = {"uthash": "BSD-1-Clause", "jsmn": "MIT", "libffi": "MIT"}
AUTHORS = {
    "uthash": "Copyright (c) 2003-2021, Troy D. Hanson",
    "jsmn": "Copyright (c) 2010 Serge Zaitsev",
    "libffi": "Copyright (c) 1996-2022 Anthony Green, Red Hat, Inc and others",
}


def has_guards(library: bytes) -> bool:
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(library)
        file.flush()
        return bool(ctypes.CDLL(file.name).trip_has_feature(FEATURE_GUARDS))


def bundled(path: Path) -> list[str]:
    """The works of others that a file of a release carries, in source or compiled."""
    found: set[str] = set()
    for name, entry in archives.read(path).items():
        if Path(name).name == "trip.c":
            found |= {"uthash", "jsmn"}
        elif Path(name).name.startswith("libtrip.so") and entry.content.startswith(ELF):
            found |= {"uthash", "jsmn"} | ({"libffi"} if has_guards(entry.content) else set())
    return sorted(found)


def installed_version(work: str) -> str:
    """The version that this machine bundles. jsmn's header says nowhere which it is; the package it is from does."""
    if work == "uthash":
        return str(re.findall(r"#define UTHASH_VERSION (\S+)", system_header("uthash.h").read_text())[0])
    asked = {
        "jsmn": ["dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "libjsmn-dev"],
        "libffi": ["pkg-config", "--modversion", "libffi"],
    }
    return subprocess.run(asked[work], check=True, capture_output=True, text=True).stdout.strip()


def described(name: str, **more: Any) -> dict[str, Any]:
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        **more,
    }


def of_file(path: Path) -> dict[str, Any]:
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    return described(
        path.name,
        versionInfo=version(),
        packageFileName=path.name,
        checksums=[{"algorithm": "SHA256", "checksumValue": checksum}],
        licenseDeclared="MIT",
        licenseConcluded=" AND ".join(sorted({"MIT", *(LICENCES[work] for work in bundled(path))})),
        copyrightText="Copyright (c) 2026 The libtrip authors",
        supplier="Organization: The libtrip authors",
    )


def of_work(work: str) -> dict[str, Any]:
    return described(
        work,
        versionInfo=installed_version(work),
        licenseDeclared=LICENCES[work],
        licenseConcluded=LICENCES[work],
        copyrightText=AUTHORS[work],
        supplier="NOASSERTION",
    )


def relations(files: list[Path]) -> Iterator[dict[str, str]]:
    for path in files:
        itself = described(path.name)["SPDXID"]
        yield {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": itself}
        for work in bundled(path):
            other = described(work)["SPDXID"]
            yield {"spdxElementId": itself, "relationshipType": "CONTAINS", "relatedSpdxElement": other}


def bill(files: list[Path], time: int) -> str:
    """The document, as JSON; the same for the same files."""
    of_all = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"libtrip-{version()}",
        "documentNamespace": f"urn:libtrip:{version()}:{of_all}",
        "creationInfo": {
            "created": datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: libtrip-release"],
        },
        "packages": [*map(of_file, files), *map(of_work, LICENCES)],
        "relationships": list(relations(files)),
    }
    return json.dumps(document, indent=2) + "\n"
