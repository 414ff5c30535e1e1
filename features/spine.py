"""Who, as of when: one row per open customer and as-of date, and whose facts count for whom after customers merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features import seen

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# Whom a customer lives with: alone where no household is known.
HOME = "coalesce(household_key, customer_key)"
OWNERSHIP_DDL = "merged_key bigint, owner_key bigint, owned_from date, owned_to date"


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A customer whose history the survivor owns from a day on."""

    customer_key: int
    survivor_key: int
    merged_on: date


@dataclass(frozen=True, kw_only=True)
class Owned:
    """For as-of dates in [owned_from, owned_to) the facts of merged_key count for owner_key."""

    merged_key: int
    owner_key: int
    owned_from: date | None
    owned_to: date | None


def ownership(merges: Sequence[Merged]) -> list[Owned]:
    """Who owns whose facts, for the keys that a merge concerns; chains are followed.

    All keys of one owner are cut at the same dates, so that partials of one (owner, day, owned_from) belong together.
    """
    lines = [line for key in sorted(_keys(merges)) for line in _owners_of(key, merges)]
    cuts: dict[int, set[date]] = {}
    for line in lines:
        cuts.setdefault(line.owner_key, set()).update(day for day in (line.owned_from, line.owned_to) if day)
    return [piece for line in lines for piece in _cut(line, sorted(cuts[line.owner_key]))]


def _keys(merges: Iterable[Merged]) -> set[int]:
    return {key for merge in merges for key in (merge.customer_key, merge.survivor_key)}


def _owners_of(key: int, merges: Sequence[Merged]) -> list[Owned]:
    by_key = {merge.customer_key: merge for merge in merges}
    lines: list[Owned] = []
    owner, since, seen = key, None, {key}
    while (merge := by_key.get(owner)) and merge.survivor_key not in seen:
        day = max(merge.merged_on, since) if since else merge.merged_on
        if day != since:
            lines.append(Owned(merged_key=key, owner_key=owner, owned_from=since, owned_to=day))
        owner, since = merge.survivor_key, day
        seen.add(owner)
    return [*lines, Owned(merged_key=key, owner_key=owner, owned_from=since, owned_to=None)]


def _cut(line: Owned, days: Sequence[date]) -> list[Owned]:
    inside = [day for day in days if (line.owned_from is None or day > line.owned_from) and (line.owned_to is None or day < line.owned_to)]
    starts, ends = [line.owned_from, *inside], [*inside, line.owned_to]
    return [
        Owned(merged_key=line.merged_key, owner_key=line.owner_key, owned_from=start, owned_to=end)
        for start, end in zip(starts, ends, strict=True)
    ]


def ownership_frame(spark: SparkSession, merges: Sequence[Merged]) -> DataFrame | None:
    """Grain: merged key × [owned_from, owned_to). None where no customers merged, which spares every plan the join."""
    rows = [(line.merged_key, line.owner_key, line.owned_from, line.owned_to) for line in ownership(merges)]
    return spark.createDataFrame(rows, OWNERSHIP_DDL) if rows else None


def with_relatives(customers: DataFrame, owners: DataFrame | None) -> DataFrame:
    """Grain: customer_key, those given, whoever owns their facts at some time, and all whose facts these own."""
    if owners is None:
        return customers
    pairs = F.broadcast(owners.select("merged_key", "owner_key"))
    up = customers.unionAll(customers.join(pairs, on=F.col("customer_key") == F.col("merged_key"), how="inner").select("owner_key"))
    down = up.join(pairs, on=F.col("customer_key") == F.col("owner_key"), how="inner").select("merged_key")
    return up.unionAll(down).distinct()


def with_households(customers: DataFrame, known: DataFrame) -> DataFrame:
    """Grain: customer_key, those given and whoever, as some image tells, shares a household with one. known: images of core.customer."""
    homes = known.join(F.broadcast(customers), on="customer_key", how="left_semi").select(F.expr(HOME).alias("home")).distinct()
    mates = known.join(F.broadcast(homes), on=F.expr(HOME) == F.col("home"), how="left_semi").select("customer_key")
    return customers.unionAll(mates).distinct()


def owned(frame: DataFrame, owners: DataFrame | None) -> DataFrame:
    """`frame` with customer_key its owner, valid for as-of dates in [owned_from, owned_to), see features.seen."""
    return seen.run(f"select * from {seen.owned('{frame}', _name(owners))}", **_given(frame=frame, owners=owners))


def is_owned_on(as_of: str = "as_of_date") -> Column:
    """Whether the row's owner owns it on the as-of date."""
    since, until = F.col("owned_from"), F.col("owned_to")
    return (since.isNull() | (since <= F.col(as_of))) & (until.isNull() | (until > F.col(as_of)))


def dates_frame(spark: SparkSession, dates: Iterable[date]) -> DataFrame:
    """Grain: as_of_date."""
    return spark.createDataFrame([(day,) for day in sorted(set(dates))], "as_of_date date")


def spine(customers: DataFrame, dates: DataFrame, owners: DataFrame | None = None) -> DataFrame:
    """Grain: customer_key × as_of_date, every customer open on the date, with `customer_<attribute>` columns, see features.seen."""
    text = seen.spine("{customers}", "{dates}", _name(owners))
    return seen.run(f"select * from {text}", **_given(customers=customers, dates=dates, owners=owners))


def still_themselves(customers: DataFrame, owners: DataFrame | None) -> DataFrame:
    """Those rows of customer_key × as_of_date whose customer has not been merged into another one by then."""
    return seen.run(f"select * from {seen.themselves('{customers}', _name(owners))}", **_given(customers=customers, owners=owners))


def _name(owners: DataFrame | None) -> str | None:
    return None if owners is None else "{owners}"


def _given(**frames: DataFrame | None) -> dict[str, DataFrame]:
    return {name: frame for name, frame in frames.items() if frame is not None}
