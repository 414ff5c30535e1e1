"""States and day tiles as frames → measures as of a later date, and the states of that date. One shuffle, one sort, one pass."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from functools import partial, reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from expectations.contracts.types import Column, Sensitivity, Table, Write
from features import stream as rows_of
from features.seen import tile_value
from features.spine import owned, with_relatives
from features.states import stream
from features.states.layout import layout_of
from features.windows import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from features.spec import Source, Wanted
    from features.states.layout import Layout

# Beyond so many borders a column is of those of which the rows of most days are read; all others have a border for each window.
FEW_BORDERS = 8


def state_table(sources: Sequence[Source]) -> Table:
    """Contract of the stored states: of the last as-of dates only, and nothing to be read by people."""
    return Table(
        layer="features", name="window_state", title="Window states", title_zh="窗口状态", grain="customer × as_of_date",
        key=("customer_key", "as_of_date"), write=Write.REPLACE, date="as_of_date", partition_by=("month",),
        columns=(
            Column(name="customer_key", type="bigint", description="Customer", nullable=False, sensitivity=Sensitivity.C2),
            Column(name="as_of_date", type="date", description="Everything up to this business date is in the state", nullable=False),
            *(
                Column(name=stream.state_column(source.name), type="binary", sensitivity=Sensitivity.C2,
                       description=f"Window state of {source.title} (features/states); empty: nothing in any window")
                for source in sources
            ),
        ),
    )  # fmt: skip


def rolled(
    states: DataFrame | None, tiles: Mapping[Source, DataFrame], wanted: Sequence[Wanted], *,
    since: date | None, as_of: date, anew: DataFrame | None = None, owners: DataFrame | None = None,
) -> DataFrame:  # fmt: skip
    """Grain: customer_key × as_of_date of whom a row or a state is there; the wanted measures, and a state per source.

    states: as of `since`, None: of nobody. anew: customer_key whose states are made of all the tiles that they see; nobody where None.
    Raises OverflowError (in a task) for a value whose sum could be no 64-bit integer.
    """
    layouts = [layout_of(source, wanted) for source in tiles]
    found = []
    for position, layout in enumerate(layouts):
        mine = owned(tiles[layout.source].where("customer_key is not null"), owners).where(is_owned_on_day(as_of))
        seen = mine.where(_seen(mine, layout, as_of))
        if states is None or since is None:
            found.append(_rows(seen, layout, position))
            continue
        few, light = _light(layout, since, as_of)
        passing = mine.where(_within(mine, _passing(layout, since, as_of)))
        found.append(_rows(passing if anew is None else _without(passing, anew), layout, position, few=few, light=light))
        if anew is not None:
            found.append(_rows(seen.join(F.broadcast(anew), on="customer_key", how="left_semi"), layout, position))
    if states is not None and since is not None:
        found.append(_of_states(states if anew is None else _without(states, anew), layouts, since))
    rows = reduce(lambda left, right: left.unionAll(right), found)
    schema = ", ".join(
        ["customer_key bigint", *(f"{item.column} bigint" for layout in layouts for item in layout.wanted)]
        + [f"{stream.state_column(layout.source.name)} binary" for layout in layouts]
    )
    days = (None if states is None or since is None else (since - EPOCH).days, (as_of - EPOCH).days)
    made = (
        rows.repartition("customer_key").sortWithinPartitions("customer_key")
        .mapInArrow(partial(stream.rolled, layouts=layouts, since=days[0], as_of=days[1]), schema)
    )  # fmt: skip
    return made.withColumn("as_of_date", F.lit(as_of))


def is_owned_on_day(day: date) -> str:
    return f"coalesce(owned_from <= date'{day}', true) and coalesce(owned_to > date'{day}', true)"


def changed_hands(owners: DataFrame | None, since: date, as_of: date) -> DataFrame | None:
    """Grain: customer_key, whose facts count for somebody else since a date, and for whom; None where nobody has merged."""
    if owners is None:
        return None
    pairs = owners.where(f"owned_from > date'{since}' and owned_from <= date'{as_of}'")
    keys = pairs.select(F.explode(F.array("merged_key", "owner_key")).alias("customer_key")).distinct()
    return with_relatives(keys, owners)


def _without(frame: DataFrame, customers: DataFrame) -> DataFrame:
    return frame.join(F.broadcast(customers), on="customer_key", how="left_anti")


def _within(frame: DataFrame, spans: Sequence[tuple[date, date]]) -> str:
    """SQL for days within the spans, partitions pruned where the frame has them."""
    days = " or ".join(f"business_date between date'{first}' and date'{last}'" for first, last in spans)
    if "month" not in frame.columns:
        return days
    months = {100 * day.year + day.month for first, last in spans for day in _days(first, last)}
    return f"month in ({', '.join(map(str, sorted(months)))}) and ({days})"


def _seen(frame: DataFrame, layout: Layout, as_of: date) -> str:
    """SQL for the days that a state as of a date, and those rolled from it, are made of: of levels and months all, however far the frame reaches."""
    reach = rows_of.asked_of(layout.source, layout.wanted).reach
    return "true" if reach is None else _within(frame, [(as_of - timedelta(days=reach - 1), as_of)])


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=nth) for nth in range((last - first).days + 1)]


def _passing(layout: Layout, since: date, as_of: date) -> list[tuple[date, date]]:
    days = [
        (EPOCH + timedelta(days=first), EPOCH + timedelta(days=last))
        for first, last in layout.passing((since - EPOCH).days, (as_of - EPOCH).days)
    ]
    merged: list[tuple[date, date]] = []
    for first, last in sorted(days):
        if merged and first <= merged[-1][1] + timedelta(days=1):
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _light(layout: Layout, since: date, as_of: date) -> tuple[int, list[date]]:
    """How many of the layout's columns have many borders, and the days whose rows are read for their sake alone."""
    few = sum(len(layout.borders(column)) > FEW_BORDERS for column in layout.columns)
    passing: dict[bool, set[date]] = defaultdict(set)
    for nth, column in enumerate(layout.columns):
        for border in layout.borders(column):
            passing[nth < few] |= {as_of - timedelta(days=border + back) for back in range((as_of - since).days)}
    return few, sorted(passing[True] - passing[False])


def _rows(tiles: DataFrame, layout: Layout, position: int, *, few: int = 0, light: Sequence[date] = ()) -> DataFrame:
    """Grain: tile; columns of features.stream.ROW_DDL, and no `state`. The rows of `light` days hold the first `few` columns only."""
    by_name = {column.name: tile_value(column) for column in layout.source.columns}
    columns = [by_name[name] for name in layout.columns]
    tile = f"array({', '.join(columns)})"
    if light:
        days = ", ".join(f"date'{day}'" for day in light)
        tile = f"case when business_date in ({days}) then cast(array({', '.join(columns[:few])}) as array<bigint>) else {tile} end"
    return tiles.selectExpr(
        "customer_key", f"{rows_of.FIRST_DAY} as owned_from", f"{rows_of.LAST_DAY} as owned_to", f"{position} as source",
        "unix_date(business_date) as day", f"{tile} as tile", "cast(null as binary) as state",
    )  # fmt: skip


def _of_states(states: DataFrame, layouts: Sequence[Layout], since: date) -> DataFrame:
    """Grain: customer × source with a state; columns as those of tiles, without a `tile`."""
    pairs = ", ".join(f"{len(layouts) + nth}, {stream.state_column(layout.source.name)}" for nth, layout in enumerate(layouts))
    stacked = states.selectExpr("customer_key", f"stack({len(layouts)}, {pairs}) as (source, state)").where("length(state) > 0")
    day = (since - EPOCH).days
    return stacked.selectExpr(
        "customer_key",
        f"{rows_of.FIRST_DAY} as owned_from",
        f"{rows_of.LAST_DAY} as owned_to",
        "source",
        f"{day} as day",
        "cast(null as array<bigint>) as tile",
        "state",
    )
