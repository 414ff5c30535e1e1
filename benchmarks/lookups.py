"""Point in time: stored feature rows looked up for labels, against Feast in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.bank import NIGHT, Home
from benchmarks.contest import Answer, Contest, Side
from benchmarks.ground import Ground
from benchmarks.peer import Peer
from features import catalogue
from features.spec import FeatureGroup
from jobs import tables
from jobs.build.wide import permitted
from jobs.store import FeatureStore

PURPOSE = "risk"
PER_VIEW = 6
TEN = 10


@dataclass(frozen=True)
class Stored:
    """Stored feature rows of made-up values, the same exported for the other, and labels that ask for some of them."""

    home: Home
    folder: Path
    names: tuple[str, ...]
    labels: Path

    @property
    def drawn(self) -> Path:
        return self.folder / "ours.parquet"


def stored(ground: Ground, views: int, *, customers: int, labels: int) -> Stored:
    """views: how many groups, all with the same keys."""
    folder = ground.fresh()
    folder.mkdir()
    home = ground.empty()
    groups = [group for group in catalogue.GROUPS if len(_names(group)) == PER_VIEW][:views]
    assert len(groups) == views, f"[{len(groups)}] groups have {PER_VIEW} numbers that permit [{PURPOSE}]"
    dates = ground.scale.stored_dates
    days = ground.spark.range(dates).select(F.date_sub(F.lit(NIGHT), F.col("id").cast("int")).alias("as_of_date"))
    keys = ground.spark.range(1, customers + 1).withColumnRenamed("id", "customer_key").crossJoin(days)
    context = home.context(ground.spark, NIGHT - timedelta(days=dates - 1), NIGHT)
    for group in groups:
        rows = _made_up(keys, group)
        tables.append_revisions(context, group.table, rows)
        # Feast's timestamps: a day's row counts from its beginning for a day.
        at = F.to_timestamp("as_of_date")
        exported = rows.select("customer_key", at.alias("event_timestamp"), at.alias("created"), *_names(group))
        _exported(exported, folder / f"f_{group.name}.parquet")
    asked = keys.orderBy(F.xxhash64("customer_key", "as_of_date")).limit(labels)
    _exported(asked, folder / "spine.parquet")
    _exported(
        asked.select("customer_key", (F.to_timestamp("as_of_date") + F.expr("interval 12 hours")).alias("event_timestamp")),
        folder / "labels.parquet",
    )
    return Stored(home, folder, tuple(name for group in groups for name in _names(group)), folder / "labels.parquet")


def _names(group: FeatureGroup) -> list[str]:
    allowed = set(permitted(PURPOSE))
    return [name for name in map(group.full_name, group.features) if name in allowed and catalogue.feature(name).type == "double"][
        :PER_VIEW
    ]


def _made_up(keys: DataFrame, group: FeatureGroup) -> DataFrame:
    """Grain: the keys'; numbers that tell which customer, date and feature they are of, nulls among them."""
    named = set(_names(group))
    of = {name: F.xxhash64(F.lit(name), "customer_key", "as_of_date") for name in named}
    values = {name: F.when(F.pmod(number, F.lit(20)) > 0, F.pmod(number, F.lit(1_000_000)) / F.lit(128.0)) for name, number in of.items()}
    types = {column.name: column.type for column in group.columns}
    return keys.select(
        *(values[name].alias(name) if name in named else F.col(name) if name in keys.columns else F.lit(None).cast(types[name]).alias(name)
          for name in group.table_columns)
    )  # fmt: skip


def _exported(frame: DataFrame, path: Path) -> None:
    """One Parquet file, timestamps in microseconds without a zone of their own."""
    import pyarrow.parquet as pq

    pq.write_table(frame.toArrow(), path, compression="zstd", coerce_timestamps="us")


# --- ours


def _drawn(given: Stored) -> None:
    import pyarrow.parquet as pq

    spine = pq.read_table(given.folder / "spine.parquet")
    drawn = FeatureStore(given.home.settings).training_set(spine, purpose=PURPOSE, features=list(given.names))
    pq.write_table(drawn.arrow, given.drawn)


# --- Feast


def _answer(path: Path, names: Sequence[str], day: str) -> Answer:
    columns = ", ".join(f"cast({name} as double)" for name in names)
    with duckdb.connect() as connection:
        sql = f"select count(*), sum(hash(customer_key, cast({day} as date), {columns})::hugeint) from read_parquet('{path}')"
        rows, checksum = connection.execute(sql).fetchone() or (0, 0)
    return Answer(rows=rows, checksum=str(checksum))


def _against_feast(ground: Ground, closing: ExitStack, *, name: str, engine: str, views: int, target: float) -> Contest:
    scale = ground.scale
    customers, labels = (scale.stored_customers, scale.labels) if views == 1 else (scale.stored_customers // 4, scale.labels // 4)
    given = stored(ground, views, customers=customers, labels=labels)
    peer = Peer("feast", "feast_lookups.py", str(given.folder), engine, scale.memory)
    closing.callback(peer.close)
    return Contest(
        name=name, target=target,
        question=f"{labels:,} labels, {views} × {customers * scale.stored_dates:,} stored rows, {PER_VIEW} features each, warm",
        ours=Side(
            name="FeatureStore.training_set: DuckDB, with its receipt, to a file", prepare=lambda: given, run=_drawn, is_without_jvm=True,
            answer=lambda state: _answer(state.drawn, state.names, "features_of"),
        ),
        other=Side(
            name=f"Feast 0.67 on {engine}, to {'the noop sink' if engine == 'spark' else 'Arrow'}", prepare=lambda: given, run=peer.ask,
            answer=lambda state: _answer(state.folder / "feast.parquet", state.names, "event_timestamp"),
        ),
        note="ours is the same in both: stored rows are looked up without a JVM" if engine == "spark" else "",
    )  # fmt: skip


def all_lookups(ground: Ground, closing: ExitStack) -> dict[str, Callable[[], Contest]]:
    """By name. closing: ends the other engines."""
    against = partial(_against_feast, ground, closing)
    return {
        "lookup-one": partial(against, name="PIT-1 Spark", engine="spark", views=1, target=0.17),
        "lookup-ten": partial(against, name="PIT-10", engine="spark", views=TEN, target=0.20),
        "lookup-one-duckdb": partial(against, name="PIT-1 DuckDB", engine="duckdb", views=1, target=0.20),
    }
