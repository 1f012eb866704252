"""The steps of `./x test` and `./x soak`: what each shows, the command for it, and how what it prints is counted.

A step is a line of shell, run at the root of the tree with the environment that x sets. Steps are independent: one that
fails never keeps a later one from running.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

import tally
import vectors

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Step:
    name: str
    shows: str
    command: str
    read: tally.Reader
    report: str = ""  # a file that the command writes and that is read in place of what it prints
    limit: int = 900  # seconds; a step that takes longer hangs
    env: dict[str, str] = field(default_factory=dict)


def c_tests(
    name: str, shows: str, folder: str, options: str = "", tests: str = "", limit: int = 900, **env: str
) -> Step:
    """Meson's tests in a build folder of their own. The linker's path, which x sets to build/, would come before the
    run path of these programs: without the folder's own here, a sanitizer would watch nothing."""
    return Step(
        name,
        shows,
        f"{{ [ -f {folder}/build.ninja ] || meson setup {folder} {options}; }} && "
        f"ninja -C {folder} && meson test -C {folder} --no-rebuild --print-errorlogs --timeout-multiplier 5 {tests}",
        tally.meson,
        report=f"{folder}/meson-logs/testlog.json",
        limit=limit,
        env={"LD_LIBRARY_PATH": str(ROOT / folder), **env},
    )


def asan_tests(name: str, shows: str) -> Step:
    return c_tests(
        name,
        shows,
        "build-asan",
        "-Db_sanitize=address,undefined -Db_lundef=false",
        "--no-suite mutants",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    )


def tsan_tests(name: str, shows: str, repeat: str = "", limit: int = 900) -> Step:
    """The suites of what threads share. Not `fork`: the sanitizer dies in a forked child that starts a thread."""
    return c_tests(
        name,
        shows,
        "build-tsan",
        "-Db_sanitize=thread -Db_lundef=false",
        "structs handles express lanes counting registry texts events ring window overdue steering configure listing "
        "metrics snapshot threads faults statuses object retry dedup_waiting gate adapt route guard pipeline "
        f"{repeat}",
        limit,
        TSAN_OPTIONS="halt_on_error=1",
    )


def check_only(name: str, shows: str, command: str) -> Step:
    return Step(name, shows, command, tally.check_only)


def pytest(name: str, shows: str, where: str, before: str = "") -> Step:
    return Step(name, shows, f"{before}python -m pytest --color=no -p no:cacheprovider {where}", tally.pytest)


def bite(language: str, options: str, limit: int = 900) -> Step:
    """The contract's runner of a language must fail on vectors whose expectations are spoiled."""
    runner = shlex.quote(vectors.RUNNERS[language])
    return Step(
        f"bite-{language}",
        f"the contract's runner in {language} lets nothing wrong pass",
        f"python tests/contract/bite.py {options} -- bash -c {runner}",
        tally.plain,
        limit=limit,
    )


C_FILES = "find include lib tests bench demo examples -name '*.[ch]' -print0"


def in_crates(command: str) -> str:
    """A command of cargo's in each folder of Rust that people write: the binding, and the demo's client."""
    folders = {"bindings/rust": "bindings/rust/target", "demo/clients/rust": "build/demo/rust"}
    return " && ".join(
        f"(cd {folder} && CARGO_TARGET_DIR={ROOT / target} cargo {command})" for folder, target in folders.items()
    )


# The binding is without dependencies; what has some is a module of its own.
GO_MODULES = ("bindings/go", "bindings/go/tripgrpc", "bindings/go/sdktest")


def in_modules(command: str, *folders: str) -> str:
    """A command of go's in each folder; the last that fails decides, and each is run."""
    return (
        "failed=0; " + "".join(f"(cd {folder} && go {command}) || failed=$?; " for folder in folders) + "exit $failed"
    )


CLIPPY = [f"clippy --workspace --all-targets{features} --quiet -- -D warnings" for features in ("", " --all-features")]

STEPS = (
    pytest("tools", "the counting of everything below", "tools"),
    check_only("build", "the library builds without a warning", "./x build"),
    c_tests("c", "the C tests, and the contract from C", "build"),
    asan_tests("c-asan", "the same under the address and undefined-behaviour sanitizers"),
    tsan_tests("c-tsan", "those with threads under the thread sanitizer"),
    Step(
        "fuzz",
        "the readers of snapshots, and of what providers say, stand any bytes",
        "python tests/fuzz/fuzz.py --runs 30000",
        tally.plain,
    ),
    Step(
        "differential",
        "windows open when resilience4j's do, in two million random steps",
        "python tests/differential/compare.py",
        tally.plain,
    ),
    pytest("metrics", "the metrics are read by prometheus_client and scraped by a Prometheus", "tests/metrics"),
    pytest("abi", "symbols, layout, header, and that what is generated is current", "tests/abi"),
    pytest("python", "the Python binding, and the contract from Python", "bindings/python/tests"),
    check_only(
        "python-types",
        "mypy --strict",
        "mypy --strict tools tests/dist tests/docs tests/fuzz tests/differential tests/metrics && "
        "mypy --strict tests/site docs/site docs/guides && "
        "mypy --strict --python-executable .venv-dist/bin/python bindings/python/hatch_build.py && "
        "(cd bindings/python && mypy --strict) && (cd demo && mypy) && cd bench && mypy",
    ),
    check_only("python-lint", "ruff", "ruff check . && ruff format --check ."),
    Step(
        "rust",
        "the Rust binding, without and with its features, and the contract from Rust",
        "cd bindings/rust && cargo test --workspace --no-fail-fast; plain=$?; "
        "cargo test --workspace --no-fail-fast --all-features && exit $plain",
        tally.cargo,
    ),
    check_only("rust-lint", "clippy", " && ".join(map(in_crates, CLIPPY))),
    check_only("rust-format", "rustfmt", in_crates("fmt --all --check")),
    check_only(
        "rust-docs",
        "rustdoc",
        "cd bindings/rust && export RUSTDOCFLAGS='-D warnings' && cargo doc --workspace --no-deps && "
        "cargo doc --workspace --no-deps --all-features",
    ),
    Step(
        "go",
        "the Go binding and its interceptors under the race detector, and the contract from Go",
        in_modules("test -race -count=1 -json ./...", "bindings/go", "bindings/go/tripgrpc"),
        tally.go,
    ),
    Step(
        "go-sdks",
        "the SDKs of OpenAI and Anthropic, as their users call them, are protected in Go",
        # Not under the race detector, which would double the time that the SDKs take to compile on a new machine.
        in_modules("test -count=1 -json ./...", "bindings/go/sdktest"),
        tally.go,
    ),
    check_only("go-vet", "go vet", in_modules("vet ./...", *GO_MODULES, "demo/clients/go")),
    check_only("go-format", "gofmt", 'files=$(gofmt -l bindings/go demo bench) && echo "$files" && [ -z "$files" ]'),
    check_only("vectors", "every language has run every contract vector", "python tools/vectors.py"),
    *(bite(language, "--sample 10 --seed 1") for language in vectors.RUNNERS),
    Step(
        "broken",
        "a library that is late by a nanosecond fails in every language",
        "python tools/broken.py",
        tally.plain,
    ),
    pytest("demo", "the figures of the demo", "demo/tests", before="tools/build-clients.sh && "),
    pytest("bench", "the arithmetic and the protocol of the bench; no time is asserted", "bench/tests"),
    pytest("dist", "packages install where nothing else is, and are made twice the same", "tests/dist"),
    pytest("docs", "every block of code in README.md, ABI.md and docs/", "tests/docs"),
    pytest("site", "the documentation site: its links, its bytes, and its pages in a browser", "tests/site"),
    check_only("c-format", "clang-format", f"{C_FILES} | xargs -0 clang-format-14 --dry-run --Werror"),
    check_only("shell", "shellcheck", "shellcheck x .ci/run tools/*.sh"),
)

HOURS = 3600

SOAK = (
    tsan_tests("threads", "the C tests under the thread sanitizer, again and again", "--repeat 20", 4 * HOURS),
    Step(
        "word",
        "ten billion random steps of the state machine next to its model",
        "build/tests/word/word-random --steps 10000000000 --seed $RANDOM",
        tally.check,
        limit=4 * HOURS,
    ),
    Step(
        "fuzz",
        "the readers of snapshots, and of what providers say, stand any bytes, for half an hour each",
        "python tests/fuzz/fuzz.py --seconds 1800 --seed $RANDOM",
        tally.plain,
        limit=2 * HOURS,
    ),
    Step(
        "differential",
        "a billion random steps next to resilience4j's windows",
        "python tests/differential/compare.py --steps 1000000000 --seed $RANDOM",
        tally.plain,
        limit=2 * HOURS,
    ),
    Step(
        "go-sdks",
        "the newest SDKs, for which Debian's Go is too old, are protected in Go",
        in_modules("test -count=1 -json -modfile=newest.mod ./...", "bindings/go/sdktest"),
        tally.go,
        limit=HOURS,
    ),
    *(bite(language, "--all", limit=12 * HOURS) for language in vectors.RUNNERS),
)
