"""A change of the clock: what delivered local times become. Prague's clocks jump from 02:00 to 03:00 on 2026-03-29, and go back from 03:00 to 02:00 on 2026-10-25."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from conf import sources
from jobs.ingest.functions import Functions

PRAGUE = replace(Functions.of(prague := sources.load("berka"), next(iter(prague.feeds.values()))), time_format="yyyy-MM-dd HH:mm:ss")
AT_NINE = replace(PRAGUE, cut_off="21:00")


def conformed(spark: SparkSession, functions: Functions, local: str) -> tuple[str, str, int]:
    """UTC instant, business date, hour of the bank."""
    instant = functions.call("to_instant", [f"'{local}'"]).sql
    day, hour = (functions.call(name, [instant]).sql for name in ("bank_day", "local_hour"))
    found = spark.sql(f"select string({instant}), string({day}), {hour}").first()
    assert found is not None
    return tuple(found)


@pytest.mark.parametrize(
    ("local", "instant", "day", "hour"),
    [
        ("2026-03-29 01:59:59", "2026-03-29 00:59:59", "2026-03-29", 1),  # the last second of winter
        ("2026-03-29 02:30:00", "2026-03-29 01:30:00", "2026-03-29", 3),  # no clock showed it: as many minutes after the jump
        ("2026-03-29 03:00:00", "2026-03-29 01:00:00", "2026-03-29", 3),
        ("2026-03-29 23:59:59", "2026-03-29 21:59:59", "2026-03-29", 23),  # of a day of 23 hours
        ("2026-10-25 02:30:00", "2026-10-25 00:30:00", "2026-10-25", 2),  # comes twice: taken for the first
        ("2026-10-25 03:00:00", "2026-10-25 02:00:00", "2026-10-25", 3),
        ("2026-10-25 23:59:59", "2026-10-25 22:59:59", "2026-10-25", 23),  # of a day of 25 hours
    ],
)
def test_a_local_time_keeps_its_date_and_hour(spark: SparkSession, local: str, instant: str, day: str, hour: int) -> None:
    assert conformed(spark, PRAGUE, local) == (instant, day, hour)


@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2026-03-28 20:59:59", "2026-03-28"),
        ("2026-03-28 21:00:00", "2026-03-29"),  # three hours on a clock, two in the world, before the day of 23 hours ends its night
        ("2026-03-29 20:59:59", "2026-03-29"),
        ("2026-10-24 21:00:00", "2026-10-25"),
        ("2026-10-25 20:59:59", "2026-10-25"),
        ("2026-10-25 21:00:00", "2026-10-26"),
    ],
)
def test_the_cut_off_is_a_local_time(spark: SparkSession, local: str, day: str) -> None:
    assert conformed(spark, AT_NINE, local)[1] == day
