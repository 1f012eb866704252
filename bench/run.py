"""`./x bench`: libtrip and its peers side by side, in one run, each in its own language.

    python run.py [--quick] [--rounds N] [--only LANGUAGE,...] [--all] [--seed N] [--out FOLDER]
    python run.py --agree FILE FILE...
    python run.py --profile [--out FOLDER]
    python run.py --document FILE...

One stand per language, or per peer that is heavy to build, waits for the next line while another is timed. A peer that
cannot be measured is reported, and no figure stands for it. Nothing here fails because of a time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import agreement
import chart
import document
import machine
import profiling
import report
from measured import Measured
from protocol import Missing
from stands import BUILT, RECIPES, BuildError, C, Recipe
from timing import FULL, QUICK, Plan, measure, tell


def build(recipes: Sequence[Recipe], measured: Measured) -> list[Recipe]:
    """Those that could be built; of the others it says why."""
    built = []
    for recipe in recipes:
        tell(f"building {recipe.name}")
        try:
            if shutil.which(recipe.tool) is None:
                raise BuildError(f"there is no {recipe.tool} on this machine")
            recipe.build()
            built.append(recipe)
        except BuildError as error:
            measured.miss(Missing(recipe.language, peer, f"does not build: {error}") for peer in recipe.peers)
    return built


def choose(options: argparse.Namespace) -> list[Recipe]:
    """The C stand is always there: its loops are the yardstick of all."""
    languages = {recipe.language for recipe in RECIPES}
    wanted = set(options.only.split(",")) if options.only else languages
    if not wanted <= languages:
        raise SystemExit(f"--only: there is no stand in {', '.join(sorted(wanted - languages))}")
    return [
        recipe
        for recipe in RECIPES
        if recipe is C or (recipe.language in wanted and (options.all or options.only or not recipe.only_with_all))
    ]


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.agree:
        comparison = agreement.compare(agreement.load(options.agree))
        print(comparison)
        return 1 if comparison.differing else 0
    if options.document:
        for path in options.document:
            print("\n".join(_shown(written) for written in document.write(path)))
        return 0
    if options.profile:
        return _profile(options.out)
    plan, described, measured = Plan.of(options), machine.describe(), Measured()
    recipes = build(choose(options), measured)
    began = time.monotonic()
    measure(recipes, plan, options.seed, measured)
    library = report.library(machine.load_time(plan.loads), machine.library_size())
    tell("")

    run = {
        "command": _command(options),
        "plan": asdict(plan),
        "rounds": measured.rounds,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began, 1),
    }
    results = report.results(measured, run, described, library)
    options.out.mkdir(parents=True, exist_ok=True)
    report.write(results, options.out / "results.json")
    (options.out / "chart.svg").write_text(chart.draw(results), encoding="utf-8")
    print(report.table(results))
    print(f"\n{_shown(options.out / 'results.json')}\n{_shown(options.out / 'chart.svg')}")
    return 0


def _profile(out: Path) -> int:
    measured = Measured()
    built = build(profiling.recipes(), measured)
    results = profiling.results(profiling.profile(built), machine.describe())
    tell("")
    out.mkdir(parents=True, exist_ok=True)
    report.write(results, out / "profile.json")
    print(profiling.table(results))
    for missing in measured.missing:
        print(f"\n{missing.language} {missing.name}: {missing.reason}")
    print(f"\n{_shown(out / 'profile.json')}")
    return 0


def _command(options: argparse.Namespace) -> str:
    """What was asked for, without where the results go."""
    asked = {
        "--quick": options.quick,
        "--all": options.all,
        f"--only {options.only}": options.only,
        f"--rounds {options.rounds}": options.rounds,
    }
    return " ".join(["./x bench", *(option for option, is_asked in asked.items() if is_asked)])


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./x bench", description="libtrip and its peers side by side")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under a minute, once built")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"rounds ({FULL.rounds}; --quick {QUICK.rounds})")
    parser.add_argument("--only", metavar="LANGUAGE,...", help="only the stands in these languages")
    parser.add_argument("--all", action="store_true", help="also the peers in Java and Node")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order within the rounds (1)")
    parser.add_argument("--out", type=Path, default=BUILT, metavar="FOLDER", help="where the results go")
    parser.add_argument(
        "--agree", type=Path, nargs="+", metavar="FILE", help="measure nothing: do the results of these runs agree?"
    )
    parser.add_argument(
        "--document", type=Path, nargs="+", metavar="FILE", help="measure nothing: put results into docs/performance.md"
    )
    parser.add_argument("--profile", action="store_true", help="where the time of a call goes, as perf sees it")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.agree and len(options.agree) < 2:
        parser.error("--agree: at least 2 files")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
