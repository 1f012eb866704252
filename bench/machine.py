"""What the figures were measured on, as the machine itself says it."""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
from pathlib import Path
from typing import Any

from figures import Spread
from stands import BUILT, LIBRARY_FOLDER, environment

LIBRARY = LIBRARY_FOLDER / "libtrip.so"


def describe() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_at_start": list(os.getloadavg()),
        "nice": os.nice(0),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def load_time(times: int) -> Spread:
    """How long the loader takes for the library, in processes that have not seen it: ns."""
    command = [str(BUILT / "load"), str(LIBRARY)]
    said = [subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE).stdout for _ in range(times)]
    return Spread.of([float(json.loads(line)["load_ns"]) for line in said])


def library_size() -> dict[str, int]:
    """Of the file as it was built, and of what is mapped from it when it is loaded."""
    image = LIBRARY.read_bytes()
    if image[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"{LIBRARY} is not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", image, 32)
    entry_size, entries = struct.unpack_from("<HH", image, 54)
    loaded = 0
    for at in range(table, table + entry_size * entries, entry_size):
        (kind,) = struct.unpack_from("<I", image, at)
        if kind == 1:  # PT_LOAD
            loaded += struct.unpack_from("<Q", image, at + 40)[0]
    return {"file_bytes": len(image), "loaded_bytes": loaded}
