"""Events → day tiles: integers per entity and business date that can be added up in any order.

Tiles keep the customer of the day; who owns them after a merge is asked when windows are taken (features.spine).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from features import margin, seen
from features.sources.balance import FAMILIES, LEVELS, MATURING_DAYS, TERMS
from features.sources.channel import CHANNEL
from features.sources.credit import CREDIT
from features.sources.transaction import TRANSACTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame, SparkSession

    from features.margin import Price, Rate
    from features.spec import Source

PRICE_DDL = "product_code string, since date, until date, spread_ppm bigint, loss_ppm bigint"
UNIT_COST_DDL = "channel string, cost_from date, cost_to date, unit_cost_milli bigint"
MINOR_PER_UNIT = 100
PPM = 1_000_000


def price_frame(spark: SparkSession, prices: Sequence[Price]) -> DataFrame:
    """Grain: product_code × [since, until)."""
    return spark.createDataFrame([(p.product_code, p.since, p.until, p.spread_ppm, p.loss_ppm) for p in prices], PRICE_DDL)


def unit_cost_frame(spark: SparkSession, rates: Sequence[Rate]) -> DataFrame:
    """Grain: channel × [cost_from, cost_to); thousandths of minor units an event."""
    costs = [rate for rate in rates if rate.kind == "unit_cost"]
    milli = MINOR_PER_UNIT * margin.MILLI
    return spark.createDataFrame([(r.code, r.valid_from, r.valid_to, r.value_ppm * milli // PPM) for r in costs], UNIT_COST_DDL)


def event_tiles(events: DataFrame, source: Source) -> DataFrame:
    """Grain: the source's entity × business_date (with its customer_key); columns of the source's tile."""
    return seen.run(f"select * from {seen.day_tiles('{events}', source)}", events=events)


def transaction_tiles(transactions: DataFrame) -> DataFrame:
    """Grain: customer_key × business_date. transactions: current images of core.transaction."""
    return event_tiles(transactions, TRANSACTION)


def channel_tiles(events: DataFrame, unit_costs: DataFrame) -> DataFrame:
    """Grain: customer_key × business_date. events: current images of core.channel_event."""
    costs = unit_costs.withColumnRenamed("channel", "cost_channel")
    in_force = (F.col("cost_from") <= F.col("business_date")) & (F.col("cost_to").isNull() | (F.col("cost_to") > F.col("business_date")))
    priced = events.join(F.broadcast(costs), on=(F.col("channel") == F.col("cost_channel")) & in_force, how="left")
    return event_tiles(priced, CHANNEL)


def instalment_tiles(instalments: DataFrame, source: Source) -> DataFrame:
    """Grain: customer_key × business_date, of due days and of payment days. instalments: current images."""
    text = seen.day_tiles(seen.instalment_events("{instalments}"), source)
    return seen.run(f"select * from {text}", instalments=instalments)


def credit_tiles(changes: DataFrame, prices: DataFrame) -> DataFrame:
    """Grain: credit_account_id × business_date of change. changes: current images of core.credit_account."""
    text = seen.day_tiles(seen.credit_changes("{changes}", "{prices}"), CREDIT)
    return seen.run(f"select * from {text}", changes=changes, prices=prices)


def _priced(frame: DataFrame, prices: DataFrame) -> DataFrame:
    """`frame` with the prices in force for its product on its business date; null where there are none."""
    return seen.run(f"select * from {seen.priced('{frame}', '{prices}')}", frame=frame, prices=prices)


def account_products(accounts: DataFrame, products: DataFrame) -> DataFrame:
    """Grain: account_key; its product and family, assets only. An account's product never changes: its first image tells."""
    first = accounts.groupBy("account_key").agg(F.min_by("product_code", "valid_from").alias("product_code"))
    families = products.groupBy("product_code").agg(
        F.min_by("family", "valid_from").alias("family"), F.min_by("is_asset", "valid_from").alias("is_asset")
    )
    return first.join(F.broadcast(families), on="product_code", how="inner").where("is_asset").drop("is_asset")


def account_terms(accounts: DataFrame) -> DataFrame:
    """Grain: image of an account, numbered by `image`: when it `matures_on`, and where with it a term ends whether that `is_rolled`.

    A term ends at maturity when from that day on, or later, the register tells another maturity (rolled over) or that the account is
    closed. A maturity changed before, or an account closed before, ends no term.
    """
    by_account = Window.partitionBy("account_key").orderBy("valid_from")
    before = {f"{name}_before": F.lag(name).over(by_account) for name in ("matures_on", "closed_on")}
    rolls = "closed_on is null and matures_on > matures_on_before and valid_from >= matures_on_before"
    is_paid_out = "closed_on >= matures_on_before and closed_on_before is null"
    return accounts.withColumns({**before, "image": F.row_number().over(by_account)}).selectExpr(
        "account_key as term_account", "image", "valid_from", "valid_to", "case when closed_on is null then matures_on end as matures_on",
        f"case when {rolls} then true when {is_paid_out} then false end as is_rolled",
    )  # fmt: skip


def concerned(balances: DataFrame, accounts: DataFrame, first: date, last: date) -> DataFrame:
    """Grain: account_key, of accounts that `balance_tiles` may tell a change of on a business date from first to last.

    balances: of these dates. No other account's levels begin or end then, nor does a term of one mature, roll over or get its image
    replaced: a night is spared all accounts that did not move.
    """
    turns = ("valid_from", "valid_to", f"date_sub(matures_on, {MATURING_DAYS})", "date_add(matures_on, 1)")
    turning = accounts.where(" or ".join(f"{day} between date'{first}' and date'{last}'" for day in turns))
    return balances.select("account_key").union(turning.select("account_key")).distinct()


def reappeared(balances: DataFrame, accounts: DataFrame, *, opening: date, day: date) -> DataFrame:
    """Grain: account_key, of accounts opened before `opening` whose first balance from then on is of `day` or later.

    balances: those from `opening` on. Without what these accounts held before it, `balance_tiles` would take their first
    balance for an opening level.
    """
    first = balances.groupBy("account_key").agg(F.min("business_date").alias("first_day")).where(F.col("first_day") >= F.lit(day))
    old = accounts.where(F.col("opened_on") < F.lit(opening)).select("account_key").distinct()
    return first.join(old, on="account_key", how="left_semi").select("account_key")


def balance_tiles(balances: DataFrame, account_products: DataFrame, prices: DataFrame, terms: DataFrame) -> DataFrame:
    """Grain: customer_key × business_date on which a level changed; the changes, minor units of the base currency.

    balances: current images of core.balance_daily, of which an account's first is its opening level. Each adds its
    level where it begins and takes it away where the next one begins, so an account that changes hands takes it along.
    terms: `account_terms`; what matures or has ended is told on its day, with the balance and of the owner of that day.
    """
    rows = _priced(balances.join(account_products, on="account_key", how="inner"), prices)
    levels = rows.select("account_key", "customer_key", "business_date", "family", *_account_levels())
    by_account = Window.partitionBy("account_key").orderBy("business_date")
    steps = levels.withColumn("until", F.lead("business_date").over(by_account))
    meets = "valid_from < coalesce(until, date'9999-12-31') and coalesce(valid_to, date'9999-12-31') > business_date"
    concerned = F.expr(f"account_key = term_account and family = 'term' and (image = 1 or ({meets}))")
    columns = (*LEVELS, *(name for name, _ in TERMS))
    return (
        steps.join(terms, on=concerned, how="left").selectExpr("customer_key", _changes(columns)).where("changed_on is not null")
        .groupBy("customer_key", F.col("changed_on").alias("business_date"))
        .agg(*(F.sum(name).alias(name) for name in columns))
        .where(" or ".join(f"{name} <> 0" for name in columns))
    )  # fmt: skip


def _changes(columns: Sequence[str]) -> str:
    """Rows of changes that a step makes with an image of its account: the step's own levels count with the first image only."""
    once = "case when coalesce(image, 1) = 1 then {} end"
    since = f"greatest(business_date, valid_from, date_sub(matures_on, {MATURING_DAYS}))"
    until = "least(until, valid_to, date_add(matures_on, 1))"
    matures = f"matures_on is not null and {since} < {until}"
    ends = "is_rolled is not null and valid_from >= business_date and valid_from < coalesce(until, date'9999-12-31')"
    rows = (
        (once.format("business_date"), {name: name for name in LEVELS}),
        (once.format("until"), {name: f"-{name}" for name in LEVELS}),
        (f"case when {matures} then {since} end", {"maturing": "aum"}),
        (f"case when {matures} then {until} end", {"maturing": "-aum"}),
        (f"case when {ends} then valid_from end", {"term_matured": "1L", "term_rolled": "cast(is_rolled as bigint)"}),
    )
    told = ", ".join(f"{day}, {', '.join(changed.get(name, '0L') for name in columns)}" for day, changed in rows)
    return f"stack({len(rows)}, {told}) as (changed_on, {', '.join(columns)})"


def opened(tiles: DataFrame, source: Source, opening: date) -> DataFrame:
    """Grain: the tiles', with their month where they tell it. Changes before `opening` in one tile, of the day before it: the same levels from then on."""
    changes, before = [column.name for column in source.columns], opening - timedelta(days=1)
    # Partitions are pruned by it, later too.
    month = {"month": F.lit(100 * before.year + before.month)} if "month" in tiles.columns else {}
    older = tiles.where(F.col("business_date") < F.lit(opening)).groupBy("customer_key").agg(*(F.sum(name).alias(name) for name in changes))
    at_opening = older.withColumns({"business_date": F.lit(before), **month})
    newer = tiles.where(F.col("business_date") >= F.lit(opening)).select("customer_key", "business_date", *changes, *month)
    return newer.unionByName(at_opening)


def _account_levels() -> list[Column]:
    balance = F.col("balance_base_minor")
    families = [F.when(F.col("family") == family, balance).otherwise(F.lit(0)).alias(family) for family in FAMILIES]
    return [balance.alias("aum"), *families, F.expr(margin.run_rate("balance_base_minor", "spread_ppm")).alias("spread_milli")]
