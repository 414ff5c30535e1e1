"""`python -m benchmarks.curves`: what a night costs against the length of history, against customers, against how many of them are active;
and where the time of a night of the full catalogue goes, as the contest WIN-ALL told it at every scale that it was held.

On made-up tiles of transactions, because no simulated bank is needed to ask it, and a bank of a million customers takes an hour. A night
rolls the states of its eve to 56 window columns, and commits both (benchmarks.windows.roll).
"""

from __future__ import annotations

import argparse
import json
import operator
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import bank, contest, made_up, windows
from benchmarks.contest import RESULTS
from benchmarks.ground import Ground
from benchmarks.phases import seconds_by_phase
from jobs.context import JobContext

FLATNESS = "flatness_over_days"
FILE, PICTURE = RESULTS / "curves" / "night.json", RESULTS / "curves" / "night.svg"
RUNS = 5
# A night's cost does not depend on how much history there is.
FLAT_WITHIN = 0.15
# Of windows.roll, as benchmarks.phases has it.
PHASES = {"planning": ("_rolled", "roll"), "rolling": ("made", "roll"), "committing": ("side_by_side", "roll")}


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


def _nights(ground: Ground, banks: Sequence[Bank]) -> list[dict[str, Any]]:
    """Of each bank the seconds of its median night, and of its phases, beside those of making the same of all tiles.

    The banks take turns, so that what changes with time (a JVM gets faster for minutes) is the same for all.
    """
    prepared = [_prepared(ground, one) for one in banks]
    taken: list[list[dict[str, float]]] = [[] for _ in banks]
    anew: list[list[float]] = [[] for _ in banks]
    for _ in range(RUNS + 1):
        for nth, (context, eve) in enumerate(prepared):
            states, into = ground.fresh(), ground.fresh()
            bank.linked(eve, states)
            taken[nth].append(seconds_by_phase(partial(windows.roll, context, states, into), PHASES, within={}))
            began = time.perf_counter()
            windows.states_of_eve(context, ground.fresh())
            anew[nth].append(time.perf_counter() - began)
    return [
        asdict(one) | _told(of_nights[1:], of_anew[1:], eve)
        for one, (_, eve), of_nights, of_anew in zip(banks, prepared, taken, anew, strict=True)
    ]


def _prepared(ground: Ground, one: Bank) -> tuple[JobContext, Path]:
    """A home with the bank's tiles, and the states of its eve."""
    context, eve = ground.night(ground.empty()), ground.fresh()
    made_up.with_tiles(context, **asdict(one))
    windows.states_of_eve(context, eve)
    return context, eve


def _told(nights: Sequence[Mapping[str, float]], anew: Sequence[float], eve: Path) -> dict[str, Any]:
    median = sorted(nights, key=lambda phases: sum(phases.values()))[len(nights) // 2]
    return {
        "seconds": round(sum(median.values()), 3), "seconds_of_runs": [round(sum(phases.values()), 3) for phases in nights], "phases_s": median,
        "from_all_tiles_seconds": round(statistics.median(anew), 3), "state_bytes": sum(path.stat().st_size for path in eve.rglob("*.parquet")),
    }  # fmt: skip


def flatness(nights: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How far apart the cheapest and the dearest night are, as a share of the median one, against FLAT_WITHIN.

    Each run is told as a share of what all nights of its round took on average: the same night differs more from round to round than nights of a round do.
    """
    rounds = [statistics.mean(of_round) for of_round in zip(*(one["seconds_of_runs"] for one in nights), strict=True)]
    shares = [statistics.median(map(operator.truediv, one["seconds_of_runs"], rounds)) for one in nights]
    spread = (max(shares) - min(shares)) / statistics.median(shares)
    return {"spread": round(spread, 3), "target": FLAT_WITHIN, "met": spread <= FLAT_WITHIN}


def _draw(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    # No random names in the file: the same figures are the same bytes.
    mpl.rcParams["svg.hashsalt"] = "kequn"
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(1, len(CURVES) + 1, figsize=(17, 3.6), layout="constrained")
    for axis, (name, (title, _)) in zip(axes, CURVES.items(), strict=False):
        across = [one[name] for one in found[name]]
        axis.plot(across, [one["seconds"] for one in found[name]], marker="o", label="states rolled by a night")
        axis.plot(across, [one["from_all_tiles_seconds"] for one in found[name]], marker=".", linestyle=":", label="made of all tiles")
        axis.set_xlabel(title)
        axis.xaxis.set_major_formatter("{x:,.10g}")
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    for axis in (axes[0], axes[-1]):
        axis.set_ylabel("seconds")
    axes[0].legend(frameon=False)
    _draw_phases(axes[-1])
    picture.savefig(path, metadata={"Date": None})


def _draw_phases(axis: Any) -> None:
    """Bars of a night of the full catalogue, by scale."""
    told: dict[str, dict[str, float]] = {}
    for scale in bank.SCALES.values():
        path = RESULTS / f"{scale.name}.json"
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        told |= {f"{scale.customers:,}": one["ours_phases_s"] for one in entries if "ours_phases_s" in one}
    below = [0.0] * len(told)
    for phase in dict.fromkeys(name for phases in told.values() for name in phases):
        heights = [phases[phase] for phases in told.values()]
        axis.bar(list(told), heights, bottom=below, label=phase)
        below = [sum(pair) for pair in zip(below, heights, strict=True)]
    axis.set_xlabel("customers; full catalogue, where the time goes")
    axis.legend(frameon=False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.curves", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--at-most", type=int, default=1_000_000, help="customers of the largest bank that is made")
    parsed = parser.parse_args(arguments)
    scale = bank.SCALES["full"]
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    with bank.scratch(scale) as folder, bank.spark_of(scale, folder) as spark:
        for name in parsed.only:
            found[name] = _nights(Ground(scale, spark, folder), [one for one in CURVES[name][1] if one.customers <= parsed.at_most])
            print(name, *found[name], sep="\n", flush=True)
            if name == "days":
                found[FLATNESS] = flatness(found[name]) | contest.measured_at()
                print(FLATNESS, found[FLATNESS], flush=True)
            FILE.parent.mkdir(parents=True, exist_ok=True)
            FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if found.keys() >= CURVES.keys():
        _draw(found, PICTURE)


if __name__ == "__main__":
    main()
