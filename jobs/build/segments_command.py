"""Put every open customer into one segment per scheme. Reads feature groups; replaces the dates in features.segment_daily
and brings features.segment_membership up to them.
"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING

from expectations.contracts.features import SEGMENT_DAILY, SEGMENT_MEMBERSHIP
from features import catalogue, membership, segmentation
from features.segments import asset_tier
from jobs import runner, tables
from jobs.build import declarations
from jobs.build.dates import add_month_ends_argument, as_of_dates, in_dates
from jobs.build.wide import built_dates, newest, wide_features
from jobs.context import JobReport
from jobs.errors import DataRejectedError, InputNotReadyError
from jobs.frames import kept

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from features.spec import FeatureGroup
    from jobs.context import JobContext


def add_arguments(parser: ArgumentParser) -> None:
    runner.add_date_arguments(parser)
    add_month_ends_argument(parser)


def run(arguments: Namespace) -> int:
    declarations.expect_sound()
    scope = "month-ends" if arguments.month_ends else ""
    return runner.execute(JOB, runner.request_of("segments", arguments, scope=scope, month_ends=arguments.month_ends))


def build(context: JobContext) -> JobReport:
    """Features → segments → daily rows and membership. Raises InputNotReadyError when no date has features."""
    wanted = as_of_dates(context.request)
    dates = sorted(built_dates(context, _SPINE_GROUP, wanted))
    if not dates:
        raise InputNotReadyError(
            f"[{_SPINE_GROUP.table.full_name}] holds no features of [{context.request.partition}]; run `kequn features` for it first"
        )
    with kept(_daily(context, dates)) as daily:
        sizes = check(daily)
        written = [
            tables.replace(context, SEGMENT_DAILY, daily, where=in_dates("as_of_date", dates), dates=(min(dates), max(dates))),
            tables.merge_intervals(context, SEGMENT_MEMBERSHIP, _membership(context, daily)),
        ]
    rows = {
        "rows_in": sum(sizes.values()), "rows_out": sum(item.inserted + item.updated for item in written), "dates": len(dates),
        "moves": written[1].inserted + written[1].updated,
    }  # fmt: skip
    return JobReport(rows=rows, outputs={item.table: item.version for item in written}, figures={"sizes": sizes, "last": str(dates[-1])})


_SPINE_GROUP: FeatureGroup = catalogue.group_of(asset_tier.ASSETS)


def _daily(context: JobContext, dates: Sequence[date]) -> DataFrame:
    """Grain: customer × as_of_date × scheme; columns of features.segment_daily."""
    ruled = [scheme for scheme in catalogue.SEGMENTATIONS if scheme is not asset_tier.SCHEME]
    names = sorted({name for scheme in ruled for name in scheme.features})
    features = wide_features(context, dates, names=names)
    frames = [segmentation.assign(features, scheme) for scheme in ruled]
    return reduce(lambda left, right: left.unionByName(right), [asset_tier.assign(_tier_history(context, dates)), *frames])


def _tier_history(context: JobContext, dates: Sequence[date]) -> DataFrame:
    """Grain: customer × as_of_date: assets on the wanted dates and on the three month-ends before each, with the tier shown then."""
    from pyspark.sql import functions as F

    wanted = [F.lit(day) for day in dates]
    seen = {*dates, *(day for date_ in dates for day in month_ends_before(date_, asset_tier.FALLS_AFTER))}
    shown = (
        tables.read_or_empty(context, SEGMENT_DAILY).where(in_dates("as_of_date", seen)).where(F.col("scheme") == asset_tier.SCHEME.name)
        .select("customer_key", "as_of_date", F.col("segment").alias("stored"))
    )  # fmt: skip
    assets = newest(context, _SPINE_GROUP, sorted(seen)).select("customer_key", "as_of_date", asset_tier.ASSETS)
    return assets.join(shown, on=["customer_key", "as_of_date"], how="left").withColumn("is_wanted", F.col("as_of_date").isin(*wanted))


def month_ends_before(day: date, count: int) -> list[date]:
    """The last `count` month-ends before the day."""
    found: list[date] = []
    while len(found) < count:
        day = day.replace(day=1) - timedelta(days=1)
        found.append(day)
    return found


def _membership(context: JobContext, daily: DataFrame) -> DataFrame:
    return membership.images(daily, tables.read_or_empty(context, SEGMENT_MEMBERSHIP))


def check(daily: DataFrame) -> dict[str, int]:
    """Rows per scheme and segment. Raises DataRejectedError unless every customer has one segment per scheme and date."""
    from pyspark.sql import functions as F

    sizes = daily.groupBy("scheme", "segment").agg(F.count(F.lit(1)).alias("rows")).collect()
    customers = daily.select("customer_key", "as_of_date").distinct().count()
    by_scheme: dict[str, int] = {}
    for row in sizes:
        by_scheme[row["scheme"]] = by_scheme.get(row["scheme"], 0) + row["rows"]
    wrong = {scheme: rows for scheme, rows in by_scheme.items() if rows != customers}
    if wrong or any(row["segment"] is None for row in sizes):
        raise DataRejectedError(
            f"[{customers}] customers and dates, but rows by scheme {by_scheme}: a scheme's rules leave somebody out or repeat one"
        )
    return {f"{row['scheme']}: {row['segment']}": row["rows"] for row in sorted(sizes, key=lambda row: (row["scheme"], -row["rows"]))}


JOB = runner.Job(
    name="segments", run=build, inputs=tuple(group.table for group in catalogue.GROUPS), outputs=(SEGMENT_DAILY, SEGMENT_MEMBERSHIP),
)  # fmt: skip
