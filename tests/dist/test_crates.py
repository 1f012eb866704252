"""The crates build and run outside the tree, offline, without a libtrip on the machine and with one; and are made twice
the same."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from conftest import BUILD, Amalgamation
from conftest import REPOSITORY as ROOT

BINDING = ROOT / "bindings/rust"
SHARED = BINDING / "target/packaged"  # dependencies are compiled once, and not by each run

CONSUMER = """\
use std::fmt::Error as Unknown;
use tower::{Service, ServiceExt};
use trip_tower::CircuitLayer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(1))?;
    let layer = CircuitLayer::new(tracker.circuit("acme", "llm")?);
    let mut service = tower::ServiceBuilder::new().layer(layer).service_fn(|()| async { Err::<(), _>(Unknown) });
    assert!(matches!(service.ready().await?.call(()).await, Err(trip::CallError::Inner(_))));
    let Err(trip::CallError::Rejected(refused)) = service.ready().await?.call(()).await else { panic!("it is open") };
    println!("{} {:?} {}", trip::version(), refused.open_duration, trip::has_feature(trip::Feature::Guards));
    Ok(())
}
"""

# As a library that other languages load.
LOADED = """
/// How long a circuit is open after one failure [s].
#[no_mangle]
pub extern "C" fn seconds() -> u64 {
    let open = || {
        let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(1))?;
        let circuit = tracker.circuit("acme", "llm")?;
        circuit.trip()?;
        circuit.inspect()
    };
    open().map_or(0, |info: trip::CircuitInfo| info.open_duration.as_secs())
}
"""

MANIFEST = """\
[package]
name = "consumer"
version = "0.0.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[dependencies]
tokio = {{ version = "1", features = ["macros", "rt"] }}
tower = {{ version = "0.5", features = ["util"] }}
trip = "={version}"
trip-tower = "={version}"

[patch.crates-io]
{patches}
"""


def make(tree: Path, amalgamation: Path, output: Path, *options: str) -> list[Path]:
    command = [sys.executable, str(tree / "tools/dist/crates.py"), *options]
    command += ["--amalgamation", str(amalgamation), "--output", str(output)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [Path(line) for line in printed.splitlines()]


@pytest.fixture(scope="module")
def crates(amalgamated: Amalgamation, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(ROOT, amalgamated.folder, tmp_path_factory.mktemp("crates"), "--target", str(SHARED))


def version() -> str:
    found = re.search(r'(?m)^version = "([^"]+)"', (BINDING / "Cargo.toml").read_text())
    assert found is not None
    return found[1]


def names(crate: Path) -> set[str]:
    with tarfile.open(crate) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def cargo(*arguments: str, where: Path, **variables: str) -> str:
    """What cargo prints, without anything that would lead it to the library of the tree."""
    left_out = ("PKG_CONFIG_PATH", "LD_LIBRARY_PATH", "TRIP_LIBRARY", "RUSTFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    settings = {"CARGO_NET_OFFLINE": "true", "CARGO_TARGET_DIR": str(SHARED), **variables}
    done = subprocess.run(
        ["cargo", *arguments], cwd=where, env={**environment, **settings}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_of_now(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Its files, changed just now: their own time is that of every crate, and cargo would take another one's build for
    theirs."""
    members = archive.getmembers()
    for member in members:
        member.mtime = time.time()
    return members


@pytest.fixture(scope="module")
def consumer(crates: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else's, that gets the crates from their files and all else as it is in our lock file."""
    folder = tmp_path_factory.mktemp("consumer")
    patches = ""
    for crate in crates:
        with tarfile.open(crate) as archive:
            archive.extractall(folder, members=as_of_now(archive), filter="data")
        patches += f'{crate.name.removesuffix(f"-{version()}.crate")} = {{ path = "{crate.stem}" }}\n'
    (folder / "src").mkdir()
    (folder / "src/main.rs").write_text(CONSUMER)
    (folder / "src/lib.rs").write_text(LOADED)
    (folder / "Cargo.toml").write_text(MANIFEST.format(version=version(), patches=patches))
    shutil.copy(BINDING / "Cargo.lock", folder)
    return folder


def exported(binary: Path) -> set[str]:
    printed = subprocess.run(
        ["nm", "-D", "--defined-only", str(binary)], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[-1] for line in printed.splitlines()}


def kinds(binary: Path) -> set[str]:
    """What nm says of the library's functions that were linked in: a capital letter where others could link to them."""
    printed = subprocess.run(["nm", str(binary)], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"(?m)^\w+ (\w) trip_tracker_", printed))


def needed(binary: Path) -> str:
    return subprocess.run(["readelf", "-d", str(binary)], check=True, capture_output=True, text=True).stdout


def test_each_crate_has_what_it_takes_and_nothing_else(crates: list[Path]) -> None:
    by_cargo = {"Cargo.lock", "Cargo.toml", "Cargo.toml.orig"}
    for_all = by_cargo | {"LICENSE", "README.md"}
    outside_src = [{name for name in names(crate) if not name.startswith("src/")} for crate in crates]
    sys_crate = for_all | {"NOTICE", "build.rs", "bundled/trip.c", "bundled/trip.h"}
    assert outside_src == [sys_crate, for_all, for_all | {"examples/guarded_client.rs"}]
    for crate in crates:
        in_src = {name for name in names(crate) if name.startswith("src/")}
        folder = BINDING / crate.name.removesuffix(f"-{version()}.crate")
        assert in_src == {str(file.relative_to(folder)) for file in folder.glob("src/**/*.rs")}


def test_the_copy_carries_the_notices_of_what_is_in_it(crates: list[Path]) -> None:
    with tarfile.open(crates[0]) as archive:
        file = archive.extractfile(f"trip-sys-{version()}/bundled/trip.c")
        assert file is not None
        text = file.read().decode()
    assert "Troy D. Hanson" in text
    assert "Serge Zaitsev" in text
    assert (ROOT / "LICENSE").read_text().splitlines()[2] in text


def test_made_twice_in_different_folders_they_are_the_same(
    crates: list[Path], amalgamated: Amalgamation, tmp_path: Path
) -> None:
    tree = tmp_path / "somewhere else"
    left_out = shutil.ignore_patterns("target", "bundled")
    shutil.copytree(BINDING, tree / "bindings/rust", symlinks=True, ignore=left_out)
    shutil.copytree(ROOT / "tools", tree / "tools")
    for file in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / file, tree)
    again = make(tree, amalgamated.folder, tmp_path / "again", "--no-verify")
    assert [(file.name, digest(file)) for file in again] == [(file.name, digest(file)) for file in crates]


def test_a_consumer_without_a_libtrip_links_the_copy_and_exports_none_of_it(consumer: Path) -> None:
    nowhere = str(consumer / "nowhere")
    printed = cargo("run", "--quiet", where=consumer, PKG_CONFIG_LIBDIR=nowhere)
    assert printed == f"{version()} 30s false\n"
    program, library = SHARED / "debug/consumer", SHARED / "debug/libconsumer.so"
    for binary in (program, library):
        assert "libtrip" not in needed(binary)
        assert not {name for name in exported(binary) if name.startswith("trip_")}
        assert kinds(binary) == {"t"}, "functions of the copy that are not hidden"
    assert "seconds" in exported(library)
    asked = subprocess.run(
        [sys.executable, "-c", f"import ctypes; print(ctypes.CDLL({str(library)!r}).seconds())"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert asked.stdout == "30\n"


def test_a_consumer_with_a_libtrip_links_that(consumer: Path) -> None:
    installed = {"PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"), "LD_LIBRARY_PATH": str(BUILD)}
    assert cargo("run", "--quiet", where=consumer, **installed).startswith(f"{version()} 30s ")
    assert "libtrip.so.1" in needed(SHARED / "debug/consumer")


def test_whoever_asks_for_the_copy_gets_it_where_a_libtrip_is_installed(consumer: Path) -> None:
    installed = {"PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled")}
    cargo("build", "--quiet", "--features", "trip/bundled", where=consumer, **installed)
    assert "libtrip" not in needed(SHARED / "debug/consumer")


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [("0", "pkg-config does not find it"), ("1", "a checkout of its sources, which has none")],
)
def test_without_the_library_that_is_wished_for_the_build_says_so(
    consumer: Path, tmp_path: Path, wish: str, complaint: str
) -> None:
    nowhere = str(tmp_path / "nowhere")
    where = consumer if wish == "0" else BINDING
    with pytest.raises(AssertionError, match=complaint):
        cargo("build", "-p", "trip-sys", where=where, TRIP_SYS_BUNDLED=wish, PKG_CONFIG_LIBDIR=nowhere)


def test_documentation_needs_no_library(consumer: Path, tmp_path: Path) -> None:
    nothing = {"DOCS_RS": "1", "TRIP_SYS_BUNDLED": "0", "PKG_CONFIG_LIBDIR": str(tmp_path / "nowhere")}
    cargo("doc", "--quiet", "--no-deps", "-p", "trip", where=consumer, **nothing)


def test_a_build_script_finds_the_header_beside_the_library(consumer: Path, tmp_path: Path) -> None:
    """That of a crate which depends on trip-sys."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text('fn main() { print!("{}", env!("HEADER")); }\n')
    (tmp_path / "build.rs").write_text(
        'fn main() { println!("cargo::rustc-env=HEADER={}/trip.h", std::env::var("DEP_TRIP_INCLUDE").unwrap()); }\n'
    )
    sys_crate = consumer / f"trip-sys-{version()}"
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "asks"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[dependencies]\ntrip-sys = {{ path = "{sys_crate}" }}\n'
    )
    shutil.copy(BINDING / "Cargo.lock", tmp_path)
    installed = {"PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"), "LD_LIBRARY_PATH": str(BUILD)}
    told = cargo("run", "--quiet", where=tmp_path, TRIP_SYS_BUNDLED="1", **installed)
    assert Path(told) == sys_crate / "bundled/trip.h"
    told = cargo("run", "--quiet", where=tmp_path, **installed)
    assert Path(told).read_bytes() == (ROOT / "include/trip.h").read_bytes()
