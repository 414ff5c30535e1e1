"""Balances as day tiles of *changes*: integers that add up over accounts, customers and days.

A balance holds until the next one, so the level on a day is the running sum of the changes up to it, and a mean over
W days is the sum of level × days held, over W. Only products that count as assets are here; loans and cards are in
`credit`. `spread_milli` is the margin run-rate of features.margin. A term deposit is a level of its own in the last days
before it matures; how many terms have ended is a level that only rises, of which a window takes the difference.
"""

from __future__ import annotations

from features.measures import (
    area,
    days_below,
    highest,
    largest_fall,
    level,
    level_at_month_end,
    level_before,
    moments,
    month_ends_below,
    total,
)
from features.spec import Kind, Source, TileColumn

FAMILIES = ("demand", "term", "recurring", "wealth")

# Below this many minor units of the base currency an account counts as empty: 100 units.
NEARLY_EMPTY_MINOR = 10_000

# Lower limits of the asset tiers, units of the base currency (features.segments.asset_tier).
TIER_LIMITS = (500, 20_000, 500_000, 6_000_000)

LEVELS = ("aum", *FAMILIES, "spread_milli")

# How many days before the day itself a term deposit counts as maturing.
MATURING_DAYS = 30
TERMS = (
    ("maturing", f"Change of term deposits that mature within {MATURING_DAYS} days, minor units of the base currency"),
    ("term_matured", "Terms of term deposits that ended at maturity: rolled over or paid out"),
    ("term_rolled", "Terms of term deposits that ended at maturity and were rolled over"),
)

BALANCE = Source(
    name="balance", title="changes of balances", title_zh="余额变动", kind=Kind.STEPS, reads="core.balance_daily", is_stored=True,
    columns=(
        *(TileColumn(name=name, sql=name, description=f"Change of {name}, {'thousandths of ' if name.endswith('milli') else ''}minor units of the base currency")
          for name in LEVELS),
        *(TileColumn(name=name, sql=name, description=description) for name, description in TERMS),
    ),
    measures=(
        *(level(name) for name in LEVELS),
        level_before("aum", name="aum_before"),
        *(area(name, name=f"{name}_area") for name in LEVELS),
        highest("aum", name="highest_aum"),
        days_below("aum", NEARLY_EMPTY_MINOR, name="nearly_empty_days"),
        largest_fall("aum", name="largest_fall"),
        level_at_month_end("aum", name="aum_month_end"),
        *(month_ends_below("aum", 100 * limit, name=f"below_{limit}_month_ends") for limit in TIER_LIMITS),
        *moments("aum", per=100),
        level("maturing"),
        total("term_matured"),
        total("term_rolled"),
    ),
)  # fmt: skip
