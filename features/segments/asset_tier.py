"""Asset tiers (资产分层) on mean daily assets of 30 days, with the hysteresis of Chinese retail banks.

A tier decided at a month-end holds for the next month. A customer above the own tier rises at once; one below it falls
only after three month-ends in a row below, to the tier of the third (domain.md part II §3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.segmentation import OTHERWISE, Rule, Segmentation, segments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ASSETS = "balances__aum_mad_30d"
FALLS_AFTER = 3
# Rows further apart than three month-ends and some days don't speak of each other: the tier starts anew.
FORGETS_AFTER_DAYS = 100

SCHEME = Segmentation(
    name="asset_tier", version=1, title="Asset tier", title_zh="资产分层", purposes=("marketing", "service"),
    rules=(
        Rule(name="high_net_worth", title="High net worth", title_zh="高净值", when=f"{ASSETS} >= 6000000",
             because="mean daily assets of 30 days reach 6,000,000"),
        Rule(name="affluent", title="Affluent", title_zh="富裕", when=f"{ASSETS} >= 500000", because="mean daily assets of 30 days reach 500,000"),
        Rule(name="mass", title="Mass", title_zh="大众", when=f"{ASSETS} >= 20000", because="mean daily assets of 30 days reach 20,000"),
        Rule(name="inclusive", title="Young and inclusive", title_zh="年轻普惠", when=f"{ASSETS} >= 500", because="mean daily assets of 30 days reach 500"),
        Rule(name="prospect", title="Prospect", title_zh="潜在", when=OTHERWISE, because="mean daily assets of 30 days are below 500"),
    ),
)  # fmt: skip

KEPT_UP = "kept: not yet three month-ends in a row below the tier"
KEPT_DOWN = "kept: a rise takes effect next month"

# One step of the fold over a customer's dates, ascending. `tier` and `own` are positions, 0 the highest.
_SHOWN = (
    f"coalesce(x.stored, case when a.last is not null and datediff(x.day, a.last) <= {FORGETS_AFTER_DAYS} then a.tier end, x.own)"
)  # fmt: skip
_BELOW = f"case when x.own > {_SHOWN} then case when {_SHOWN} = a.tier then a.below else 0 end + 1 else 0 end"
_DECIDED = f"case when x.own < {_SHOWN} or {_BELOW} >= {FALLS_AFTER} then x.own else {_SHOWN} end"
_STEP = f"""
named_struct(
  'tier', case when x.is_month_end then {_DECIDED} else {_SHOWN} end,
  'below', case when not x.is_month_end then a.below when {_BELOW} >= {FALLS_AFTER} then 0 else {_BELOW} end,
  'last', x.day,
  'shown', concat(a.shown, array(named_struct('as_of_date', x.day, 'position', {_SHOWN}, 'own', x.own, 'is_wanted', x.is_wanted))))
"""
_START = """
named_struct('tier', cast(null as int), 'below', 0, 'last', cast(null as date),
  'shown', cast(array() as array<struct<as_of_date: date, position: int, own: int, is_wanted: boolean>>))
"""


def assign(history: DataFrame) -> DataFrame:
    """Grain: customer_key × as_of_date marked `is_wanted`; columns of features.segment_daily.

    history: customer_key, as_of_date, the assets, is_wanted, and `stored`: the segment shown on an earlier date, or null.
    It holds the wanted dates and the month-ends before each of them, three at least where there are so many.
    """
    stored = "case stored " + " ".join(f"when '{rule.name}' then {at}" for at, rule in enumerate(SCHEME.rules)) + " end"
    day = F.struct(
        F.col("as_of_date").alias("day"), F.expr(SCHEME.position).alias("own"), F.expr(f"case when not is_wanted then {stored} end").alias("stored"),
        (F.last_day("as_of_date") == F.col("as_of_date")).alias("is_month_end"), "is_wanted",
    )  # fmt: skip
    days = history.groupBy("customer_key").agg(F.array_sort(F.collect_list(day)).alias("days"))
    shown = days.select("customer_key", F.expr(f"inline(aggregate(days, {_START}, (a, x) -> {_STEP}).shown)")).where("is_wanted")
    return segments(shown.withColumn("because", F.expr(_because())), SCHEME)


def _because() -> str:
    own = SCHEME.named("own", "because")
    return f"case when own > position then '{KEPT_UP}' when own < position then '{KEPT_DOWN}' else {own} end"
