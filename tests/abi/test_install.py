"""An installed library is found by pkg-config, compiled against and run, with nothing of the source tree in reach."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CMAKE = {"libtripConfig.cmake", "libtripConfigVersion.cmake"}


@dataclass
class Installed:
    root: Path
    pkgconfig: Path

    def ask(self, *options: str) -> list[str]:
        """What pkg-config says of libtrip, for a root that is a folder of this machine."""
        environment = {
            "PATH": os.environ["PATH"],
            "PKG_CONFIG_LIBDIR": str(self.pkgconfig),
            "PKG_CONFIG_SYSROOT_DIR": str(self.root),
        }
        command = ["pkg-config", *options, "libtrip"]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()


@pytest.fixture(scope="module")
def installed(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("root")
    command = ["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (description,) = root.rglob("libtrip.pc")
    return Installed(root, description.parent)


def test_installs_header_library_and_descriptions_alone(installed: Installed) -> None:
    every = {path.name for path in installed.root.rglob("*") if not path.is_dir()}
    (version,) = installed.ask("--modversion")
    assert every == {"trip.h", "libtrip.so", "libtrip.so.1", f"libtrip.so.{version}", "libtrip.pc", *CMAKE}


def test_description_names_nothing_of_the_build(installed: Installed, build: Path, repository: Path) -> None:
    text = (installed.pkgconfig / "libtrip.pc").read_text()
    assert str(build) not in text and str(repository) not in text


def test_program_is_compiled_and_run_by_pkg_config(installed: Installed, tmp_path: Path) -> None:
    source = Path(__file__).parent / "consumer.c"
    program = tmp_path / "consumer"
    flags = installed.ask("--cflags", "--libs")
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run(["gcc", *warnings, str(source), "-o", str(program), *flags], check=True)
    (folder,) = {str(path.parent) for path in installed.root.rglob("libtrip.so.1")}
    done = subprocess.run([program], capture_output=True, text=True, env={"LD_LIBRARY_PATH": folder})
    assert (done.returncode, done.stdout.split()) == (0, installed.ask("--modversion"))
