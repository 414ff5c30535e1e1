"""The bank day of an instant, by the mapping of each source, against Python's calendar: around the cut-off, ends of months, changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import sources
from jobs.ingest.functions import Functions
from jobs.serving.spines import last_whole_days
from tests.fixtures.examples import examples

# Every day may be one on which a clock changes; these are, or end a month, or are a leap day.
DAYS = st.one_of(
    st.sampled_from([date(2024, 2, 28), date(2024, 2, 29), date(2023, 12, 31), date(2024, 3, 31), date(2024, 10, 27), date(2024, 4, 30)]),
    st.dates(date(1992, 1, 1), date(2030, 12, 31)),
)
# Seconds before and after the cut-off: on it, beside it, hours away.
NEAR = st.one_of(st.integers(-2, 2), st.integers(-4 * 3600, 4 * 3600))


def bank_day(instant: datetime, zone: ZoneInfo, cut_off: str) -> date:
    """The local date, of what happens at the cut-off or later the next one. Midnight belongs to the day that it begins."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    hours, minutes = map(int, cut_off.split(":"))
    is_over = hours < 24 and local.time() >= time(hours, minutes)
    return local.date() + timedelta(days=is_over)


@pytest.mark.parametrize("source", ["bank", "berka"])
@examples(3, 300)
@given(told=st.lists(st.tuples(DAYS, NEAR), min_size=1, max_size=60))
def test_what_happens_around_the_cut_off_is_of_the_day_that_the_calendar_tells(spark: SparkSession, source: str, told) -> None:
    mapping = sources.load(source)
    zone, (hours, minutes) = ZoneInfo(mapping.time_zone), map(int, mapping.cut_off.split(":"))
    midnights = [datetime.combine(day, time(), zone).astimezone(UTC) for day, _ in told]
    instants = [
        midnight + timedelta(hours=hours, minutes=minutes, seconds=near) for midnight, (_, near) in zip(midnights, told, strict=True)
    ]
    rule = Functions.of(mapping, mapping.feeds["transactions"]).call("bank_day", ["timestamp_seconds(second)"]).sql
    seconds = spark.createDataFrame([(nth, int(instant.timestamp())) for nth, instant in enumerate(instants)], "nth int, second bigint")
    found = [row["day"] for row in seconds.selectExpr("nth", f"{rule} as day").orderBy("nth").collect()]
    expected = [bank_day(instant, zone, mapping.cut_off) for instant in instants]
    assert found == expected
    # What a label of then sees: the date before it, which is over.
    assert last_whole_days(pa.array(instants), mapping).to_pylist() == [day - timedelta(days=1) for day in expected]
