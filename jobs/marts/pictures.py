"""Reads what the marts are made of, as of one date."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from expectations.contracts import core, features, mart, scores
from features import catalogue, spine
from jobs import ledger, tables
from jobs.build.facts import Facts
from jobs.context import Request
from jobs.errors import InputNotReadyError
from jobs.marts import permission
from jobs.marts.customer_360 import Pictures

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from expectations.contracts.types import Table
    from jobs.context import JobContext

MODELS = {"churn": scores.CHURN, "value": scores.VALUE}


def read(context: JobContext) -> Pictures:
    """All pictures as of the request's date. Raises InputNotReadyError for features, segments or scores that are not there."""
    from pyspark.sql import functions as F

    day = context.as_of
    owners = Facts(context, first=day, last=day).owners
    parties = _owned(tables.valid_on(tables.read_or_empty(context, core.ACCOUNT_PARTY), core.ACCOUNT_PARTY, day), owners, day)
    accounts = tables.valid_on(tables.read_or_empty(context, core.ACCOUNT), core.ACCOUNT, day)
    credit = tables.current(tables.read_or_empty(context, core.CREDIT_ACCOUNT), core.CREDIT_ACCOUNT)
    return Pictures(
        features=_features(context),
        customers=customers(context),
        segments=_segments(context),
        churn=_scored(context, "churn"),
        value=_scored(context, "value"),
        granted=tables.valid_on(tables.read_or_empty(context, core.CONSENT), core.CONSENT, day),
        active=permission.with_active_account(accounts, parties, as_of=day),
        collections=permission.in_collections(_owned(credit.where(F.col("customer_key").isNotNull()), owners, day), as_of=day),
    )


def customers(context: JobContext) -> DataFrame:
    """Grain: customer_key, everybody known on the date, closed ones too."""
    return tables.valid_on(tables.read(context, core.CUSTOMER), core.CUSTOMER, context.as_of)


def merged(context: JobContext) -> DataFrame:
    """Grain: customer_key of customers who were merged into another one by the date."""
    from pyspark.sql import functions as F

    pairs = tables.current(tables.read_or_empty(context, core.CUSTOMER_MERGE), core.CUSTOMER_MERGE)
    return pairs.where(F.col("merged_on") <= F.lit(context.as_of)).select("customer_key")


def _owned(facts: DataFrame, owners: DataFrame | None, day: date) -> DataFrame:
    """The same facts, those of merged customers under the key that owns them on the day."""
    from pyspark.sql import functions as F

    mine = spine.owned(facts, owners).withColumn("as_of_date", F.lit(day)).where(spine.is_owned_on())
    return mine.drop("owned_from", "owned_to", "as_of_date")


def _features(context: JobContext) -> DataFrame:
    """Grain: customer_key, everybody open. Each feature is read under the purpose that it is published for."""
    from jobs.build.wide import wide_features

    names: dict[str, list[str]] = {}
    for published in mart.PUBLISHED_FEATURES:
        names.setdefault(published.purpose, []).append(published.feature)
    frames = [
        wide_features(context, [context.as_of], names=wanted, purpose=purpose).drop("as_of_date")
        for purpose, wanted in sorted(names.items())
    ]
    return reduce(lambda left, right: left.join(right, on="customer_key", how="inner"), frames)


def _segments(context: JobContext) -> DataFrame:
    """Grain: customer_key × scheme; segment as published, its names, since. Raises InputNotReadyError when the date has none."""
    from pyspark.sql import functions as F

    daily = tables.read(context, features.SEGMENT_DAILY).where(F.col("as_of_date") == F.lit(context.as_of))
    if daily.isEmpty():
        raise InputNotReadyError(
            f"[{features.SEGMENT_DAILY.full_name}] has no rows of [{context.as_of}]; run `kequn segments --as-of {context.as_of}`"
        )
    names = context.spark.createDataFrame(segment_names(), SEGMENT_NAMES)
    return (
        daily.where(F.col("scheme").isin(*mart.SCHEMES)).select("customer_key", "scheme", "segment")
        .join(_since(context), on=["customer_key", "scheme", "segment"], how="left")
        .join(F.broadcast(names), on=["scheme", "segment"], how="left")
        .select(
            "customer_key", "scheme", F.col("published").alias("segment"), "segment_title", "segment_title_zh",
            # The day on which somebody came to a merged class would tell which of the two it was.
            F.when(~F.col("is_merged"), F.col("since")).alias("since"),
        )
    )  # fmt: skip


SEGMENT_NAMES = "scheme string, segment string, published string, segment_title string, segment_title_zh string, is_merged boolean"


def segment_names() -> list[tuple[str, str, str, str, str, bool]]:
    """Every segment of the catalogue: scheme, segment, the one it is published as with its names, whether it is merged with another."""
    found = []
    for scheme in catalogue.SEGMENTATIONS:
        rules = {rule.name: rule for rule in scheme.rules}
        for rule in scheme.rules:
            shown = rules[mart.MERGED_SEGMENTS.get((scheme.name, rule.name), rule.name)]
            merged = any(of == scheme.name and shown.name == into for (of, _), into in mart.MERGED_SEGMENTS.items())
            found.append((scheme.name, rule.name, shown.name, shown.title, shown.title_zh, merged))
    return found


def _since(context: JobContext) -> DataFrame:
    """Grain: customer_key × scheme; the segment on the date and the first day of that membership."""
    from pyspark.sql import functions as F

    table = features.SEGMENT_MEMBERSHIP
    on_day = tables.valid_on(tables.read_or_empty(context, table), table, context.as_of)
    return on_day.select("customer_key", "scheme", "segment", F.col("valid_from").alias("since"))


def _scored(context: JobContext, model: str) -> DataFrame:
    """Grain: customer_key; scores of the date by the model that was scored last, empty where there is no model.

    Raises InputNotReadyError when the model has scored earlier dates but not this one: publishing would blank out every
    score downstream, which only a person may decide (--without-scores).
    """
    from pyspark.sql import functions as F

    table: Table = MODELS[model]
    stored = tables.read_or_empty(context, table)
    scored = stored.where(F.col("as_of_date") == F.lit(context.as_of))
    versions = [row["model_version"] for row in scored.select("model_version").distinct().collect()]
    if not versions:
        if not context.request.options.get("without_scores") and not stored.where(F.col("as_of_date") < F.lit(context.as_of)).isEmpty():
            raise InputNotReadyError(
                f"[{table.full_name}] has scores of earlier dates but none of [{context.as_of}]; run `kequn score --model {model} "
                f"--as-of {context.as_of}`, or publish with --without-scores"
            )
        return scored
    return scored.where(F.col("model_version") == F.lit(_in_force(context, model, versions)))


def _in_force(context: JobContext, model: str, versions: list[str]) -> str:
    """The version that the newest score run of the date used; the highest number where the ledger does not tell."""
    import json

    request = Request(job="score", since=context.as_of, until=context.as_of, scope=model)
    for run in reversed(ledger.runs(context.settings, request)):
        told = json.loads(run["figures"]).get("model_version")
        if str(told) in versions:
            return str(told)
    return max(versions, key=lambda version: (len(version), version))
