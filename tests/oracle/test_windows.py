"""The engine against a naive twin in plain Python: any events, balances, mergers and dates give the same measures.

The twin walks over days and events one by one and knows no tiles. Few examples in CI, many by `make oracle`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features import dialect, in_duckdb, months, seen, spine, stream, tiles, windows
from features.catalogue import OF_MONTHS
from features.operations import HORIZON
from features.sources.balance import BALANCE
from features.sources.transaction import TRANSACTION
from jobs.serving import lake
from tests.fixtures.examples import examples

MONTHS = next(source for source in OF_MONTHS if source.days is TRANSACTION)
FIRST = date(2023, 11, 1)
DAYS = [FIRST + timedelta(days=offset) for offset in range(900)]  # two ends of February, one of them a leap day
WINDOWS = (7, 30, 90, 365)
EVENT_DDL = (
    "customer_key bigint, business_date date, direction string, type string, amount_base_minor bigint, is_customer_initiated boolean, local_hour int, "
    "channel string, mcc_group string, counterparty_bank string, is_cross_border boolean, counterparty_key bigint, "
    "merchant_key bigint, currency string"
)
LEVEL_DDL = "customer_key bigint, business_date date, " + ", ".join(f"{column.name} bigint" for column in BALANCE.columns)


@dataclass(frozen=True)
class Event:
    customer: int
    day: date
    minor: int
    is_out: bool
    is_initiated: bool
    hour: int | None


@dataclass(frozen=True)
class Change:
    customer: int
    day: date
    minor: int


CUSTOMERS = st.integers(1, 4)
# Small ranges make ties: several events of a customer on a day, events on the very edge of a window.
DAY = st.one_of(st.sampled_from(DAYS), st.integers(0, 40).map(lambda back: DAYS[-1] - timedelta(days=back)))
EVENTS = st.lists(
    st.builds(Event, CUSTOMERS, DAY, st.integers(0, 500), st.booleans(), st.booleans(), st.one_of(st.none(), st.integers(0, 23))),
    max_size=60,
)
# Some are emptied, and some days tell of another column only.
MINOR = st.one_of(st.integers(-5000, 50000), st.sampled_from([-20000, 0, 20000]))
CHANGES = st.lists(st.builds(Change, CUSTOMERS, DAY, MINOR), max_size=30, unique_by=lambda change: (change.customer, change.day))
MERGERS = st.lists(st.tuples(st.sampled_from([(1, 2), (3, 4), (2, 4)]), DAY), max_size=2, unique_by=lambda merger: merger[0][0])
DATES = st.lists(DAY, min_size=1, max_size=4, unique=True)
PAIRS = st.sets(st.tuples(CUSTOMERS, DAY), min_size=1, max_size=6).map(sorted)
# Twelve calendar months of a leap year: their first day, and the day before.
YEAR_END, YEAR_BEGINS = date(2024, 12, 31), (date(2024, 1, 1), date(2023, 12, 31))
# The last days that windows see, and the first ones that they don't.
EDGES = [DAYS[-50] - timedelta(days=back) for back in (-1, 0, 6, 7, 29, 30, 89, 90, 364, 365)]


# --- the twin -----------------------------------------------------------------------------------------------------


def owner_on(customer: int, mergers: Sequence[tuple[tuple[int, int], date]], as_of: date) -> int:
    """Follow mergers that have happened by the date."""
    for (merged, survivor), day in mergers:
        if merged == customer and day <= as_of:
            return owner_on(survivor, mergers, as_of)
    return customer


def naive_events(events: Sequence[Event], as_of: date, window: int) -> dict[str, Any]:
    seen = [event for event in events if as_of - timedelta(days=window) < event.day <= as_of]
    ever = [event for event in events if event.day <= as_of]
    this_month = [event for event in ever if (event.day.year, event.day.month) == (as_of.year, as_of.month)]
    mine = [event for event in seen if event.is_initiated]
    days, months = sorted({event.day for event in mine}), {event.day for event in ever if event.is_initiated}
    return {
        f"initiated_count_{window}d": len(mine),
        f"out_{window}d": sum(event.minor for event in seen if event.is_out),
        f"in_{window}d": sum(event.minor for event in seen if not event.is_out),
        f"largest_out_{window}d": max((event.minor for event in mine if event.is_out), default=None),
        f"active_days_{window}d": len(days),
        f"active_weeks_{window}d": len({(as_of - day).days // 7 for day in days}),
        f"silent_days_{window}d": (as_of - days[-1]).days if days else None,
        f"first_active_days_{window}d": (as_of - days[0]).days if days else None,
        "out_ltd": sum(event.minor for event in ever if event.is_out),
        "initiated_count_ltd": sum(event.is_initiated for event in ever),
        "largest_out_ltd": max((event.minor for event in ever if event.is_initiated and event.is_out), default=None),
        "active_days_ltd": len({event.day for event in ever if event.is_initiated}),
        "in_mtd": sum(event.minor for event in this_month if not event.is_out),
        "largest_out_mtd": max((event.minor for event in this_month if event.is_initiated and event.is_out), default=None),
        "active_days_mtd": len({event.day for event in this_month if event.is_initiated}),
        "active_months_360d": len({day.replace(day=1) for day in months if (as_of.year - day.year) * 12 + as_of.month - day.month < 12}),
        f"night_count_{window}d": sum(event.hour is not None and event.hour < 6 for event in mine),
    }


def few_far_events(events: Sequence[Event], as_of: date, window: int) -> dict[str, Any]:
    """Beyond 90 days one measure only: old tiles come without the columns of the others."""
    told = naive_events(events, as_of, window)
    return told if window <= stream.NEAR_DAYS else {name: value for name, value in told.items() if name.startswith("initiated_count")}


def naive_balances(changes: Sequence[Change], as_of: date, window: int) -> dict[str, Any]:
    """Levels day by day; a customer has none before the first change that is seen, unless there was a level when sight began."""

    def level_on(day: date) -> int:
        return sum(change.minor for change in changes if change.day <= day)

    begun, days = as_of - timedelta(days=HORIZON), {change.day for change in changes}
    changed = [day for day in days if level_on(day) != level_on(day - timedelta(days=1)) and (day > begun or level_on(begun) != 0)]
    seen = [as_of - timedelta(days=back) for back in range(window)]
    levels = [level_on(day) for day in seen if any(one <= day for one in changed)]
    before = as_of - timedelta(days=window)
    return {
        "aum": levels[0] if levels else 0,
        f"aum_area_{window}d": sum(levels),
        f"highest_aum_{window}d": max(levels, default=None),
        f"nearly_empty_days_{window}d": sum(level < 10_000 for level in levels),
        f"aum_before_{window}d": level_on(before),
    }


def naive(facts: Sequence[Any], mergers: Sequence[Any], dates: Sequence[date], told: Any) -> dict[tuple[int, date], dict[str, Any]]:
    found: dict[tuple[int, date], dict[str, Any]] = {}
    for as_of in dates:
        for owner in range(1, 5):
            mine = [fact for fact in facts if owner_on(fact.customer, mergers, as_of) == owner]
            found[owner, as_of] = {name: value for window in WINDOWS for name, value in told(mine, as_of, window).items()}
    return found


# --- the engine ---------------------------------------------------------------------------------------------------


def owners_of(spark: SparkSession, mergers: Sequence[Any]) -> Any:
    return spine.ownership_frame(spark, [spine.Merged(customer_key=a, survivor_key=b, merged_on=day) for (a, b), day in mergers])


def taken(
    spark: SparkSession, source: Any, day_tiles: Any, dates: Sequence[date], mergers: Sequence[Any], expected: Any,
    pairs: Sequence[tuple[int, date]] = (),
) -> dict[tuple[int, date], dict[str, Any]]:  # fmt: skip
    """The measures that the twin tells, for every customer and date, or for `pairs` of them; what is empty filled in."""
    names = [f"{source.name}_{name}" for name in next(iter(expected.values()))]
    sources = {source: day_tiles}
    if source is TRANSACTION:
        # Of what lies further back than windows of days there are only months.
        opening = min(day for _, day in pairs or [(0, day) for day in dates]) - timedelta(days=HORIZON)
        sources = {source: day_tiles.where(F.col("business_date") > F.lit(opening)), MONTHS: months.month_tiles(day_tiles, MONTHS)}
    wanted = [item for one in sources for item in one.wanted_by((" ".join(names),))]
    asked = pairs or [(customer, day) for customer in range(1, 5) for day in dates]
    everybody = spark.createDataFrame(asked, "customer_key bigint, as_of_date date")
    owners = owners_of(spark, mergers)
    swept = swept_in_duckdb(sources, wanted, everybody, owners) if pairs else windows.swept(sources, wanted, dates, owners)
    rows = windows.with_measures(everybody, [(swept, wanted)]).collect()
    cut = len(source.name) + 1
    return {(row["customer_key"], row["as_of_date"]): {k[cut:]: v for k, v in row.asDict().items() if k in names} for row in rows}


def swept_in_duckdb(sources: Mapping[Any, DataFrame], wanted: Sequence[Any], pairs: DataFrame, owners: DataFrame | None) -> DataFrame:
    with lake.connect() as connection:
        for statement in dialect.macros():
            connection.execute(statement)
        named = {source.name: frame for source, frame in sources.items()} | ({} if owners is None else {"owners": owners})
        for name, frame in named.items():
            connection.register(name, frame.toArrow())
        owned = {source: seen.owned(source.name, None if owners is None else "owners") for source in sources}
        by_source = {source: [item for item in wanted if item.source is source] for source in sources}
        return pairs.sparkSession.createDataFrame(in_duckdb.measures_swept(connection, owned, by_source, pairs.toArrow()))


def initiated(customer: int, day: date) -> Event:
    return Event(customer, day, 100, is_out=True, is_initiated=True, hour=3)


def event_tiles(spark: SparkSession, events: Sequence[Event]) -> Any:
    rows = [
        (e.customer, e.day, "out" if e.is_out else "in", "transfer", e.minor, e.is_initiated, e.hour, None, None, None, False, None, None, "CNY")
        for e in events
    ]  # fmt: skip
    return tiles.transaction_tiles(spark.createDataFrame(rows, EVENT_DDL))


def level_tiles(spark: SparkSession, changes: Sequence[Change]) -> Any:
    rows = [(change.customer, change.day, change.minor, *([0] * (len(BALANCE.columns) - 1))) for change in changes]
    return spark.createDataFrame(rows, LEVEL_DDL)


def compare_events(spark: SparkSession, events: Sequence[Event], mergers: Sequence[Any], dates: Sequence[date]) -> None:
    day_tiles = event_tiles(spark, events)
    for told in (naive_events, few_far_events):
        expected = naive(events, mergers, dates, told)
        assert taken(spark, TRANSACTION, day_tiles, dates, mergers, expected) == expected


def compare_balances(spark: SparkSession, changes: Sequence[Change], mergers: Sequence[Any], dates: Sequence[date]) -> None:
    day_tiles = level_tiles(spark, changes)
    expected = naive(changes, mergers, dates, naive_balances)
    # What was before anything that is seen may come as one tile.
    opening = min(dates) - timedelta(days=HORIZON - 1)
    for tiles_ in (day_tiles, tiles.opened(day_tiles, BALANCE, opening)):
        assert taken(spark, BALANCE, tiles_, dates, mergers, expected) == expected


def compare_pairs(
    spark: SparkSession, events: Sequence[Event], changes: Sequence[Change], mergers: Sequence[Any], pairs: Sequence[tuple[int, date]]
) -> None:
    """Customers as of days of their own, which DuckDB is asked for: of each the tiles are read that its own days see."""
    dates = sorted({day for _, day in pairs})
    of_events = [(TRANSACTION, event_tiles(spark, events), events, told) for told in (naive_events, few_far_events)]
    for source, day_tiles, facts, told in [*of_events, (BALANCE, level_tiles(spark, changes), changes, naive_balances)]:
        expected = naive(facts, mergers, dates, told)
        assert taken(spark, source, day_tiles, dates, mergers, expected, pairs) == {pair: expected[pair] for pair in pairs}


@examples(6, 300)
@given(events=EVENTS, mergers=MERGERS, dates=DATES)
@example(events=[initiated(1, day) for day in YEAR_BEGINS], mergers=[], dates=[YEAR_END])
def test_events_over_windows_equal_the_twin(spark, events, mergers, dates):
    compare_events(spark, events, mergers, dates)


@examples(6, 300)
@given(changes=CHANGES, mergers=MERGERS, dates=DATES)
def test_levels_over_windows_equal_the_twin(spark, changes, mergers, dates):
    compare_balances(spark, changes, mergers, dates)


@examples(4, 300)
@given(events=EVENTS, changes=CHANGES, mergers=MERGERS, pairs=PAIRS)
@example(
    events=[*(initiated(customer, day) for customer in (1, 2) for day in EDGES), *(initiated(3, day) for day in YEAR_BEGINS)],
    changes=[Change(customer, day, 5_000) for customer in (1, 2) for day in EDGES], mergers=[], pairs=[(1, DAYS[-50]), (2, DAYS[-90]), (2, DAYS[-50]), (3, YEAR_END)],
)  # fmt: skip
def test_days_of_their_own_equal_the_twin(spark, events, changes, mergers, pairs):
    compare_pairs(spark, events, changes, mergers, pairs)


def test_chains_of_mergers_are_followed():
    days = [date(2026, 1, 10), date(2026, 1, 20)]
    found = spine.ownership([
        spine.Merged(customer_key=1, survivor_key=2, merged_on=days[0]), spine.Merged(customer_key=2, survivor_key=3, merged_on=days[1]),
    ])  # fmt: skip
    lines = {(line.merged_key, line.owner_key, line.owned_from, line.owned_to) for line in found}
    # All pieces of an owner are cut at the same days: 2 owns with 1 from the 10th, 3 owns all from the 20th.
    assert lines == {
        (1, 1, None, days[0]), (1, 2, days[0], days[1]), (1, 3, days[1], None),
        (2, 2, None, days[0]), (2, 2, days[0], days[1]), (2, 3, days[1], None),
        (3, 3, None, days[1]), (3, 3, days[1], None),
    }  # fmt: skip


def test_a_circle_of_mergers_ends():
    day = date(2026, 1, 10)
    found = spine.ownership(
        [spine.Merged(customer_key=1, survivor_key=2, merged_on=day), spine.Merged(customer_key=2, survivor_key=1, merged_on=day)]
    )
    assert {(line.merged_key, line.owner_key) for line in found if line.owned_to is None} == {(1, 2), (2, 1)}
