"""Many nights by states, over all sources of the catalogue: gaps, catch-ups, reruns, late tiles and a merger among them, against one sweep.

Every measure as an integer, and what is finished from them bit for bit. Sixty nights by `make oracle`, eighteen in CI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from features import seen, spine, windows
from features.catalogue import GROUPS, SWEPT, WINDOW_STATE, wanted
from features.operations import Merge
from features.spec import Source
from features.states import frames
from jobs.build.facts import planned_once
from tests.fixtures.examples import IS_MANY

pytestmark = pytest.mark.timeout(2400)  # sixty nights on a slow machine

START, NIGHTS = date(2025, 11, 20), 60 if IS_MANY else 18
CUSTOMERS, DAYS = 30, 520
MERGED = spine.Merged(customer_key=5, survivor_key=6, merged_on=START + timedelta(days=25 if IS_MANY else 8))
# Nights after START on which nothing runs: caught up on the next one.
SILENT = {4, 5, 17, 40, 41, 42, 43, 44} if IS_MANY else {4, 5, 14}
LATE_AT, LATE_OF = 30 if IS_MANY else 11, (1, 2)
WANTED = [item for source in SWEPT for item in wanted(source)]
TOLD = ("customer_key", "as_of_date", *(item.column for item in WANTED))
# Expressions of one source each: they finish without the spine's attributes.
FINISHED = [
    f"{feature.sql} as {group.full_name(feature)}" for group in GROUPS for feature in group.features
    if group.name in {"activity", "spend_mix", "rhythm", "balances"}
]  # fmt: skip


def tiles_of(source: Source, chance: np.random.Generator) -> pd.DataFrame:
    """A third of the days for half of the customers, few for the others."""
    share = np.where(np.arange(CUSTOMERS) % 2 == 0, 0.3, 0.01)
    customer, back = np.nonzero(chance.random((CUSTOMERS, DAYS)) < share[:, None])
    last = START + timedelta(days=NIGHTS)
    rows: dict[str, object] = {"customer_key": customer + 1, "business_date": [last - timedelta(days=int(day)) for day in back]}
    for column in source.columns:
        if column.merge is Merge.BITS:
            values = chance.integers(0, 2**column.bits, len(back))
        elif source.name == "balance":
            values = chance.integers(-40_000, 60_000, len(back))
        else:
            values = np.where(chance.random(len(back)) < 0.5, 0, chance.integers(0, 90_000, len(back)))
        rows[column.name] = values
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def as_a_job_plans(spark: SparkSession) -> Iterator[None]:
    """A plan of a hundred columns and ten branches takes longer to plan than to run, every night."""
    with planned_once(spark):
        yield


@pytest.fixture(scope="module")
def tiles() -> dict[Source, pd.DataFrame]:
    chance = np.random.default_rng(11)
    return {source: tiles_of(source, chance) for source in SWEPT}


def as_frames(spark: SparkSession, tiles: Mapping[Source, pd.DataFrame]) -> dict[Source, DataFrame]:
    ddl = {source: ", ".join(f"{column.name} {column.type}" for column in source.table.columns) for source in tiles}
    return {source: spark.createDataFrame(rows, ddl[source]) for source, rows in tiles.items()}


def by_key(rows: Sequence[Row]) -> dict[tuple[int, date], Row]:
    return {(row["customer_key"], row["as_of_date"]): row for row in rows}


def test_nights_by_states_tell_what_one_sweep_tells(spark: SparkSession, tiles: dict[Source, pd.DataFrame]) -> None:
    owners = spine.ownership_frame(spark, [MERGED])
    on_time = {source: rows[~_is_late(rows)] for source, rows in tiles.items()}
    early, late = as_frames(spark, on_time), as_frames(spark, tiles)
    nights = [START + timedelta(days=nth) for nth in range(NIGHTS + 1) if nth not in SILENT]
    states, since, found = None, None, {}
    for night in nights:
        has_come = night >= START + timedelta(days=LATE_AT)
        anew = frames.changed_hands(owners, since, night) if since else None
        if anew is not None and has_come and since < START + timedelta(days=LATE_AT):
            anew = anew.unionAll(spark.createDataFrame([(key,) for key in LATE_OF], "customer_key bigint"))
        for _ in range(2 if night.day == 7 else 1):  # a night that is run again rolls the same states again
            rolled = frames.rolled(states, late if has_come else early, WANTED, since=since, as_of=night, anew=anew, owners=owners)
            rows = rolled.collect()
        found |= by_key([Row(**{name: row[name] for name in TOLD}) for row in rows])
        names = [column.name for column in WINDOW_STATE.columns]
        ddl = ", ".join(f"{column.name} {column.type}" for column in WINDOW_STATE.columns)
        states, since = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], ddl), night
    before = [night for night in nights if night < START + timedelta(days=LATE_AT)]
    expected = by_key(windows.swept(early, WANTED, before, owners).collect())
    expected |= by_key(windows.swept(late, WANTED, nights[len(before) :], owners).collect())
    nothing = {item.column: None if str(item.measure.empty) == "unknown" else 0 for item in WANTED}
    assert len(found) > NIGHTS * CUSTOMERS * 0.7
    for key in sorted(found.keys() | expected.keys()):
        mine = {name: found[key][name] for name in nothing} if key in found else nothing
        theirs = {name: expected[key][name] for name in nothing} if key in expected else nothing
        assert mine == theirs, (key, {name: (mine[name], theirs[name]) for name in nothing if mine[name] != theirs[name]})
    assert _finished(spark, found) == _finished(spark, {key: expected[key] for key in found})


def _is_late(rows: pd.DataFrame) -> pd.Series:
    """Of two customers what happened in the fortnight before it came."""
    came = START + timedelta(days=LATE_AT)
    return rows.customer_key.isin(LATE_OF) & (rows.business_date < came) & (rows.business_date >= came - timedelta(days=14))


def _finished(spark: SparkSession, measured: Mapping[tuple[int, date], Row]) -> list[Row]:
    ddl = "customer_key bigint, as_of_date date, " + ", ".join(f"{item.column} bigint" for item in WANTED)
    rows = [(*key, *(row[item.column] for item in WANTED)) for key, row in sorted(measured.items())]
    return (
        spark.createDataFrame(rows, ddl)
        .selectExpr("customer_key", "as_of_date", *(seen.filled(item) for item in WANTED))
        .selectExpr("customer_key", "as_of_date", *FINISHED)
        .orderBy("customer_key", "as_of_date")
        .collect()
    )
