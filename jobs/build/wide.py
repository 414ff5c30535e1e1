"""The wide row: features of several groups beside each other, newest revision, for one purpose."""

from __future__ import annotations

import difflib
from functools import reduce
from typing import TYPE_CHECKING, Any

from features import catalogue
from features.spec import columns_of
from jobs import tables
from jobs.build.dates import in_dates, month_of
from jobs.errors import InputNotReadyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from pyspark.sql import DataFrame

    from features.spec import FeatureGroup
    from jobs.context import JobContext

KEYS = ("customer_key", "as_of_date")


def permitted(purpose: str | None, groups: Sequence[FeatureGroup] | None = None) -> tuple[str, ...]:
    """Full names of the features that permit the purpose, in the catalogue's order; all without a purpose.

    groups: one version of each (catalogue.in_versions); the current ones, where nothing is said.
    """
    declared = catalogue.FEATURES if groups is None else columns_of(groups)
    return tuple(name for name, (_, feature) in declared.items() if purpose is None or purpose in feature.purposes)


def chosen(names: Sequence[str] | None, purpose: str | None, groups: Sequence[FeatureGroup] | None = None) -> tuple[str, ...]:
    """The features to read. Raises UsageError for unknown names (with the nearest) and for those the purpose may not see."""
    allowed = permitted(purpose, groups)
    if names is None:
        return allowed
    if not names:
        raise UsageError("No features are named; name some, or leave names out for all that are permitted")
    declared = catalogue.FEATURES if groups is None else columns_of(groups)
    unknown = [name for name in names if name not in declared]
    if unknown:
        known = [*declared, *dict.fromkeys(group.name for group, _ in declared.values())]
        near = {name: difflib.get_close_matches(name, known, n=3, cutoff=0.5) for name in unknown}
        raise UsageError(f"No features {unknown} in the catalogue; nearest: {near}")
    refused = [name for name in names if name not in allowed]
    if refused:
        raise UsageError(
            f"Features {refused} may not be read for [{purpose}]; they permit {[declared[name][1].purposes for name in refused]}"
        )
    return tuple(names)


def wide_features(
    context: JobContext, dates: Sequence[date], *, names: Sequence[str] | None = None, purpose: str | None = None,
    groups: Sequence[FeatureGroup] | None = None,
) -> DataFrame:  # fmt: skip
    """Grain: customer_key × as_of_date; columns customer_key, as_of_date, then the features by full name.

    groups: one version of each; the current ones, where nothing is said. Raises InputNotReadyError that lists the dates without features, UsageError for names that are unknown or not permitted.
    """
    wanted = chosen(names, purpose, groups)
    held = catalogue.groups_of(wanted, groups)
    parts = [newest(context, group, dates).select(*KEYS, *catalogue.names_of(group, wanted)) for group in held]
    _expect_dates(context, held, dates)
    return reduce(lambda left, right: left.join(right, on=list(KEYS), how="inner"), parts).select(*KEYS, *wanted)


def newest(context: JobContext, group: FeatureGroup, dates: Sequence[date]) -> DataFrame:
    """Grain: customer × as_of_date; the last revision of each, columns of the group's table.

    Dates not built are absent, and customers who turned out not to have been there.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    stored = tables.read(context, group.table).where(in_dates("as_of_date", dates))
    if not tables.may_be_revised(context.settings, group.table, min(dates), max(dates)):
        return stored
    last = Window.partitionBy(*KEYS).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return (
        stored.withColumn("last_revision", F.max("revision").over(last))
        .where("revision = last_revision and row_hash is not null")
        .drop("last_revision")
    )


def built_dates(context: JobContext, group: FeatureGroup, dates: Sequence[date]) -> set[date]:
    """Those of the dates for which the group holds rows; read without Spark."""
    return set(_stored(context, group, dates, "as_of_date"))


def known_at(context: JobContext, names: Sequence[str], dates: Sequence[date]) -> datetime:
    """When the newest revision of these features of these dates could be known; read without Spark.

    Asked for as known then, they are what `wide_features` gives now. Raises InputNotReadyError where the dates have none.
    """
    groups = {catalogue.group_of(name).name: catalogue.group_of(name) for name in names}.values()
    found: list[datetime] = [instant for group in groups for instant in _stored(context, group, dates, "known_at")]
    if not found:
        raise InputNotReadyError(f"No features of {[str(day) for day in dates]} are stored; run `kequn features` for these dates first")
    return max(found)


def _stored(context: JobContext, group: FeatureGroup, dates: Sequence[date], column: str) -> list[Any]:
    """Distinct values of a column of the group's table on the dates."""
    import pyarrow.dataset as ds

    opened = tables.log(context.settings, group.table)
    if opened is None:
        return []
    wanted = ds.field("month").isin(sorted({month_of(day) for day in dates})) & ds.field("as_of_date").isin(list(dates))
    found: list[Any] = opened.to_pyarrow_dataset().to_table(filter=wanted, columns=[column]).column(column).unique().to_pylist()
    return found


def _expect_dates(context: JobContext, groups: Sequence[FeatureGroup], dates: Sequence[date]) -> None:
    """The first group's rows tell, of the others the log: rows of dates that one lacks would be lost in the join."""
    lacking = {groups[0].table.full_name: set(dates) - built_dates(context, groups[0], dates)}
    lacking |= {group.table.full_name: tables.not_held(context.settings, group.table, dates) for group in groups[1:]}
    for table, missing in lacking.items():
        if missing:
            raise InputNotReadyError(
                f"[{table}] holds no features of {[str(day) for day in sorted(missing)]}; run `kequn features` for these dates first"
            )
