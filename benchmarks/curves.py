"""`python -m benchmarks.curves`: what a night costs against the length of history, against customers, against how many of them are active.

On made-up tiles of transactions, because no simulated bank is needed to ask it, and a bank of a million customers takes an hour. A night
rolls the states of its eve to 56 window columns, and commits both (benchmarks.windows.roll).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import bank, made_up, windows
from benchmarks.contest import RESULTS
from benchmarks.ground import Ground

FILE, PICTURE = RESULTS / "curves" / "night.json", RESULTS / "curves" / "night.svg"
RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Bank:
    """active: share of the customers with a tile on a day."""

    customers: int
    days: int
    active: float


TYPICAL = Bank(customers=50_000, days=400, active=0.10)
# By what is turned: its title, and the banks in order.
CURVES = {
    "days": ("days of history", [replace(TYPICAL, days=days) for days in (90, 180, 365, 730, 1460)]),
    "customers": ("customers", [replace(TYPICAL, customers=many, active=0.05) for many in (20_000, 100_000, 300_000, 1_000_000)]),
    "active": ("share of customers active on a day", [replace(TYPICAL, active=share) for share in (0.01, 0.05, 0.10, 0.20, 0.40)]),
}


def _seconds(ground: Ground, bank_: Bank) -> dict[str, float | int]:
    """Of the median night, and how long it took to make the states of its eve from all tiles."""
    context = ground.night(ground.empty())
    made_up.with_tiles(context, **asdict(bank_))
    eve = ground.fresh()
    began = time.perf_counter()
    windows.states_of_eve(context, eve)
    anew = time.perf_counter() - began
    taken = []
    for _ in range(RUNS + 1):
        states, into = ground.fresh(), ground.fresh()
        bank.linked(eve, states)
        began = time.perf_counter()
        windows.roll(context, states, into)
        taken.append(time.perf_counter() - began)
    return {
        "seconds": round(statistics.median(taken[1:]), 3), "from_all_tiles_seconds": round(anew, 3),
        "state_bytes_per_customer": round(sum(path.stat().st_size for path in eve.rglob("*.parquet")) / bank_.customers),
    }  # fmt: skip


def _draw(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    # No random names in the file: the same figures are the same bytes.
    mpl.rcParams["svg.hashsalt"] = "kequn"
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(1, len(CURVES), figsize=(13, 3.6), layout="constrained")
    for axis, (name, (title, _)) in zip(axes, CURVES.items(), strict=True):
        across = [one[name] for one in found[name]]
        axis.plot(across, [one["seconds"] for one in found[name]], marker="o", label="states rolled by a night")
        axis.plot(across, [one["from_all_tiles_seconds"] for one in found[name]], marker=".", linestyle=":", label="made of all tiles")
        axis.set_xlabel(title)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False)
    picture.savefig(path, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.curves", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--at-most", type=int, default=1_000_000, help="customers of the largest bank that is made")
    parsed = parser.parse_args(arguments)
    scale = bank.SCALES["full"]
    found: dict[str, list[dict[str, float]]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    with bank.scratch(scale) as folder, bank.spark_of(scale, folder) as spark:
        _seconds(Ground(scale, spark, folder), TYPICAL)  # what comes first would be compiled on its way
        for name in parsed.only:
            found[name] = []
            for one in CURVES[name][1]:
                if one.customers > parsed.at_most:
                    continue
                found[name].append({**asdict(one), **_seconds(Ground(scale, spark, folder), one)})
                print(name, found[name][-1], flush=True)
                FILE.parent.mkdir(parents=True, exist_ok=True)
                FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if found.keys() == CURVES.keys():
        _draw(found, PICTURE)


if __name__ == "__main__":
    main()
