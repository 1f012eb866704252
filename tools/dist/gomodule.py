"""The Go modules as a module proxy serves them: zips of the binding and of its interceptors for gRPC. The binding
carries trip.c and trip.h, so that a C compiler is all that it needs; the build tag trip_system goes back to pkg-config.
What only the tree can run, such as the contract's tests, stays out."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import maker

BINDING = maker.ROOT / "bindings/go"
MODULE = "libtrip.example/trip"  # .example: nobody's host, RFC 2606
GRPC = f"{MODULE}/tripgrpc"

BUNDLED = "//go:build !trip_system\n\n"
SYSTEM = "//go:build trip_system\n\n"

BUNDLED_GO = (
    BUNDLED
    + """\
// This file owns where the library comes from: trip.c beside it, compiled into the program and known to nothing outside
// of it. It has no guards, which need libffi. With the build tag trip_system the library is the system's, see link.go.

package trip

/*
#cgo CFLAGS: -std=gnu11 -O2 -fvisibility=hidden -DTRIP_API= -I${SRCDIR}
#cgo LDFLAGS: -lpthread
*/
import "C"
"""
)


def sources(folder: Path) -> Iterator[Path]:
    """What a module consists of. Of its tests those that its documentation shows."""
    for path in sorted(folder.iterdir()):
        is_shown = path.name.startswith("example") or not path.name.endswith("_test.go")
        if path.suffix in (".go", ".c", ".h") and is_shown:
            yield path


def packages() -> Iterator[Path]:
    yield BINDING
    yield BINDING / "triphttp"
    yield BINDING / "internal/admission"


def notices() -> dict[str, bytes]:
    return {name: (maker.ROOT / name).read_bytes() for name in ("LICENSE", "NOTICE")}


def binding(amalgamation: Path) -> dict[str, bytes]:
    """The files of the binding's module."""
    files = {
        str(path.relative_to(BINDING)): path.read_bytes() for folder in packages() for path in sources(folder)
    } | notices()
    files["go.mod"] = (BINDING / "go.mod").read_bytes()
    files["link.go"] = SYSTEM.encode() + files["link.go"]
    files["bundled.go"] = BUNDLED_GO.encode()
    files["trip.c"] = BUNDLED.encode() + (amalgamation / "trip.c").read_bytes()
    files["trip.h"] = (amalgamation / "trip.h").read_bytes()
    return files


def interceptors(version: str) -> dict[str, bytes]:
    """The files of the module for gRPC, which asks for the binding of the same version."""
    folder = BINDING / "tripgrpc"
    files = {path.name: path.read_bytes() for path in sources(folder)} | notices()
    declared = (folder / "go.mod").read_text()
    declared = re.sub(rf"^\nreplace {re.escape(MODULE)} => .*\n", "", declared, flags=re.MULTILINE)
    declared, count = re.subn(rf"^(\s+{re.escape(MODULE)}) v0\.0\.0$", rf"\1 {version}", declared, flags=re.MULTILINE)
    if count != 1 or "replace" in declared:
        raise SystemExit(f"{folder}/go.mod does not ask for {MODULE} v0.0.0 as it did")
    return files | {"go.mod": declared.encode(), "go.sum": (folder / "go.sum").read_bytes()}


def pack(module: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """A module's zip: its files below module@version, with no time of their own, as the go command writes them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(f"{module}@{version}/{name}")  # 1980, where zip begins
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compresslevel=9)
    return packed.getvalue()


def main() -> None:
    amalgamation, output = maker.arguments(__doc__)
    version = f"v{maker.version()}"
    output.mkdir(parents=True, exist_ok=True)
    for name, module, files in (
        ("libtrip-go", MODULE, binding(amalgamation)),
        ("libtrip-go-grpc", GRPC, interceptors(version)),
    ):
        path = output / f"{name}-{maker.version()}.zip"
        path.write_bytes(pack(module, version, files))
        print(path)


if __name__ == "__main__":
    main()
