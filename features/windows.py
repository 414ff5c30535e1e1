"""Day tiles and contracts × as-of dates → measures: all windows of a source in one pass, for one date or for many.

Customers' own tiles go to the kernel, all sources together. Contracts and states are few: a row meets every as-of date
that sees it and is aggregated. Frames come in owned (features.spine.owned), so that a merged customer's facts count for
the right one on each date.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial, reduce
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from features import seen, stream
from features.spec import columns_of
from features.spine import owned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from features.spec import FeatureGroup, Source, Wanted

    # Measures by customer and as-of date, and which they are: one frame per way of taking them.
    Measured: TypeAlias = list[tuple[DataFrame, Sequence[Wanted]]]

KEYS = ("customer_key", "as_of_date")
EPOCH = date(1970, 1, 1)


def measures(seen_: DataFrame, wanted: Sequence[Wanted]) -> DataFrame:
    """Grain: customer_key × as_of_date with rows in `seen_`; one column per wanted measure."""
    return seen.run(f"select * from {seen.measures('{seen}', wanted)}", seen=seen_)


def swept(tiles: Mapping[Source, DataFrame], wanted: Sequence[Wanted], dates: Sequence[date], owners: DataFrame | None = None) -> DataFrame:
    """Grain: owner × as_of_date that sees a tile; one column per wanted measure. One shuffle and one sort for all sources.

    Raises OverflowError (in a task) for a value whose sum could be no 64-bit integer.
    """
    as_of = stream.Everybody(np.array(sorted({(day - EPOCH).days for day in dates}), dtype=np.int64))
    asked = [stream.asked_of(source, wanted) for source in tiles]
    parts = (
        seen.run(
            f"select * from {seen.tile_rows('{tiles}', one, position, first=min(dates))}",
            tiles=owned(tiles[one.source].where(_looked_at(one, dates)), owners),
        )
        for position, one in enumerate(asked)
    )
    rows = reduce(lambda left, right: left.unionAll(right), parts)
    grouped = rows.repartition("customer_key").sortWithinPartitions("customer_key")
    names = [item.column for one in asked for item in one.wanted]
    schema = ", ".join(["customer_key bigint", "as_of_date date", *(f"{name} bigint" for name in names)])
    return grouped.mapInArrow(partial(stream.measured, asked=asked, as_of=as_of), schema)


def _looked_at(asked: stream.Asked, dates: Sequence[date]) -> str:
    """SQL for the days that an as-of date sees: tiles may be there of many more."""
    reached = "" if asked.reach is None else f" and business_date > date'{min(dates) - timedelta(days=asked.reach)}'"
    return f"business_date <= date'{max(dates)}'{reached}"


def credit_steps(tiles: DataFrame, owners: DataFrame | None = None) -> DataFrame:
    """Grain: credit contract × day of change [since, until) × ownership; the state that held, and the dpd before it."""
    return owned(seen.run(f"select * from {seen.credit_steps('{tiles}')}", tiles=tiles), owners)


def seen_steps(steps: DataFrame, dates: DataFrame) -> DataFrame:
    """Grain: step × as_of_date that sees it; the step covers the ages low..high, in days before the as-of date."""
    return seen.run(f"select * from {seen.seen_steps('{steps}', '{dates}')}", steps=steps, dates=dates)


def seen_holdings(
    parties: DataFrame, accounts: DataFrame, products: DataFrame, dates: DataFrame, owners: DataFrame | None = None
) -> DataFrame:
    """Grain: account × as_of_date, with its primary owner on the date (on its last day, if closed)."""
    text = seen.seen_holdings("{parties}", "{accounts}", "{products}", "{dates}")
    return seen.run(f"select * from {text}", parties=owned(parties, owners), accounts=accounts, products=products, dates=dates)


def seen_plans(plans: DataFrame, dates: DataFrame, owners: DataFrame | None = None) -> DataFrame:
    """Grain: plan × as_of_date. plans: current images of core.deposit_plan."""
    return seen.run(f"select * from {seen.seen_plans('{plans}', '{dates}')}", plans=owned(plans, owners), dates=dates)


def with_measures(frame: DataFrame, measured: Measured) -> DataFrame:
    """`frame` (customer_key × as_of_date) with measures; a customer without rows gets what each of them means empty."""
    # The widest last: what is joined first is copied by every join that follows.
    for measures_, _ in sorted(measured, key=lambda one: len(one[1])):
        frame = frame.join(measures_, on=list(KEYS), how="left")
    told = {item.column: item for _, wanted in measured for item in wanted}
    # As text: a column made by calls costs twenty messages to the JVM, and there are hundreds.
    return frame.selectExpr(*(seen.filled(told[name]) if name in told else name for name in frame.columns))


def assemble(spine: DataFrame, measured: Measured, groups: Sequence[FeatureGroup]) -> DataFrame:
    """Grain: the spine's, customer_key × as_of_date; every feature of the groups by its name in a wide row (features.spec.columns_of).

    measured: per source its measures and what they are.
    """
    wide = with_measures(spine, measured)
    return wide.selectExpr(*KEYS, *(seen.finished(name, feature) for name, (_, feature) in columns_of(groups).items()))
