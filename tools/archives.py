"""Archives that hold nothing but their files: written with one time, one owner and one order, so that the same files
are the same bytes wherever and whenever they are packed; and read whatever their kind."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file of an archive; a link has a target and no content."""

    content: bytes
    executable: bool = False
    target: str = ""


def entry(path: Path) -> Entry:
    return Entry(path.read_bytes(), executable=bool(path.stat().st_mode & 0o100))


def tar(entries: Mapping[str, Entry], time: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, file in sorted(entries.items()):
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = time, 0o755 if file.executable else 0o644
            info.uname = info.gname = "root"
            if file.target:
                info.type, info.linkname = tarfile.SYMTYPE, file.target
            info.size = len(file.content)
            archive.addfile(info, io.BytesIO(file.content))
    return packed.getvalue()


def write(path: Path, entries: Mapping[str, Entry], time: int) -> Path:
    """A tar.gz or tar.xz, by its name. `time` is when all files were last changed [s since 1970 UTC]."""
    packed = tar(entries, time)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(packed, preset=6) if path.suffix == ".xz" else gzip.compress(packed, mtime=time))
    return path


def read_tar(file: io.BufferedIOBase) -> Iterator[tuple[str, Entry]]:
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            if member.issym():
                yield member.name, Entry(b"", target=member.linkname)
            elif member.isfile():
                opened = archive.extractfile(member)
                assert opened is not None
                yield member.name, Entry(opened.read(), executable=bool(member.mode & 0o100))


def read(path: Path) -> dict[str, Entry]:
    """What is in an archive: tar, wheel, zip, crate or Debian's package."""
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            return {info.filename: Entry(archive.read(info)) for info in archive.infolist() if not info.is_dir()}
    if path.suffix == ".deb":
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], check=True, capture_output=True).stdout
        return dict(read_tar(io.BytesIO(unpacked)))
    with path.open("rb") as file:
        return dict(read_tar(file))
