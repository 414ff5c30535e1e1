"""Months of a source of events: what is taken of everything that ever happened, without reading it.

A month tile holds what the days of a calendar month come to, and counts from the first day after it: as of a date, everything is the months
before the date's own, and this month's days. So a life to date is two measures, one over the months' source and one over `Span.MTD`
(features.seen.filled adds them up), and no window, state or stream knows of months.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import seen
from features.operations import Merge, Operation, Span
from features.spec import Kind, Measure, Source, TileColumn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OF_DAY = "shiftleft(1L, cast(dayofmonth(business_date) - 1 as int))"


def months_of(source: Source, text: str) -> Source:
    """The months of a source, with the partials that SQL asks for by life to date; without measures where it asks for none."""
    asked = [measure for measure in source.measures if source.tells(measure, Span.LTD) and Span.LTD in source.windows_of(measure, text)]
    return Source(
        name=f"{source.name}_month", title=source.title, title_zh=source.title_zh, kind=Kind.EVENTS, reads=source.reads, is_stored=True, days=source,
        columns=tuple(_partial(measure) for measure in asked), measures=tuple(_over_months(measure) for measure in asked),
    )  # fmt: skip


def _partial(measure: Measure) -> TileColumn:
    name, column = measure.name, measure.column
    if measure.operation is Operation.DAYS:
        # Not their number: customers that merge may have had the same ones.
        of_day = f"case when `{column}` > 0 then {_OF_DAY} end"
        return TileColumn(
            name=name, sql=of_day, merge=Merge.BITS, bits=31, description=f"Bit set of the days on which {column} is positive"
        )
    if measure.operation is Operation.MAX:
        return TileColumn(name=name, sql=f"`{column}`", merge=Merge.MAX, description=f"Greatest {column}")
    return TileColumn(name=name, sql=f"`{column}`", description=f"Sum of {column}")


def _over_months(measure: Measure) -> Measure:
    operation = Operation.MEMBERS if measure.operation is Operation.DAYS else measure.operation
    return Measure(name=measure.name, operation=operation, column=measure.name, empty=measure.empty)


def month_tiles(day_tiles: DataFrame, months: Source) -> DataFrame:
    """Grain: customer_key × month; business_date is the first day after it. day_tiles: of the months' source of days, whole months."""
    dated = "(select t.*, date_add(last_day(business_date), 1) as counts_from from {tiles} t)"
    partials = ", ".join(f"cast({column.partial} as bigint) as `{column.name}`" for column in months.columns)
    text = f"select customer_key, counts_from as business_date, {partials} from {dated} group by customer_key, counts_from"
    return seen.run(text, tiles=day_tiles)
