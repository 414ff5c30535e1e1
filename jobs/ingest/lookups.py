"""What a row needs from the reference tables: its account's owner, the day's rate, whether the customer is there.

Each is a join on equality with at most one match, so no row is lost or doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.contracts import core
from jobs import tables
from jobs.errors import InvariantError
from jobs.ingest.expressions import lookup_column
from jobs.ingest.plan import KNOWN_CUSTOMER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.context import JobContext
    from jobs.ingest.expressions import Lookup


def looked_up(context: JobContext, rows: DataFrame, lookup: Lookup) -> DataFrame:
    """`rows` with the lookup's column added."""
    if lookup.of == "owner":
        return _with_owner(context, rows, lookup)
    if lookup.of == "rate":
        return _with_rate(context, rows, lookup)
    raise InvariantError(f"[{lookup.of}] is no lookup; there are owner and rate")


def _with_owner(context: JobContext, rows: DataFrame, lookup: Lookup) -> DataFrame:
    """The primary owner of an account on a date: of several the one who came first, then the lowest key."""
    from pyspark.sql import functions as F

    account, day = (F.expr(key) for key in lookup.keys)
    parties = tables.current(tables.read(context, core.ACCOUNT_PARTY), core.ACCOUNT_PARTY).where("role = 'owner'")
    owners = parties.groupBy(F.col("account_key").alias("owned__")).agg(
        F.array_sort(F.collect_list(F.struct("held_from", "customer_key", "held_to"))).alias("owners__")
    )
    held = F.filter("owners__", lambda one: (one.held_from <= F.col("day__")) & (one.held_to.isNull() | (one.held_to >= F.col("day__"))))
    return (
        rows.withColumns({"account__": account, "day__": day})
        .join(owners, on=F.col("account__") == F.col("owned__"), how="left")
        .withColumn(lookup_column(lookup), F.try_element_at(held, F.lit(1)).customer_key)
        .drop("account__", "day__", "owned__", "owners__")
    )


def _with_rate(context: JobContext, rows: DataFrame, lookup: Lookup) -> DataFrame:
    """Base currency per unit of a currency in force on a date, in parts per million; null where there is none."""
    from pyspark.sql import functions as F

    currency, day = (F.expr(key) for key in lookup.keys)
    until = F.coalesce(F.date_sub("valid_to", 1), F.greatest(F.lit(context.request.until), F.col("valid_from")))
    rates = (
        tables.read(context, core.RATE).where("kind = 'fx' and (valid_to is null or valid_to > valid_from)")
        .select(F.col("code").alias("code__"), F.explode(F.sequence("valid_from", until)).alias("on__"), F.col("value_ppm").alias(lookup_column(lookup)))
    )  # fmt: skip
    on = (F.col("currency__") == F.col("code__")) & (F.col("day__") == F.col("on__"))
    return (
        rows.withColumns({"currency__": currency, "day__": day})
        .join(F.broadcast(rates), on=on, how="left")
        .drop("currency__", "day__", "code__", "on__")
    )


def with_known_customer(context: JobContext, rows: DataFrame) -> DataFrame:
    """`rows` with customer_is_known: the customer's relationship had begun on the row's business date."""
    from pyspark.sql import functions as F

    customers = tables.current(tables.read(context, core.CUSTOMER), core.CUSTOMER).select(
        F.col("customer_key").alias("known__"), F.col("opened_on").alias("since__")
    )
    on = (F.col("customer_key") == F.col("known__")) & (F.col("since__") <= F.col("business_date"))
    return rows.join(customers, on=on, how="left").withColumn(KNOWN_CUSTOMER, F.col("known__").isNotNull()).drop("known__", "since__")
