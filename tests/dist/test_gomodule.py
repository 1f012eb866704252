"""The Go modules, taken by a module outside of the tree from a module proxy that is a folder: with a C compiler and
nothing else, offline, and with the system's library where the build tag says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import REPOSITORY, Amalgamation, Prefix, run

MODULE = "libtrip.example/trip"
GRPC = f"{MODULE}/tripgrpc"

PROGRAM = """\
package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"libtrip.example/trip"
	"libtrip.example/trip/triphttp"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(529) }))
	defer server.Close()
	tracker, err := trip.NewTracker(trip.Config{FailureThreshold: 1})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: triphttp.NewRoundTripper(tracker, nil)}
	response, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	_, err = client.Get(server.URL)
	fmt.Println(trip.Version(), response.StatusCode, errors.Is(err, trip.ErrOpen))
}
"""


@dataclass(frozen=True)
class Proxy:
    folder: Path
    version: str
    zips: dict[str, Path]

    def files(self, module: str) -> dict[str, bytes]:
        with zipfile.ZipFile(self.zips[module]) as archive:
            return {name.partition("@")[2].partition("/")[2]: archive.read(name) for name in archive.namelist()}


def pack(amalgamated: Amalgamation, output: Path) -> dict[str, Path]:
    maker = REPOSITORY / "tools/dist/gomodule.py"
    made = run(
        sys.executable, maker, "--amalgamation", amalgamated.folder, "--output", output, PYTHONPATH=REPOSITORY / "tools"
    )
    return dict(zip((MODULE, GRPC), map(Path, made.splitlines())))


@pytest.fixture(scope="module")
def proxy(amalgamated: Amalgamation, tmp_path_factory: pytest.TempPathFactory) -> Proxy:
    folder = tmp_path_factory.mktemp("proxy")
    zips = pack(amalgamated, tmp_path_factory.mktemp("zips"))
    version = "v" + zips[MODULE].stem.removeprefix("libtrip-go-")
    served = Proxy(folder, version, zips)
    for module, path in zips.items():
        versions = folder / module / "@v"
        versions.mkdir(parents=True)
        shutil.copy(path, versions / f"{version}.zip")
        (versions / f"{version}.mod").write_bytes(served.files(module)["go.mod"])
        (versions / f"{version}.info").write_text(json.dumps({"Version": version}))
        (versions / "list").write_text(f"{version}\n")
    return served


def tools(folder: Path, *names: str) -> str:
    """A PATH with these programs and no others."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return str(folder)


def consumer(proxy: Proxy, folder: Path, path: str) -> tuple[Path, dict[str, str]]:
    """A module that has the program alone, and the environment in which it knows the proxy alone."""
    project = folder / "consumer"
    project.mkdir()
    (project / "main.go").write_text(PROGRAM)
    (project / "go.mod").write_text("module consumer\n\ngo 1.23\n")
    cached = run("go", "env", "GOMODCACHE").strip()
    environment = {
        "PATH": path,
        "GOPROXY": f"file://{proxy.folder},file://{cached}/cache/download,off",
        "GOSUMDB": "off",
        "GOMODCACHE": str(folder / "modules"),
        "GOCACHE": run("go", "env", "GOCACHE").strip(),
        "GOFLAGS": "-mod=mod -modcacherw -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "HOME": str(folder),
    }
    return project, environment


def go(project: Path, environment: dict[str, str], *arguments: str) -> str:
    binary = shutil.which("go")
    assert binary is not None
    done = subprocess.run([binary, *arguments], cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"go {arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_needs_a_c_compiler_alone(proxy: Proxy, tmp_path: Path) -> None:
    project, environment = consumer(proxy, tmp_path, tools(tmp_path / "bin", "gcc", "as", "ld"))
    go(project, environment, "get", f"{MODULE}@{proxy.version}")
    go(project, environment, "build", "-o", "program", ".")
    assert run(project / "program", LD_LIBRARY_PATH="") == f"{proxy.version[1:]} 529 true\n"
    assert "libtrip" not in run("readelf", "--dynamic", "--wide", project / "program")
    assert "trip_" not in run("nm", "--dynamic", "--defined-only", project / "program")


def test_takes_the_system_s_library_where_the_tag_says_so(proxy: Proxy, prefix: Prefix, tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "gcc", "as", "ld", "pkg-config")
    project, environment = consumer(proxy, tmp_path, path)
    environment |= prefix.environment()
    # Go remembers what it compiled by its folder, and not by what pkg-config said: with -trimpath it would find again
    # what was linked to another run's library.
    environment["GOFLAGS"] = environment["GOFLAGS"].replace("-trimpath ", "")
    go(project, environment, "get", f"{MODULE}@{proxy.version}")
    go(project, environment, "build", "-tags", "trip_system", "-o", "program", ".")
    assert "[libtrip.so.1]" in run("readelf", "--dynamic", "--wide", project / "program")
    assert run(project / "program", **prefix.environment()).endswith(" 529 true\n")


def test_goes_into_a_vendor_folder(proxy: Proxy, tmp_path: Path) -> None:
    project, environment = consumer(proxy, tmp_path, tools(tmp_path / "bin", "gcc", "as", "ld"))
    go(project, environment, "get", f"{MODULE}@{proxy.version}")
    go(project, environment | {"GOFLAGS": ""}, "mod", "vendor")
    vendored = {path.name for path in (project / "vendor" / MODULE).iterdir()}
    assert {"trip.c", "trip.h", "callbacks.c", "callbacks.h", "LICENSE", "NOTICE"} <= vendored
    go(project, environment | {"GOFLAGS": "-trimpath"}, "vet", "-mod=vendor", ".")


def test_the_interceptors_ask_for_the_binding_of_their_version(proxy: Proxy, tmp_path: Path) -> None:
    declared = proxy.files(GRPC)["go.mod"].decode()
    assert f"{MODULE} {proxy.version}\n" in declared and "replace" not in declared
    project, environment = consumer(proxy, tmp_path, os.environ["PATH"])
    (project / "main.go").write_text(f'package main\n\nimport _ "{GRPC}"\n\nfunc main() {{}}\n')
    go(project, environment, "get", f"{GRPC}@{proxy.version}")
    packages = go(project, environment, "list", "-deps", ".").splitlines()
    assert {MODULE, GRPC, "google.golang.org/grpc"} <= set(packages)


def test_carry_the_notices_of_what_they_contain(proxy: Proxy) -> None:
    for module in (MODULE, GRPC):
        files = proxy.files(module)
        for name in ("LICENSE", "NOTICE"):
            assert files[name] == (REPOSITORY / name).read_bytes()
    source = proxy.files(MODULE)["trip.c"].decode()
    assert "Troy D. Hanson" in source and "Serge Zaitsev" in source


def test_leave_out_what_only_the_tree_can_run(proxy: Proxy) -> None:
    names = proxy.files(MODULE)
    assert {name for name in names if name.endswith("_test.go")} == {
        str(path.relative_to(REPOSITORY / "bindings/go"))
        for folder in ("", "triphttp")
        for path in (REPOSITORY / "bindings/go" / folder).glob("example*_test.go")
    }
    assert not [
        name for name in names if name.startswith(("internal/contract", "internal/libc", "sdktest", "tripgrpc"))
    ]


def test_are_the_same_bytes_every_time(amalgamated: Amalgamation, proxy: Proxy, tmp_path: Path) -> None:
    again = pack(amalgamated, tmp_path)
    assert {module: path.read_bytes() for module, path in again.items()} == {
        module: path.read_bytes() for module, path in proxy.zips.items()
    }
