"""mart.customer_360: one row per open customer. Pure: frames of one as-of date in, the contract's columns out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.contracts import mart
from jobs.marts import permission

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What the bank knows as of one date; grain in brackets.

    features (customer_key, the spine) · customers (customer_key) · segments (customer_key × scheme, with titles)
    churn, value (customer_key) · granted (customer_key × purpose) · active, collections (customer_key, only those it holds for)
    """

    features: DataFrame
    customers: DataFrame
    segments: DataFrame
    churn: DataFrame
    value: DataFrame
    granted: DataFrame
    active: DataFrame
    collections: DataFrame


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What a publication is stamped with, and the draw of its control group."""

    as_of: date
    run_id: str
    contract_version: str
    salt: str
    share: float


def build(pictures: Pictures, edition: Edition) -> DataFrame:
    """Grain: customer_key, one row per row of the spine, in the contract's columns without those that tables.py adds."""
    from pyspark.sql import functions as F

    flag = F.lit(True)
    wide = (
        pictures.features
        .join(_people(pictures.customers), on="customer_key", how="left")
        .join(segment_columns(pictures.segments), on="customer_key", how="left")
        .join(_churn(pictures.churn), on="customer_key", how="left")
        .join(_value(pictures.value), on="customer_key", how="left")
        .join(permission.consents(pictures.granted), on="customer_key", how="left")
        .join(pictures.active.withColumn("has_active_account", flag), on="customer_key", how="left")
        .join(pictures.collections.withColumn("is_in_collections", flag), on="customer_key", how="left")
    )  # fmt: skip
    stamped = wide.withColumns(
        {
            "as_of_date": F.lit(edition.as_of),
            "contract_version": F.lit(edition.contract_version),
            "run_id": F.lit(edition.run_id),
            "tenure_months": F.floor(F.months_between(F.lit(edition.as_of), F.col("customer_since"))),
            **{name: F.coalesce(F.col(name), F.lit(False)) for name in permission.CONSENT_COLUMNS},
            **{published.column.name: shown(published, as_of=edition.as_of) for published in mart.PUBLISHED_FEATURES},
        }
    )
    judged = stamped.withColumn(
        "suppress_reason", permission.suppress_reason(as_of=edition.as_of, salt=edition.salt, share=edition.share)
    ).withColumn("marketable_flag", permission.marketable())
    return judged.select(*[F.col(column.name).cast(column.type).alias(column.name) for column in mart.CUSTOMER_360.columns])


def shown(published: mart.Published, *, as_of: date) -> Column:
    """A feature as it is published: days become dates, which stay where they are; doubles become DECIMAL before they are hashed."""
    from pyspark.sql import functions as F

    kind, stored = published.column.type, F.col(published.feature)
    if kind == "date":
        return F.date_add(F.lit(as_of), (stored if published.is_ahead else -stored).cast("int"))
    if kind.startswith("decimal"):
        return F.round(stored, int(kind.removesuffix(")").split(",")[1])).cast(kind)
    return stored.cast(kind)


def segment_columns(segments: DataFrame) -> DataFrame:
    """Grain: customer_key; three columns a scheme: code, title, Chinese title.

    segments: one row per customer_key × scheme with segment, segment_title, segment_title_zh.
    """
    from pyspark.sql import functions as F

    parts = {"": "segment", "_title": "segment_title", "_title_zh": "segment_title_zh"}
    columns = [
        F.max(F.when(F.col("scheme") == scheme, F.col(source))).alias(f"{scheme}{suffix}")
        for scheme in mart.SCHEMES
        for suffix, source in parts.items()
    ]
    return segments.groupBy("customer_key").agg(*columns)


def _people(customers: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return customers.select("customer_key", F.col("opened_on").alias("customer_since"), "birth_date", "is_employee")


def _churn(scores: DataFrame) -> DataFrame:
    """Probabilities are rounded before they are hashed: noise in the last digits would touch every row every night."""
    from pyspark.sql import functions as F

    return scores.select(
        "customer_key",
        F.round("churn_probability", 4).cast("decimal(5,4)").alias("churn_probability"),
        "churn_band",
        *[_told(F.col(f"reason_{n}")).alias(f"churn_reason_{n}") for n in (1, 2, 3)],
        F.col("model_version").alias("churn_model_version"),
    )


def _told(reason: Column) -> Column:
    """How somebody repays is no business of marketing: such reasons are published as `other`."""
    from pyspark.sql import functions as F

    return F.when(reason.isin(*mart.WITHHELD_REASONS), F.lit("other")).otherwise(reason)


def _value(scores: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    value = F.round("value_12m", 2).cast("decimal(18,2)").alias("value_12m")
    return scores.select("customer_key", value, "value_band", F.col("model_version").alias("value_model_version"))
