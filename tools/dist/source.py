"""The source archive: what `meson dist` makes of the last commit, packed so that the same commit is the same bytes."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import archives
import maker


def main() -> None:
    _, output = maker.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        setup = ["meson", "setup", "-Dtests=false", str(build), str(maker.ROOT)]
        made = ["meson", "dist", "-C", str(build), "--no-tests", "--allow-dirty", "--formats", "xztar"]
        for command in (setup, made):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = (build / "meson-dist").glob("*.tar.xz")
        print(archives.write(output / archive.name, archives.read(archive), maker.time()))


if __name__ == "__main__":
    main()
