"""`python -m benchmarks --scale small`: hold the contests and put what came out into benchmarks/results."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from functools import partial

from benchmarks import bank, contest, contests, lookups, rolling
from benchmarks.ground import Ground


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Time the engine against others, side by side, with answers compared.")
    parser.add_argument("--scale", choices=sorted(bank.SCALES), default="small")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contests to hold, such as late")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each side")
    arguments = parser.parse_args()
    scale, entries = bank.SCALES[arguments.scale], []
    with bank.scratch(scale) as folder, bank.spark_of(scale, folder) as spark, ExitStack() as closing:
        ground = Ground(scale, spark, folder)
        made = {**dict(contests.all_contests(ground)), **lookups.all_lookups(ground, closing)}
        made["range-butterfree"] = partial(rolling.against_butterfree, ground, closing)
        unknown = sorted(set(arguments.only or ()) - set(made))
        if unknown:
            parser.error(f"no contests {unknown}; there are {list(made)}")
        for name in arguments.only or made:
            entry = contest.held(made[name](), spark, runs=arguments.runs)
            entries.append(entry)
            verdict = f"{entry['ratio']} of {entry['target']}" if entry["equal"] else f"the answers DIFFER: {entry['differing']}"
            print(f"{entry['name']}: {entry['ours_s']} s / {entry['other_s']} s = {verdict}", flush=True)
            contest.record(scale.name, [entry])
    return 0 if all(entry["equal"] for entry in entries) else 1


if __name__ == "__main__":
    sys.exit(main())
