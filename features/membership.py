"""Membership of segments over time: images from which entries and exits are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEY = ("customer_key", "scheme")


def images(daily: DataFrame, members: DataFrame) -> DataFrame:
    """Grain: customer × scheme × date of `daily`, as images that start there; segment null from the date a customer is gone.

    daily: features.segment_daily of the dates being built, all customers of each. members: images of
    features.segment_membership, of which those known before the dates tell who may have left.
    """
    dates = daily.select(F.col("as_of_date").alias("valid_from")).distinct()
    present = daily.select(*KEY, "segment", F.col("as_of_date").alias("valid_from"))
    starts = members.where("segment is not null").select(*KEY, "valid_from").unionByName(present.select(*KEY, "valid_from"))
    entered = starts.groupBy(*KEY).agg(F.min("valid_from").alias("entered_on"))
    gone = (
        entered.join(F.broadcast(dates), on=F.col("valid_from") > F.col("entered_on"), how="inner")
        .join(present.select(*KEY, "valid_from"), on=[*KEY, "valid_from"], how="left_anti")
        .select(*KEY, F.lit(None).cast("string").alias("segment"), "valid_from")
    )  # fmt: skip
    return present.unionByName(gone)
