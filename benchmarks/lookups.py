"""Point in time: stored feature rows looked up for labels, against Feast in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from benchmarks.bank import NIGHT, Home
from benchmarks.contest import Answer, Contest, Side
from benchmarks.ground import Ground
from benchmarks.peer import Peer
from features import catalogue
from features.spec import FeatureGroup
from jobs import tables
from jobs.build.wide import permitted
from jobs.context import JobContext, now
from jobs.store import FeatureStore

PURPOSE = "risk"
PER_VIEW = 4
WITH_A_RECEIPT = (
    "Of .58 s for 100,000 labels and 7.3 million stored rows the query took .45, nearly all of it reading: labels at random times touch every page of the "
    "four columns, which are decompressed whole. Stored dates took .04, connections .03, the receipt (digests of the spine and of the result) .02. Of a "
    "small table these fixed costs are most of it."
)
TEN = 10


@dataclass(frozen=True)
class Stored:
    """Stored feature rows of made-up values, the same exported for the other, and labels that ask for some of them. drawn: what ours answered last."""

    home: Home
    folder: Path
    names: tuple[str, ...]
    known_at: datetime | None
    drawn: list[pa.Table] = field(default_factory=list)


def stored(ground: Ground, views: int, *, customers: int, labels: int, is_revised: bool = False, is_keyed_twice: bool = False) -> Stored:
    """views: how many groups, all with the same keys. is_revised: one row in twenty was corrected since, and is asked for as it was before.

    is_keyed_twice: the other is asked by customer and number of the date, as of one and the same time.
    """
    folder = ground.fresh()
    folder.mkdir()
    home = ground.empty()
    groups = [group for group in catalogue.GROUPS if len(_names(group)) == PER_VIEW][:views]
    assert len(groups) == views, f"[{len(groups)}] groups have {PER_VIEW} numbers that permit [{PURPOSE}]"
    dates = ground.scale.stored_dates
    days = ground.spark.range(dates).select(F.date_sub(F.lit(NIGHT), F.col("id").cast("int")).alias("as_of_date"))
    keys = ground.spark.range(1, customers + 1).withColumnRenamed("id", "customer_key").crossJoin(days)
    first = NIGHT - timedelta(days=dates - 1)
    published = home.context(ground.spark, first, NIGHT)
    known_at = now()
    corrected = home.context(ground.spark, first, NIGHT, generation=1)
    for group in groups:
        rows = _made_up(keys, group)
        tables.append_revisions(published, group.table, rows)
        exported = _export(rows, group, published, is_keyed_twice=is_keyed_twice)
        if is_revised:
            again = _made_up(keys.where(F.pmod(F.xxhash64("as_of_date", "customer_key"), F.lit(20)) == 0), group, by=2.0)
            tables.append_revisions(corrected, group.table, again)
            exported = exported.unionAll(_export(again, group, corrected))
        _to_file(exported, folder / f"f_{group.name}.parquet")
    asked = keys.orderBy(F.xxhash64("customer_key", "as_of_date")).limit(labels)
    _to_file(asked, folder / "spine.parquet")
    _to_file(asked.select(*_keys(is_keyed_twice=is_keyed_twice, hour=12)), folder / "labels.parquet")
    return Stored(home, folder, tuple(name for group in groups for name in _names(group)), known_at if is_revised else None)


def _names(group: FeatureGroup) -> list[str]:
    allowed = set(permitted(PURPOSE))
    return [name for name in map(group.full_name, group.features) if name in allowed and catalogue.feature(name).type == "double"][
        :PER_VIEW
    ]


def _made_up(keys: DataFrame, group: FeatureGroup, *, by: float = 1.0) -> DataFrame:
    """Grain: the keys'; numbers that tell which customer, date and feature they are of, nulls among them."""
    named = set(_names(group))
    of = {name: F.xxhash64(F.lit(name), "customer_key", "as_of_date") for name in named}
    values = {
        name: F.when(F.pmod(number, F.lit(20)) > 0, by * F.pmod(number, F.lit(1_000_000)) / F.lit(128.0)) for name, number in of.items()
    }
    types = {column.name: column.type for column in group.columns}
    return keys.select(
        *(values[name].alias(name) if name in named else F.col(name) if name in keys.columns else F.lit(None).cast(types[name]).alias(name)
          for name in group.table_columns)
    )  # fmt: skip


def _export(rows: DataFrame, group: FeatureGroup, context: JobContext, *, is_keyed_twice: bool = False) -> DataFrame:
    """As Feast wants them: a day's row counts from its beginning for a day."""
    return rows.select(*_keys(is_keyed_twice=is_keyed_twice, hour=0), F.lit(context.started_at).alias("created"), *_names(group))


def _keys(*, is_keyed_twice: bool, hour: int) -> list[Column]:
    """Feast's keys and time of a row of customer_key × as_of_date."""
    day, number = F.col("as_of_date"), F.date_diff(F.lit(NIGHT), "as_of_date").cast("bigint").alias("date_key")
    at = (F.to_timestamp(F.lit(NIGHT) if is_keyed_twice else day) + F.expr(f"interval {hour} hours")).alias("event_timestamp")
    return [F.col("customer_key"), *([number] if is_keyed_twice else []), at]


def _to_file(frame: DataFrame, path: Path) -> None:
    """One Parquet file, timestamps in microseconds."""
    pq.write_table(frame.toArrow(), path, compression="zstd", coerce_timestamps="us")


# --- ours


def _draw(given: Stored) -> None:
    spine = pq.read_table(given.folder / "spine.parquet")
    drawn = FeatureStore(given.home.settings).training_set(spine, purpose=PURPOSE, features=list(given.names), as_known_at=given.known_at)
    given.drawn[:] = [drawn.arrow]


def _ours(given: Stored) -> Answer:
    return _answer(given.drawn[0], given.names, "features_of")


# --- Feast


def _theirs(given: Stored, day: str = "event_timestamp") -> Answer:
    return _answer(pq.read_table(given.folder / "feast.parquet"), given.names, day)


def _answer(rows: pa.Table, names: Sequence[str], day: str) -> Answer:
    columns = ", ".join(f"cast({name} as double)" for name in names)
    with duckdb.connect() as connection:
        connection.register("drawn", rows)
        sql = f"select count(*), sum(hash(customer_key, cast({day} as date), {columns})::hugeint) from drawn"
        count, checksum = connection.execute(sql).fetchone() or (0, 0)
    return Answer(rows=count, checksum=str(checksum))


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
            name="FeatureStore.training_set: DuckDB, with its receipt, to Arrow", prepare=lambda: given, run=_draw, is_without_jvm=True,
            answer=_ours,
        ),
        other=Side(
            name=f"Feast 0.67 on {engine}, to {'the noop sink' if engine == 'spark' else 'Arrow'}", prepare=lambda: given, run=peer.ask,
            answer=_theirs,
        ),
        note="ours is the same in both: stored rows are looked up without a JVM" if engine == "spark" else "",
        why="" if engine == "spark" else WITH_A_RECEIPT,
    )  # fmt: skip


def as_known_at(ground: Ground, closing: ExitStack) -> Contest:
    """Equal: what was corrected since is not seen. Feast has no such question; what it answers instead is shown."""
    return _against_plain(
        ground, closing, is_revised=True, name="PIT-C", question="as known before one row in twenty was corrected",
        ours="as_known_at, of rows of which some were corrected since", day="event_timestamp",
        note="Feast 0.67 takes the row that was created last, whenever that was: with it a training set sees what was not known yet",
    )  # fmt: skip


def keyed_twice(ground: Ground, closing: ExitStack) -> Contest:
    """Two numbers that are one key: here a customer and a date, in Feast two join keys as of one time."""
    return _against_plain(
        ground, closing, is_keyed_twice=True, name="PIT-K", question="by keys of two numbers",
        ours="customer × date, joined as the two values that they are", day=f"date '{NIGHT}' - cast(date_key as integer)",
        note="Feast 0.67 on Spark writes the keys one behind the other as text: customer 1 of date 23 and customer 12 of date 3 are one row to it; "
        "on DuckDB it does not", engine="spark",
    )  # fmt: skip


def _against_plain(
    ground: Ground, closing: ExitStack, *, name: str, question: str, ours: str, day: str, note: str, is_revised: bool = False,
    is_keyed_twice: bool = False, engine: str = "duckdb",
) -> Contest:  # fmt: skip
    """A harder question against PIT-1's, both ours; and whether Feast answers it rightly. day: SQL of a date in Feast's answer."""
    scale = ground.scale
    as_in_one = partial(stored, ground, 1, customers=scale.stored_customers, labels=scale.labels)
    plain, hard = as_in_one(), as_in_one(is_revised=is_revised, is_keyed_twice=is_keyed_twice)
    peer = Peer("feast", "feast_lookups.py", str(hard.folder), engine, scale.memory)
    closing.callback(peer.close)
    peer.ask()
    _draw(plain)
    theirs, right = _theirs(hard, day), _ours(plain)

    def side(name: str, given: Stored) -> Side:
        return Side(name=name, prepare=lambda: given, run=_draw, is_without_jvm=True, answer=_ours)

    return Contest(
        name=name, target=1.5, question=f"{scale.labels:,} labels {question}", ours=side(ours, hard),
        other=side("PIT-1 DuckDB", plain), more=lambda: {"feast_is_right": theirs == right, "feast_rows": theirs.rows}, note=note,
    )  # fmt: skip


def all_lookups(ground: Ground, closing: ExitStack) -> dict[str, Callable[[], Contest]]:
    """By name. closing: ends the other engines."""
    against = partial(_against_feast, ground, closing)
    return {
        "lookup-one": partial(against, name="PIT-1 Spark", engine="spark", views=1, target=0.17),
        "lookup-ten": partial(against, name="PIT-10", engine="spark", views=TEN, target=0.20),
        "lookup-as-known": partial(as_known_at, ground, closing),
        "lookup-by-two-keys": partial(keyed_twice, ground, closing),
        "lookup-one-duckdb": partial(against, name="PIT-1 DuckDB", engine="duckdb", views=1, target=0.20),
    }
