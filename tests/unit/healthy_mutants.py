#!/usr/bin/env python3
"""Proves that the suite of healthy.c can fail: puts on the healthy path, one at a time, what must never be there, and
each time the suite must name it. A survivor, a function that is not there exactly once, or a mutant that does not
compile is an error. Owns the list of mutants; never changes the tree.

    tests/unit/healthy_mutants.py -Wl,--wrap=malloc ...     the traps, as meson.build names them to the linker
"""

import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COMPILE = ["gcc", "-std=gnu11", "-O2", "-D_GNU_SOURCE", '-DTRIP_VERSION="0"', "-pthread", "-w"]
FOLDERS = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'lib'}", f"-I{HERE}"]
CHECK_LIBS = subprocess.check_output(["pkg-config", "--libs", "check"], text=True).split()
SECONDS = 120

NEEDED = (
    "<pthread.h>",
    "<sched.h>",
    "<stdlib.h>",
    "<sys/syscall.h>",
    "<time.h>",
    "<unistd.h>",
    '"alloc.h"',
    '"clock.h"',
)
SINS = {
    "reads the clock": ("struct timespec now; clock_gettime(CLOCK_MONOTONIC, &now);", "clock readings"),
    "allocates": ("void *volatile memory = malloc(1); free(memory);", "allocations"),
    "calls the system": ("syscall(SYS_getpid);", "system calls"),
    "takes a lock": (
        "static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;"
        "pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex);",
        "locks",
    ),
    "reads the coarse clock": ("trip_clock_coarse();", "clock readings"),
    "allocates by the library's own means": ("trip_release(trip_allocate(64));", "allocations"),
    "yields": ("sched_yield();", "system calls"),
}
PLAIN = list(SINS)[:4]
PATH = {
    "trip_circuit_permit": SINS,
    "trip_permit_record_success": SINS,
    "trip_circuit_express": PLAIN,
    "trip_circuit_count": PLAIN,
}
MUTANTS = [(function, sin) for function, sins in PATH.items() for sin in sins]


def compile_c(source, target):
    built = subprocess.run(
        [*COMPILE, *FOLDERS, "-c", source, "-o", target], capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise RuntimeError(f"{source.name} does not compile: {built.stderr.splitlines()[0]}")


def sources():
    return sorted((ROOT / "lib").glob("*.c"))


def sinful(function, statements):
    """The file of the library that defines the function, and its text with the statements first in the body."""
    beginning = re.compile(rf"^trip_status {function}\([^;{{]*\)\n\{{\n", re.MULTILINE)
    found = [(source, match) for source in sources() for match in beginning.finditer(source.read_text())]
    if len(found) != 1:
        raise RuntimeError(f"{function} is defined {len(found)} times, not once")
    source, match = found[0]
    text = source.read_text()
    needed = "".join(f"#include {header}\n" for header in NEEDED)
    return source, f"{needed}{text[: match.end()]}{{ {statements} }}\n{text[match.end() :]}"


def run_suite(objects, room, traps):
    """What the suite prints, and whether it passed."""
    subprocess.run(["gcc", "-pthread", *objects, "-o", room / "healthy", *traps, *CHECK_LIBS], check=True)
    run = subprocess.run([room / "healthy"], capture_output=True, text=True, timeout=SECONDS, check=False)
    return run.stdout, run.returncode == 0


def judge(mutant, room, traps):
    function, sin = mutant
    statements, complaint = SINS[sin]
    try:
        source, text = sinful(function, statements)
        room.mkdir()
        (room / source.name).write_text(text)
        compile_c(room / source.name, room / "sinful.o")
        others = [each for each in room.parent.glob("*.o") if each.stem != source.stem]
        printed, passed = run_suite([room / "sinful.o", *others], room, traps)
    except (RuntimeError, subprocess.SubprocessError) as problem:
        return False, f"ERROR    {function} {sin}: {problem}"
    caught = not passed and re.search(rf"^\S+?:\d+:F:.* {complaint}: [1-9]", printed, re.MULTILINE) is not None
    return caught, f"{'caught  ' if caught else 'SURVIVED'} {function} {sin}"


def main():
    traps = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=2) as pool:
        folder = pathlib.Path(folder)
        for source in (*sources(), HERE / "healthy.c", HERE / "traps.c"):
            compile_c(source, folder / f"{source.stem}.o")
        printed, passed = run_suite(list(folder.glob("*.o")), folder, traps)
        if not passed:
            sys.exit(f"the unbroken library fails: {printed}")
        caught = 0
        rooms = [folder / str(number) for number in range(len(MUTANTS))]
        for was_caught, line in pool.map(judge, MUTANTS, rooms, [traps] * len(MUTANTS)):
            caught += was_caught
            print(line, flush=True)
    print(f"{caught} passed, {len(MUTANTS) - caught} failed")
    return caught != len(MUTANTS)


if __name__ == "__main__":
    sys.exit(main())
