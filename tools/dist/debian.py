"""Debian's packages, libtrip1 and libtrip-dev: the last commit, built by dpkg-buildpackage as debian/ says."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import maker


def check_changelog(folder: Path) -> None:
    """The version of the packages is that of the library: debian/changelog repeats it."""
    found = re.match(r"libtrip \((\S+)-\d+\)", (folder / "debian/changelog").read_text())
    if found is None or found[1] != maker.version():
        sys.exit(f"debian/changelog begins with another version than {maker.version()}")


def main() -> None:
    _, output = maker.arguments(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / f"libtrip-{maker.version()}"
        packed = subprocess.run(["git", "-C", str(maker.ROOT), "archive", "HEAD"], check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder)
        check_changelog(folder)
        environment = {
            **os.environ,
            "DEB_BUILD_OPTIONS": "noautodbgsym",
            "SOURCE_DATE_EPOCH": str(maker.time()),
        }
        built = subprocess.run(
            ["dpkg-buildpackage", "--build=binary", "--unsigned-changes", "--no-check-builddeps"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        if built.returncode != 0:
            sys.exit(built.stdout + built.stderr)
        output.mkdir(parents=True, exist_ok=True)
        for package in sorted(folder.parent.glob("*.deb")):
            print(shutil.copy(package, output))


if __name__ == "__main__":
    main()
