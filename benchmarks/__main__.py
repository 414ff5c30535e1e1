"""`python -m benchmarks --scale small`: hold the contests and put what came out into benchmarks/results.

Exit code 1 when an answer differs, a contest failed, or was skipped because the other engine is not there; the others are held all the same.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks import bank, contest, contests, lookups, peer, rolling
from benchmarks.contest import RESULTS, Contest
from benchmarks.ground import Ground


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Time the engine against others, side by side, with answers compared.")
    parser.add_argument("--scale", choices=sorted(bank.SCALES), default="small")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contests to hold, such as late")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each side")
    arguments = parser.parse_args()
    scale = bank.SCALES[arguments.scale]
    with bank.scratch(scale) as folder, bank.spark_of(scale, folder) as spark, ExitStack() as closing:
        ground = Ground(scale, spark, folder)
        made = {**dict(contests.all_contests(ground)), **lookups.all_lookups(ground, closing)}
        made["range-butterfree"] = partial(rolling.against_butterfree, ground, closing)
        unknown = sorted(set(arguments.only or ()) - set(made))
        if unknown:
            parser.error(f"no contests {unknown}; there are {list(made)}")
        asked = {name: made[name] for name in arguments.only or made}
        others = dict.fromkeys(lookups.all_lookups(ground, closing), lookups.FEAST) | {"range-butterfree": rolling.BUTTERFREE}
        skipped = {name: f"skipped: {peer.missing(others[name])}" for name in asked if name in others and not peer.is_there(others[name])}
        told(skipped)
        held = {name: make for name, make in asked.items() if name not in skipped}
        failed = skipped | hold_all(held, spark, closing, scale=scale.name, runs=arguments.runs)
    told(failed)
    return 1 if failed else 0


def told(failed: Mapping[str, str]) -> None:
    for name, because in failed.items():
        print(f"{name}: {because}", file=sys.stderr, flush=True)


def hold_all(
    made: Mapping[str, Callable[[], Contest]], spark: SparkSession, closing: ExitStack, *, scale: str, runs: int, results: Path = RESULTS
) -> dict[str, str]:
    """Hold one after the other, and record each; by name why those that failed did. closing: ends what a contest has opened."""
    failed = {}
    for name, make in made.items():
        try:
            with closing:
                entry = contest.held(make(), spark, runs=runs)
        except Exception as error:  # noqa: BLE001 whatever it is, it is told, and the others are held
            traceback.print_exc()
            failed[name] = f"failed: {error}"
            continue
        print(contest.verdict(entry), flush=True)
        contest.record(scale, [entry], results=results)
        if not entry["equal"]:
            failed[name] = f"the answers differ: {entry['differing']}"
    return failed


if __name__ == "__main__":
    sys.exit(main())
