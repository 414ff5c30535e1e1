"""`kequn features compare`: two versions of a group beside each other, by DuckDB. What changed, for how many, by how much."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from features import catalogue
from jobs import runner
from jobs.build import versions
from jobs.build.wide import KEYS
from jobs.context import parse_date
from jobs.errors import InputNotReadyError, UsageError
from jobs.serving import lake, published
from jobs.serving.drawn import Drawn
from jobs.serving.published import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from conf.settings import Settings
    from features.spec import Feature, FeatureGroup

HEAD = ("date", "feature", "customers", "changed", "came or went", "mean change", "largest change")


def command(names: Sequence[str], *, since: str | None, until: str | None) -> int:
    """Print the report of one group (its two versions) or of two versions. Raises UsageError, InputNotReadyError."""
    old, new = _two(names)
    settings = runner.load_settings()
    first, last = (parse_date(day) if day else None for day in (since, until))
    sys.stdout.write("\n".join(_told(old, new, settings, first, last)) + "\n")
    return 0


def _two(names: Sequence[str]) -> tuple[FeatureGroup, FeatureGroup]:
    """The older version first."""
    match names:
        case [name] if name in {group.name for group in catalogue.GROUPS}:
            found = [group for group in catalogue.versions() if group.name == name]
        case _:
            found = [versions.named(name) for name in names]
    if len(found) != 2 or len({group.name for group in found}) != 1:
        raise UsageError(f"{[group.version_name for group in found]} are not two versions of one group; name two, such as NAME_v1 NAME_v2")
    old, new = sorted(found, key=lambda group: group.version)
    return old, new


def compared(settings: Settings, old: FeatureGroup, new: FeatureGroup, dates: Sequence[date]) -> Drawn:
    """Grain: as_of_date × feature of both versions, in that order; newest revisions.

    customers that both know, changed ones among them, of these those whose value came or went; mean and largest absolute change (null for
    names); only_old, only_new: customers that one version knows alone.
    """
    common = _common(old, new)
    asked = Asked(first=min(dates), last=max(dates))
    names = list(common)
    before, now = (published.rows(settings, group, names, asked) for group in (old, new))
    keys = ", ".join(KEYS)
    beside = ", ".join(f"o.{name} as before__{name}, n.{name}" for name in names)
    met = (
        f"select {keys}, o.revision__ is not null as was, n.revision__ is not null as is_there, {beside} "
        f"from (select *, 1 as revision__ from ({before})) o full join (select *, 1 as revision__ from ({now})) n using ({keys}) "
        f"where as_of_date in ({', '.join(f'date {str(day)!r}' for day in dates)})"
    )
    told = " union all ".join(_change(name, is_number=feature.type != "string") for name, feature in common.items())
    with lake.connect() as connection:
        sql = f"with met as materialized ({met}) select * from ({told}) order by as_of_date, feature"
        return Drawn(connection.sql(sql).to_arrow_table())


def _change(name: str, *, is_number: bool) -> str:
    differs = f"was and is_there and {name} is distinct from before__{name}"
    change = f"abs(cast({name} as double) - cast(before__{name} as double))" if is_number else "cast(null as double)"
    return (
        f"select as_of_date, '{name}' as feature, count_if(was and is_there) as customers, count_if({differs}) as changed, "
        f"count_if({differs} and ({name} is null or before__{name} is null)) as came_or_went, "
        f"avg({change}) filter (where {differs}) as mean_change, max({change}) filter (where {differs}) as largest_change, "
        "count_if(not is_there) as only_old, count_if(not was) as only_new from met group by as_of_date"
    )


def _common(old: FeatureGroup, new: FeatureGroup) -> dict[str, Feature]:
    """The features of both by full name; the older declaration."""
    newer = {feature.name for feature in new.features}
    return {old.full_name(feature): feature for feature in old.features if feature.name in newer}


def _told(old: FeatureGroup, new: FeatureGroup, settings: Settings, first: date | None, last: date | None) -> Iterator[str]:
    stored = [
        {day for day in published.stored_dates(settings, [group]) if (not first or day >= first) and (not last or day <= last)}
        for group in (old, new)
    ]
    both = sorted(set.intersection(*stored))
    if not both:
        raise InputNotReadyError(
            f"[{old.table.full_name}] and [{new.table.full_name}] hold no date in common; build the new one by "
            f"`kequn features --group {new.version_name} --from DATE --to DATE`"
        )
    yield f"{old.version_name} and {new.version_name} on {len(both)} dates from {both[0]} to {both[-1]}"
    for group, other, mine in ((old, new, stored[0] - stored[1]), (new, old, stored[1] - stored[0])):
        if mine:
            yield f"{len(mine)} dates are in {group.version_name} only, from {min(mine)} to {max(mine)}"
        alone = sorted({feature.name for feature in group.features} - {feature.name for feature in other.features})
        if alone:
            yield f"only in {group.version_name}: {', '.join(alone)}"
    yield from _rows(compared(settings, old, new, both).arrow.to_pylist(), old, new) if _common(old, new) else ()


def _rows(found: Sequence[dict[str, Any]], old: FeatureGroup, new: FeatureGroup) -> Iterator[str]:
    strangers = {row["as_of_date"]: (row["only_old"], row["only_new"]) for row in found}
    for day, (before, after) in strangers.items():
        if before or after:
            yield f"{day}: {before} customers in {old.version_name} only, {after} in {new.version_name} only"
    changed = [row for row in found if row["changed"]]
    if not changed:
        yield "no value differs"
        return
    lines = [HEAD, *(_cells(row) for row in changed)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        yield "  ".join(
            f"{cell:<{width}}" if n < 2 else f"{cell:>{width}}" for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
    same = {row["feature"] for row in found} - {row["feature"] for row in changed}
    yield f"equal everywhere: {len(same)} features"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    numbers = ("" if row[name] is None else f"{row[name]:.6g}" for name in ("mean_change", "largest_change"))
    return (str(row["as_of_date"]), row["feature"], *(str(row[name]) for name in ("customers", "changed", "came_or_went")), *numbers)
