"""Day tiles and contracts × as-of dates → measures: all windows of a source in one pass, for one date or for many.

Customers' own tiles go to the kernel, all sources together. Contracts and states are few: a row meets every as-of date
that sees it and is aggregated. Frames come in owned (features.spine.owned), so that a merged customer's facts count for
the right one on each date.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial, reduce
from typing import TYPE_CHECKING, TypeAlias

from pyspark.sql import Window
from pyspark.sql import functions as F

from features import stream
from features.kernel import NOTHING
from features.spec import LONGEST_WINDOW, Empty, Merge
from features.spine import is_owned_on, is_valid_on, owned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from features.spec import FeatureGroup, Source, TileColumn, Wanted

    # Measures by customer and as-of date, and which they are: one frame per way of taking them.
    Measured: TypeAlias = list[tuple[DataFrame, Sequence[Wanted]]]

KEYS = ("customer_key", "as_of_date")
EPOCH = date(1970, 1, 1)
# Most measures look back so far and no further.
NEAR_DAYS = 90


def measures(seen: DataFrame, wanted: Sequence[Wanted]) -> DataFrame:
    """Grain: customer_key × as_of_date with rows in `seen`; one column per wanted measure."""
    return seen.groupBy(*KEYS).agg(*(F.expr(f"{item.aggregate} as {item.column}") for item in wanted))


def swept(tiles: Mapping[Source, DataFrame], wanted: Sequence[Wanted], dates: Sequence[date], owners: DataFrame | None = None) -> DataFrame:
    """Grain: owner × as_of_date that sees a tile; one column per wanted measure. One shuffle and one sort for all sources.

    Raises OverflowError (in a task) for a value whose sum could be no 64-bit integer.
    """
    asked = [_asked(source, wanted) for source in tiles]
    near = min(dates) - timedelta(days=NEAR_DAYS)
    rows = reduce(lambda left, right: left.unionAll(right), (_rows(tiles[one.source], one, n, owners, near) for n, one in enumerate(asked)))
    grouped = rows.repartition("customer_key").sortWithinPartitions(*rows.columns[:5])
    names = [item.column for one in asked for item in one.wanted]
    schema = ", ".join(["customer_key bigint", "as_of_date date", *(f"{name} bigint" for name in names)])
    as_of = [(day - EPOCH).days for day in dates]
    return grouped.mapInArrow(partial(stream.measured, asked=asked, as_of=as_of), schema)


def _asked(source: Source, wanted: Sequence[Wanted]) -> stream.Asked:
    mine = tuple(item for item in wanted if item.source is source)
    needed = {column.name: False for column in source.columns if any(column in item.tile_columns for item in mine)}
    for item in mine:
        needed |= {column.name: True for column in item.tile_columns if item.reach is None or item.reach > NEAR_DAYS}
    return stream.Asked(
        source=source, columns=tuple(sorted(needed, key=lambda name: not needed[name])), far=sum(needed.values()), wanted=mine
    )


def _rows(tiles: DataFrame, asked: stream.Asked, position: int, owners: DataFrame | None, near: date) -> DataFrame:
    """Grain: tile × ownership; columns of stream.ROW_DDL. The kernel adds up what merged customers have on one day.

    Tiles up to `near` carry the columns that are asked for further back only: of a year's tiles that is most of the bytes.
    """
    by_name = {column.name: tile_value(column) for column in asked.source.columns}
    known = [by_name[name] for name in asked.columns]
    tile = f"array({', '.join(known)})"
    if asked.far < len(known):
        far = f"cast(array({', '.join(known[: asked.far])}) as array<bigint>)"
        tile = f"case when business_date > date '{near}' then {tile} else {far} end"
    return owned(tiles.where("customer_key is not null"), owners).selectExpr(
        "customer_key",
        f"coalesce(unix_date(owned_from), {stream.FIRST_DAY}) as owned_from",
        f"coalesce(unix_date(owned_to), {stream.LAST_DAY}) as owned_to",
        f"{position} as source",
        "unix_date(business_date) as day",
        f"{tile} as tile",
    )


def tile_value(column: TileColumn) -> str:
    return f"coalesce({column.name}, {f'{NOTHING + 1}L - 1L' if column.merge is Merge.MAX else '0L'})"


def credit_steps(tiles: DataFrame, owners: DataFrame | None = None) -> DataFrame:
    """Grain: credit contract × day of change [since, until) × ownership; the state that held, and the dpd before it."""
    by_contract = Window.partitionBy("credit_account_id").orderBy("business_date")
    steps = tiles.withColumns(
        {
            "since": F.col("business_date"),
            "until": F.lead("business_date").over(by_contract),
            "dpd_before": F.lag("dpd").over(by_contract),
        }
    )
    return owned(steps, owners)


def seen_steps(steps: DataFrame, dates: DataFrame) -> DataFrame:
    """Grain: step × as_of_date that sees it; the step covers the ages low..high, in days before the as-of date."""
    in_reach = (F.col("since") <= F.col("as_of_date")) & (
        F.col("until").isNull() | (F.col("until") > F.date_sub("as_of_date", LONGEST_WINDOW))
    )
    return steps.join(F.broadcast(dates), on=in_reach & is_owned_on(), how="inner").withColumns(
        {
            "high": F.datediff("as_of_date", "since"),
            "low": F.greatest(F.lit(0), F.coalesce(F.datediff("as_of_date", "until") + 1, F.lit(0))),
        }
    )


def seen_holdings(
    parties: DataFrame, accounts: DataFrame, products: DataFrame, dates: DataFrame, owners: DataFrame | None = None
) -> DataFrame:
    """Grain: account × as_of_date, with its primary owner on the date (on its last day, if closed).

    parties, accounts, products: images of core.account_party, core.account, core.product.
    """
    mine = owned(parties.where("role = 'owner'"), owners).select(
        "account_key", "customer_key", "held_from", "held_to", "owned_from", "owned_to", *_VALID
    )
    held = mine.join(F.broadcast(dates), on=is_valid_on() & is_owned_on() & (F.col("held_from") <= F.col("as_of_date")), how="inner").drop(
        *_VALID
    )
    images = accounts.select(
        "account_key", "product_code", "currency", "opened_on", "closed_on", "matures_on", "opening_channel", "status", *_VALID
    )
    of_day = held.join(images, on="account_key", how="inner").where(is_valid_on()).drop(*_VALID)
    families = F.broadcast(products.select(F.col("product_code").alias("family_code"), "family", *_VALID))
    known = of_day.join(families, on=(F.col("product_code") == F.col("family_code")) & is_valid_on(), how="left")
    until = F.least(F.col("as_of_date"), F.coalesce("closed_on", "as_of_date"))
    return _aged(known.where(F.col("held_to").isNull() | (F.col("held_to") >= until)), "opened_on", F.col("status") != "closed")


def seen_plans(plans: DataFrame, dates: DataFrame, owners: DataFrame | None = None) -> DataFrame:
    """Grain: plan × as_of_date. plans: current images of core.deposit_plan."""
    started = F.col("started_on") <= F.col("as_of_date")
    seen = owned(plans, owners).join(F.broadcast(dates), on=started & is_owned_on(), how="inner")
    return _aged(seen, "started_on", F.lit(True))


_VALID = ("valid_from", "valid_to")


def _aged(frame: DataFrame, opened: str, is_running: Column) -> DataFrame:
    """With age, closed_age, matures_in in days and is_open; what opens or closes after the as-of date is not seen."""
    ended = F.col("closed_on") <= F.col("as_of_date")
    return frame.where(F.col(opened) <= F.col("as_of_date")).withColumns(
        {
            "age": F.datediff("as_of_date", opened),
            "closed_age": F.when(ended, F.datediff("as_of_date", "closed_on")),
            "matures_in": F.datediff("matures_on", "as_of_date"),
            "is_open": is_running & ~F.coalesce(ended, F.lit(False)),
        }
    )


def with_measures(frame: DataFrame, measured: Measured) -> DataFrame:
    """`frame` (customer_key × as_of_date) with measures; a customer without rows gets what each of them means empty."""
    for measures_, _ in measured:
        frame = frame.join(measures_, on=list(KEYS), how="left")
    zero = {item.column for _, wanted in measured for item in wanted if item.measure.empty is Empty.ZERO}
    # As text: a column made by calls costs twenty messages to the JVM, and there are hundreds.
    return frame.selectExpr(*(f"coalesce({name}, 0) as {name}" if name in zero else name for name in frame.columns))


def assemble(spine: DataFrame, measured: Measured, groups: Sequence[FeatureGroup]) -> DataFrame:
    """Grain: the spine's, customer_key × as_of_date; every feature of the groups by its full name.

    measured: per source its measures and what they are.
    """
    wide = with_measures(spine, measured)
    return wide.selectExpr(*KEYS, *(f"cast({f.sql} as {f.type}) as {group.full_name(f)}" for group in groups for f in group.features))
