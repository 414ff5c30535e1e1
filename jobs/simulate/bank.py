"""The simulated bank: a seeded history of customers, delivered as a bank delivers it.

Customers are simulated in fixed blocks, each with its own generators, month by month; the rows of a block and month go to a
spill file; then each month is put together from all blocks and written day by day. So bytes depend on the seed only, not on
the number of workers, and memory holds one month of one block, or one month of one feed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulate import ground
from jobs.simulate.assemble import MonthOrder, deliver_month
from jobs.simulate.bad_files import nights_after, plant, rows_planted, write_list
from jobs.simulate.block import BlockOrder, simulate_block
from jobs.simulate.night import NightFaults
from jobs.simulate.population import BLOCK
from jobs.simulate.seasons import Month, day_number, months_between, span

Order = TypeVar("Order")
Result = TypeVar("Result")
Progress = Callable[[str], None]


def simulate(
    *, out: Path, customers: int, months: int, seed: int, end: date, nights: int = 0, faults: bool = False, bad_files: bool = False,
    workers: int | None = None, progress: Progress | None = None,
) -> dict[str, object]:  # fmt: skip
    """Write `out`/landing and `out`/truth: `months` of history up to `end`, then `nights` more business dates.

    With `faults` the last business date brings late, corrected and bad rows; with `bad_files` the working days after it bring
    one kind of bad file each. `out`/truth/faults.json lists both. Returns rows and bytes by feed, dates and seconds.
    Raises UsageError for dates that can't be simulated and for an `out` with other data, ConfigurationError for one that can't be written.
    """
    began = time.perf_counter()
    told = progress or (lambda _: None)
    first, night = span(end=end, months=months, nights=nights)
    broken = nights_after(night) if bad_files else {}
    last = max([night, *broken.values()])
    calendar = months_between(first, last)
    ground.clear(out, {
        "customers": customers, "months": months, "seed": seed, "end": end.isoformat(), "nights": nights, "faults": faults, "bad_files": bad_files,
    })  # fmt: skip
    spill = out / ground.SPILL
    count = workers or os.cpu_count() or 1
    blocks = _block_orders(out, customers=customers, seed=seed, calendar=calendar, history_end=day_number(end))
    for done, _ in enumerate(_each(simulate_block, blocks, workers=count), start=1):
        told(f"simulated block {done} of {len(blocks)}")
    _join_truth(out / "truth", blocks=len(blocks))
    planted = NightFaults(night=day_number(night)) if faults else None
    orders = [MonthOrder(month=one, blocks=len(blocks), spill=spill, landing=out / "landing", faults=planted) for one in calendar]
    rows: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for done, (month_rows, month_size) in enumerate(_each(deliver_month, orders, workers=count), start=1):
        rows += month_rows
        size += month_size
        told(f"delivered month {done} of {len(orders)}")
    shutil.rmtree(spill)
    write_list(out / "truth", [*(rows_planted(night) if faults else ()), *plant(out / "landing", broken)])
    return {
        "customers": customers, "first": first.isoformat(), "end": end.isoformat(),
        "last": last.isoformat(), "rows": dict(sorted(rows.items())), "bytes": dict(sorted(size.items())),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def _block_orders(out: Path, *, customers: int, seed: int, calendar: tuple[Month, ...], history_end: int) -> list[BlockOrder]:
    return [
        BlockOrder(
            block=first // BLOCK, size=min(BLOCK, customers - first), seed=seed, months=calendar, history_end=history_end,
            spill=out / ground.SPILL, truth=out / "truth" / "blocks",
        )
        for first in range(0, customers, BLOCK)
    ]  # fmt: skip


def _each(work: Callable[[Order], Result], orders: Iterable[Order], *, workers: int) -> Iterator[Result]:
    """Results in the order of the orders. Spawned processes: a forked one may inherit another thread's lock."""
    listed = list(orders)
    if workers == 1 or len(listed) == 1:
        yield from map(work, listed)
        return
    with ProcessPoolExecutor(max_workers=min(workers, len(listed)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, listed)


def _join_truth(truth: Path, *, blocks: int) -> None:
    parts = [pq.read_table(truth / "blocks" / f"{block:06d}.parquet") for block in range(blocks)]
    pq.write_table(pa.concat_tables(parts), truth / "customers.parquet")
    shutil.rmtree(truth / "blocks")
