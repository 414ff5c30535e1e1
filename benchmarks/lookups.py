"""Point in time: stored feature rows looked up for labels, against Feast in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.bank import NIGHT, Home
from benchmarks.contest import Answer, Contest, Side
from benchmarks.ground import Ground
from benchmarks.peer import Peer
from conf import sources
from conf.sources import SourceMapping
from features import catalogue
from features.spec import FeatureGroup
from jobs import tables
from jobs.build.wide import permitted
from jobs.context import JobContext, now
from jobs.store import FeatureStore

FEAST = "feast"
PURPOSE = "risk"
PER_VIEW = 4
WITH_A_RECEIPT = (
    "Of .38 s for 100,000 labels and 7.3 million stored rows the query takes .30, most of it reading: labels at random times touch every page of the four "
    "columns, which are decompressed whole. A bare scan of these takes .19, of the keys alone .04; without revisions, hashes and when rows were known the "
    "query takes .28. Stored dates take .03, connections .03, the receipt (digests of the spine and of the result) .02. Of a small table these fixed costs "
    "are most of it."
)
TEN = 10


# Every seventh date has no stored rows: its labels see those of the date before.
MAX_AGE_DAYS = 1
# A row's or a label's moment as a number, in ours and in Feast's answers.
INSTANT, THEIR_INSTANT = "epoch_us(timestamp)", "epoch_us(event_timestamp)"
# What is of one process among the confs of a session.
OF_A_PROCESS = ("spark.app.", "spark.driver.port", "spark.executor.", "spark.repl.", "spark.submit.", "spark.sql.warehouse.dir")


@dataclass(frozen=True)
class Stored:
    """Stored feature rows of made-up values, the same exported for the other, and labels that ask for some of them. drawn: what ours answered last."""

    home: Home
    folder: Path
    names: tuple[str, ...]
    known_at: datetime | None
    drawn: list[pa.Table] = field(default_factory=list)


def stored(ground: Ground, views: int, *, customers: int, labels: int, is_revised: bool = False, is_keyed_twice: bool = False) -> Stored:
    """Labels are instants at any time of any date. views: how many groups, all with the same keys. is_revised: one row in twenty was
    corrected since, and is asked for as it was before.

    is_keyed_twice: asked is the same by two keys, customer and date, beside further columns; the other by customer and number of the date, as
    of one and the same time.
    """
    folder = ground.fresh()
    folder.mkdir()
    home = ground.empty()
    groups = [group for group in catalogue.GROUPS if len(_names(group)) == PER_VIEW][:views]
    assert len(groups) == views, f"[{len(groups)}] groups have {PER_VIEW} numbers that permit [{PURPOSE}]"
    to_key = partial(_keys, sources.load(home.settings.source.mapping), is_keyed_twice=is_keyed_twice)
    everybody = ground.spark.range(1, customers + 1).withColumnRenamed("id", "customer_key")
    span = ground.scale.stored_dates + (ground.scale.stored_dates - 1) // 6
    dates = ground.spark.range(span).select(F.col("id").cast("int").alias("back"))
    keys = everybody.crossJoin(dates.where("back % 7 < 6").select(_day("back").alias("as_of_date")))
    first = NIGHT - timedelta(days=span - 1)
    published = home.context(ground.spark, first, NIGHT)
    known_at = now()
    corrected = home.context(ground.spark, first, NIGHT, generation=1)
    for group in groups:
        rows = _made_up(keys, group)
        tables.append_revisions(published, group.table, rows)
        exported = _export(rows, group, published, to_key())
        if is_revised:
            again = _made_up(keys.where(F.pmod(F.xxhash64("as_of_date", "customer_key"), F.lit(20)) == 0), group, by=2.0)
            tables.append_revisions(corrected, group.table, again)
            exported = exported.unionAll(_export(again, group, corrected, to_key()))
        _to_file(exported, folder / f"f_{group.name}.parquet")
    # No two labels see the same row: of a date without rows and the one before it only the first is asked for.
    asked = everybody.crossJoin(dates.where("back % 7 > 0")).orderBy(F.xxhash64("customer_key", "back")).limit(labels)
    asked = asked.select("customer_key", _day("back + if(back % 7 = 6, 1, 0)").alias("as_of_date"), _day("back").alias("date"))
    labelled = asked.select("as_of_date", "date", *to_key(day="date", after=F.pmod(F.xxhash64("customer_key", "date"), F.lit(24 * 3600))))
    further = (
        ["as_of_date", "date_key", F.col("date").alias("labelled_on")] if is_keyed_twice else [F.col("event_timestamp").alias("timestamp")]
    )
    _to_file(labelled.select("customer_key", *further), folder / "spine.parquet")
    _to_file(labelled.drop("as_of_date", "date"), folder / "labels.parquet")
    return Stored(home, folder, tuple(name for group in groups for name in _names(group)), known_at if is_revised else None)


def _day(back: str) -> Column:
    return F.date_sub(F.lit(NIGHT), F.expr(back))


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


def _export(rows: DataFrame, group: FeatureGroup, context: JobContext, keys: Sequence[Column]) -> DataFrame:
    """As Feast wants them."""
    return rows.select(*keys, F.lit(context.started_at).alias("created"), *_names(group))


def _keys(bank: SourceMapping, *, is_keyed_twice: bool, day: str = "as_of_date", after: Column | None = None) -> list[Column]:
    """Feast's keys and time: the instant at which a date is over in the bank, and seconds `after` it."""
    hours, minutes = bank.cut_off.split(":")
    ended = F.to_utc_timestamp(F.to_timestamp(day) + F.expr(f"interval {hours} hours {minutes} minutes"), bank.time_zone)
    number = F.date_diff(F.lit(NIGHT), "as_of_date").cast("bigint").alias("date_key")
    at = F.to_timestamp(F.lit(NIGHT)) if is_keyed_twice else ended if after is None else F.timestamp_add("SECOND", after, ended)
    return [F.col("customer_key"), *([number] if is_keyed_twice else []), at.alias("event_timestamp")]


def _to_file(frame: DataFrame, path: Path) -> None:
    """One Parquet file, timestamps in microseconds."""
    pq.write_table(frame.toArrow(), path, compression="zstd", coerce_timestamps="us")


# --- ours


def _draw(given: Stored, spark: SparkSession | None = None) -> None:
    """To Arrow; with a session on to a frame of it, as far as the noop sink."""
    spine = pq.read_table(given.folder / "spine.parquet")
    drawn = FeatureStore(given.home.settings).training_set(
        spine, purpose=PURPOSE, features=list(given.names), as_known_at=given.known_at, max_age_days=MAX_AGE_DAYS
    )
    given.drawn[:] = [drawn.arrow]
    if spark:
        drawn.spark(spark).write.format("noop").mode("overwrite").save()


def _ours(given: Stored, moment: str) -> Answer:
    return _answer(given.drawn[0], given.names, moment)


# --- Feast


def _feast(ground: Ground, closing: ExitStack, given: Stored, engine: str) -> Peer:
    """With the confs of our session."""
    confs = {name: value for name, value in ground.spark.sparkContext.getConf().getAll() if not name.startswith(OF_A_PROCESS)}
    peer = Peer(FEAST, "feast_lookups.py", str(given.folder), engine, json.dumps(confs))
    closing.callback(peer.close)
    return peer


def _theirs(given: Stored) -> Answer:
    return _answer(pq.read_table(given.folder / "feast.parquet"), given.names, THEIR_INSTANT)


def _columns(names: Sequence[str], moment: str) -> str:
    return ", ".join(["customer_key", moment, *(f"cast({name} as double)" for name in names)])


def _answer(rows: pa.Table, names: Sequence[str], moment: str) -> Answer:
    """moment: SQL of what tells a customer's rows apart."""
    with duckdb.connect() as connection:
        connection.register("drawn", rows)
        sql = f"select count(*), sum(hash({_columns(names, moment)})::hugeint) from drawn"
        count, checksum = connection.execute(sql).fetchone() or (0, 0)
    return Answer(rows=count, checksum=str(checksum))


def _shown(given: Stored, moment: str, theirs: str) -> dict[str, int]:
    """How many rows Feast gives, and how many labels get another answer than the right one, none, or more."""
    with duckdb.connect() as connection:
        connection.register("drawn", given.drawn[0])
        their_rows = f"read_parquet('{given.folder / 'feast.parquet'}')"
        right, found = (
            f"(select {_columns(given.names, by)} from {of})"
            for of, by in (("drawn", f"{moment} as moment"), (their_rows, f"{theirs} as moment"))
        )
        differing = f"({right} except all {found}) union all ({found} except all {right})"
        sql = f"select (select count(*) from {their_rows}), (select count(distinct (customer_key, moment)) from ({differing}))"
        rows, wrong = connection.execute(sql).fetchone() or (0, 0)
    return {"feast_rows": rows, "feast_rows_wrong": wrong}


def _against_feast(ground: Ground, closing: ExitStack, *, name: str, engine: str, views: int, target: float) -> Contest:
    scale, is_spark = ground.scale, engine == "spark"
    customers, labels = (scale.stored_customers, scale.labels) if views == 1 else (scale.stored_customers // 4, scale.labels // 4)
    given = stored(ground, views, customers=customers, labels=labels)
    to = "to the noop sink" if is_spark else "to Arrow"
    return Contest(
        name=name, target=target,
        question=f"{labels:,} labels at random times, {views} × {customers * scale.stored_dates:,} stored rows, {PER_VIEW} features each, warm, {to}",
        ours=Side(
            name=f"FeatureStore.training_set, with its receipt, {'as a Spark frame ' if is_spark else ''}{to}", prepare=lambda: given,
            run=partial(_draw, spark=ground.spark if is_spark else None), is_without_jvm=not is_spark, answer=partial(_ours, moment=INSTANT),
        ),
        other=Side(
            name=f"Feast 0.67 on {engine}, {to}", prepare=lambda: given, run=_feast(ground, closing, given, engine).ask, answer=_theirs,
        ),
        note="stored rows are looked up by DuckDB and handed to Spark as Arrow" if is_spark else "",
        why=WITH_A_RECEIPT,
    )  # fmt: skip


def as_known_at(ground: Ground, closing: ExitStack) -> Contest:
    """Equal: what was corrected since is not seen. Feast has no such question; what it answers instead is shown."""
    return _against_plain(
        ground, closing, is_revised=True, name="PIT-C", question="as known before one row in twenty was corrected",
        ours="as_known_at, of rows of which some were corrected since", moment=INSTANT, theirs=THEIR_INSTANT,
        note="Feast 0.67 takes the row that was created last, whenever that was: with it a training set sees what was not known yet",
    )  # fmt: skip


def keyed_twice(ground: Ground, closing: ExitStack) -> Contest:
    """Two values that are one key: here a customer and a date beside further columns, in Feast two join keys as of one time."""
    return _against_plain(
        ground, closing, is_keyed_twice=True, name="PIT-K", question="by keys of two values",
        ours="customer × date beside further columns, joined as the two values that they are", moment="features_of",
        theirs=f"date '{NIGHT}' - cast(date_key as integer)",
        note="Feast 0.67 on Spark writes the keys one behind the other as text: customer 1 of date 23 and customer 12 of date 3 are one row to it; "
        "on DuckDB it does not", engine="spark",
    )  # fmt: skip


def _against_plain(
    ground: Ground, closing: ExitStack, *, name: str, question: str, ours: str, moment: str, theirs: str, note: str, is_revised: bool = False,
    is_keyed_twice: bool = False, engine: str = "duckdb",
) -> Contest:  # fmt: skip
    """A harder question against PIT-1's, both ours, about the same rows; and how many Feast gets wrong. moment, theirs: SQL of a row's moment in ours and Feast's."""
    scale = ground.scale
    as_in_one = partial(stored, ground, 1, customers=scale.stored_customers, labels=scale.labels)
    plain, hard = as_in_one(), as_in_one(is_revised=is_revised, is_keyed_twice=is_keyed_twice)
    _feast(ground, closing, hard, engine).ask()
    closing.close()

    def side(name: str, given: Stored) -> Side:
        return Side(name=name, prepare=lambda: given, run=_draw, is_without_jvm=True, answer=partial(_ours, moment="features_of"))

    return Contest(
        name=name, target=1.5, question=f"{scale.labels:,} labels {question}", ours=side(ours, hard),
        other=side("PIT-1 DuckDB", plain), more=lambda: _shown(hard, moment, theirs), note=note,
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
