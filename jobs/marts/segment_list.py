"""mart.segment_list: which marketable customer is in which segment. Pure: frames of one as-of date in, contract's columns out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.contracts import mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.marts.customer_360 import Edition


def build(customer_360: DataFrame, segments: DataFrame, edition: Edition) -> DataFrame:
    """Grain: customer_key × scheme, only customers with marketable_flag.

    segments: customer_key × scheme with segment, its names, and since when.
    """
    from pyspark.sql import functions as F

    audience = customer_360.where("marketable_flag").select("customer_key")
    listed = segments.join(audience, on="customer_key", how="left_semi").withColumns(
        {
            "as_of_date": F.lit(edition.as_of),
            "contract_version": F.lit(edition.contract_version),
            "run_id": F.lit(edition.run_id),
        }
    )
    return listed.select(*[F.col(column.name).cast(column.type).alias(column.name) for column in mart.SEGMENT_LIST.columns])
