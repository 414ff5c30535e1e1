"""What a run's revisions changed, for its report: of which dates so many rows, of which features by how much. No JVM."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.serving import lake, published
from jobs.serving.published import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from conf.settings import Settings
    from features.spec import FeatureGroup
    from jobs.tables import Written

# The last dates of a group that are told one by one.
DATES_TOLD = 40


def told(settings: Settings, groups: Sequence[FeatureGroup], written: Sequence[Written], *, known_since: datetime) -> dict[str, Any]:
    """By table whose published rows were revised or withdrawn: how many `dates`, rows together and `by_date`, and what changed, by feature.

    features: rows, those whose value came or went, mean and largest absolute change (null for names), and `filled` (as FeatureStore.revisions).
    """
    first: dict[str, date] = {}
    for item in written:
        if item.updated or item.removed:
            day = date.fromisoformat(item.first_date)
            first[item.table] = min(day, first.get(item.table, day))
    return {
        group.table.full_name: _of(settings, group, Asked(first=first[group.table.full_name], known_since=known_since))
        for group in groups if group.table.full_name in first
    }  # fmt: skip


def _of(settings: Settings, group: FeatureGroup, asked: Asked) -> dict[str, Any]:
    stored = lake.relation(settings, group.table, ["as_of_date", *published.TECHNICAL], first=asked.first)
    rows = (
        "select as_of_date, count(*) filter (row_hash is not null) as revised, count(*) filter (row_hash is null) as withdrawn "
        f"from {stored} where revision > 0 and {asked.conditions} group by as_of_date order by as_of_date"
    )
    # A mean over dates is one over rows: those that came or went have no change.
    changed = "sum(rows - came_or_went)"
    features = (
        "select feature, cast(sum(rows) as bigint) as rows, cast(sum(came_or_went) as bigint) as came_or_went, cast(sum(filled) as bigint) as filled, "
        f"sum(mean_change * (rows - came_or_went)) / nullif({changed}, 0) as mean_change, max(largest_change) as largest_change "
        f"from {published.changes(settings, group, [group.full_name(one) for one in group.features], asked)} group by feature order by feature"
    )
    with lake.connect() as connection:
        by_date = {str(row.pop("as_of_date")): row for row in connection.sql(rows).to_arrow_table().to_pylist()}
        by_feature = {row.pop("feature"): row for row in connection.sql(features).to_arrow_table().to_pylist()}
    together = {name: sum(row[name] for row in by_date.values()) for name in ("revised", "withdrawn")}
    return {"dates": len(by_date), **together, "by_date": dict([*by_date.items()][-DATES_TOLD:]), "features": by_feature}
