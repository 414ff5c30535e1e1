"""Transactions and their day tiles, made up: at the scale of the reference no simulated bank is needed to ask what windows cost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pyspark.sql import functions as F

from benchmarks import windows
from benchmarks.bank import EVE, NIGHT, ROOT, Home, Scale
from expectations.contracts import core
from features.operations import LONGEST_WINDOW
from features.sources.transaction import MCC_GROUPS, TRANSACTION
from jobs import tables
from jobs.context import JobContext

DAYS = 730
_NUMBER = "pmod(xxhash64(id, '{of}'), {among})"


def _one_of(values: tuple[str, ...], of: str) -> str:
    return f"element_at(array({', '.join(map(repr, values))}), 1 + cast({_NUMBER.format(of=of, among=len(values))} as int))"


_VALUES = {
    "transaction_id": "cast(id as string)", "account_key": "customer_key", "occurred_at": "cast(business_date as timestamp)",
    "local_hour": f"cast({_NUMBER.format(of='hour', among=24)} as int)", "direction": _one_of(("in", "out", "out"), "direction"),
    "amount_minor": _NUMBER.format(of="amount", among=500_000), "amount_base_minor": _NUMBER.format(of="amount", among=500_000),
    "currency": "'CNY'", "type": _one_of(("purchase", "purchase", "transfer", "cash_withdrawal", "fee", "salary"), "type"),
    "channel": _one_of(core.CHANNELS, "channel"), "is_customer_initiated": f"{_NUMBER.format(of='initiated', among=10)} < 7",
    "counterparty_key": _NUMBER.format(of="counterparty", among=5_000), "mcc_group": _one_of(MCC_GROUPS, "mcc"),
    "merchant_key": _NUMBER.format(of="merchant", among=2_000), "is_cross_border": "false",
    "month": "year(business_date) * 100 + month(business_date)", "known_from": "cast(business_date as timestamp)", "row_hash": "xxhash64(id)",
}  # fmt: skip


def with_transactions(scale: Scale, context: JobContext, root: Path = ROOT) -> Home:
    """A home that holds `scale.transactions` of the last DAYS days up to NIGHT, and the day tiles up to EVE that a year's windows see; nothing else.

    Made once per scale, below `root`.
    """
    home = Home(scale, root / scale.name / "made_up")
    mark = home.path / "made"
    if not mark.exists():
        print(f"preparing: {scale.transactions:,} transactions, and their day tiles", flush=True)
        _write_transactions(scale, context, home)
        # A write of the night would be taken for done when the night comes.
        windows.store_tiles(home.context(context.spark, EVE), EVE - timedelta(days=LONGEST_WINDOW + 200), EVE)
        mark.touch()
    return home


def _write_transactions(scale: Scale, context: JobContext, home: Home) -> None:
    table = core.TRANSACTION
    keyed = context.spark.range(scale.transactions).selectExpr(
        "id", f"1 + {_NUMBER.format(of='customer', among=scale.customers)} as customer_key",
        f"date_sub(date'{NIGHT}', cast({_NUMBER.format(of='day', among=DAYS)} as int)) as business_date",
    )  # fmt: skip
    given = set(keyed.columns)
    columns = (
        F.expr(column.name if column.name in given else f"cast({_VALUES.get(column.name, 'null')} as {column.type})").alias(column.name)
        for column in table.all_columns
    )
    # Sorted by date within a month, as the product's own writers leave it.
    rows = keyed.select(*columns).repartition(DAYS // 30, "month").sortWithinPartitions("month", "business_date")
    rows.write.format("delta").partitionBy("month").mode("overwrite").save(str(tables.location(home.settings, table)))


def with_tiles(context: JobContext, *, customers: int, days: int, active: float) -> None:
    """Day tiles of transactions into the context's home: of the last `days` days up to NIGHT, each of a share `active` of the customers."""
    of_days = context.spark.range(days).select(F.date_sub(F.lit(NIGHT), F.col("id").cast("int")).alias("business_date"))
    rows = context.spark.range(1, customers + 1).withColumnRenamed("id", "customer_key").crossJoin(F.broadcast(of_days))
    chance = F.pmod(F.xxhash64("customer_key", "business_date"), F.lit(1_000_000))
    by_name = {column.name: column for column in TRANSACTION.columns}
    columns = (
        F.pmod(F.xxhash64(F.lit(name), "customer_key", "business_date"), F.lit(2 ** min(by_name[name].bits, 17))).cast(type_).alias(name)
        if name in by_name else F.col(name)
        for name, type_ in ((column.name, column.type) for column in TRANSACTION.table.columns)
    )  # fmt: skip
    made = rows.where(chance < round(1_000_000 * active)).select(
        *columns, F.date_format("business_date", "yyyyMM").cast("int").alias("month")
    )
    # As they come: `tables.replace` would keep them all at once to compare them, tens of gigabytes of a million customers.
    written = made.repartition(max(days // 30, 1), "month").write.format("delta").partitionBy("month").mode("overwrite")
    written.save(str(tables.location(context.settings, TRANSACTION.table)))
