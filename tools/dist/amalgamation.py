"""The archive of trip.c and trip.h, with the notices that whoever compiles them passes on."""

from __future__ import annotations

import archives
import maker


def main() -> None:
    amalgamation, output = maker.arguments(__doc__)
    name = f"libtrip-amalgamation-{maker.version()}"
    files = [amalgamation / "trip.c", amalgamation / "trip.h", maker.ROOT / "LICENSE", maker.ROOT / "NOTICE"]
    entries = {f"{name}/{path.name}": archives.entry(path) for path in files}
    print(archives.write(output / f"{name}.tar.gz", entries, maker.time()))


if __name__ == "__main__":
    main()
