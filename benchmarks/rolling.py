"""Rolling windows of 7, 30 and 90 days over events for half a year of dates, against Butterfree in an environment of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.bank import NIGHT
from benchmarks.contest import Answer, Contest, Side
from benchmarks.ground import Ground
from benchmarks.peer import Peer
from features import measures, tiles, windows
from features.spec import Kind, Source, TileColumn, Wanted

BUTTERFREE = "butterfree"
WINDOWS = (7, 30, 90)
DATES = [NIGHT - timedelta(days=back) for back in reversed(range(181))]
VALUES = ("out", "in", "purchases", "cash")
SOURCE = Source(
    name="event", title="events", title_zh="事件", kind=Kind.EVENTS, reads="events",
    columns=tuple(TileColumn(name=f"sum_{name}", sql=name, description=name) for name in VALUES),
    measures=tuple(measures.total(f"sum_{name}") for name in VALUES),
)  # fmt: skip
WANTED = tuple(Wanted(source=SOURCE, measure=measure, window=window) for measure in SOURCE.measures for window in WINDOWS)
THEIRS = tuple(f"`{name}__sum_over_{window}_days_rolling_windows`" for name in VALUES for window in WINDOWS)


@dataclass(frozen=True)
class Events:
    frame: DataFrame
    folder: Path


def events(ground: Ground) -> Events:
    """360 events of each customer in the 271 days that the dates see."""
    folder = ground.fresh()
    folder.mkdir()
    count = ground.scale.rolling_customers * 360
    number = ground.spark.range(count)
    back = F.pmod(F.xxhash64("id"), F.lit(len(DATES) + max(WINDOWS) - 1)).cast("int")
    made = number.select(
        (F.pmod("id", F.lit(ground.scale.rolling_customers)) + 1).alias("customer_key"),
        (F.to_timestamp(F.date_sub(F.lit(NIGHT), back)) + F.expr("interval 12 hours")).alias("ts"),
        *(F.pmod(F.xxhash64(F.lit(name), "id"), F.lit(100_000)).alias(name) for name in VALUES),
    )
    made.coalesce(2).write.parquet(str(folder / "events.parquet"))
    return Events(ground.spark.read.parquet(str(folder / "events.parquet")), folder)


def _swept(given: Events) -> DataFrame:
    by_day = tiles.event_tiles(given.frame.withColumn("business_date", F.to_date("ts")), SOURCE)
    return windows.swept({SOURCE: by_day}, WANTED, DATES)


def _answer(path: Path, names: Sequence[str]) -> Answer:
    """Of the customers and dates of which anything is seen: the other also has rows of nulls for all others."""
    values = ", ".join(f"coalesce({name.replace('`', chr(34))}, 0)" for name in names)
    with duckdb.connect() as connection:
        sql = f"select count(*), sum(hash(customer_key, as_of_date, {values})::hugeint) from read_parquet('{path}/*.parquet')"
        rows, checksum = connection.execute(f"{sql} where greatest({values}) > 0").fetchone() or (0, 0)
    return Answer(rows=rows, checksum=str(checksum))


def _ours(given: Events) -> Answer:
    path = given.folder / "ours.parquet"
    if not path.exists():
        _swept(given).write.parquet(str(path))
    return _answer(path, [item.column for item in WANTED])


def against_butterfree(ground: Ground, closing: ExitStack) -> Contest:
    given = events(ground)
    words = (str(given.folder), ground.scale.memory, str(DATES[0]), str(DATES[-1]), *map(str, WINDOWS))
    peer = Peer(BUTTERFREE, "butterfree_windows.py", *words)
    closing.callback(peer.close)
    customers = ground.scale.rolling_customers
    return Contest(
        name="WIN-B Butterfree", target=0.12,
        question=f"{customers * 360:,} events of {customers:,} customers, {len(DATES)} dates, {len(VALUES)} sums over {WINDOWS} days, from events",
        ours=Side(
            name="tiles and kernel, to the noop sink", prepare=lambda: given, answer=_ours,
            run=lambda state: _swept(state).write.format("noop").mode("overwrite").save(),
        ),
        other=Side(
            name="Butterfree 1.8 on Spark 3.5.1, constructed and counted", prepare=lambda: given, run=peer.ask,
            answer=lambda state: _answer(state.folder / "butterfree.parquet", THEIRS),
        ),
    )  # fmt: skip
