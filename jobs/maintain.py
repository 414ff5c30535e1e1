"""Weekly housekeeping: small files packed (OPTIMIZE), daily feature rows past their time dropped, unneeded files removed (VACUUM, and what killed runs staged).

Month-ends stay for good, and so do month tiles. Done again, it finds nothing to do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from conf import sources
from conf.settings import SettingsError
from expectations.contracts import core, features, mart, ops, scores
from expectations.contracts.quarantine import quarantine_table
from jobs import runner, staging, tables, upkeep
from jobs.context import JobReport
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from datetime import date

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from jobs.context import JobContext, Request

# Below a week a reader that began before the vacuum, or a writer that is not done, would lose its files.
VACUUM_HOURS_MIN = 168
# A night needs the window states of the one before; those of a few more are kept for nights that are run again.
STATE_DAYS = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    runner.add_date_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    return runner.execute(JOB, runner.request_of("maintain", arguments))


def feature_tables() -> tuple[Table, ...]:
    """The tables of the feature groups in all their versions, whose daily rows have a time."""
    from features.catalogue import versions

    return tuple(group.table for group in versions())


def retired_tables(settings: Settings) -> tuple[Table, ...]:
    """Those of versions that were retired, also where they are not declared any more: all their rows go."""
    from jobs.build import versions

    return tuple(versions.table_of(name) for name in sorted(versions.retired(settings)))


def made_from_core() -> tuple[Table, ...]:
    """Tiles of days and months, and window states: what can be made again at any time."""
    from features.catalogue import TILED, WINDOW_STATE

    return (*(source.table for source in TILED), WINDOW_STATE)


def every_table(settings: Settings) -> tuple[Table, ...]:
    """All tables of the house."""
    try:
        feeds = sources.load(settings.source.mapping).feeds
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    quarantines = [quarantine_table(name) for name in feeds]
    return (*core.TABLES, *quarantines, *features.TABLES, *feature_tables(), *made_from_core(), *scores.TABLES, *mart.TABLES, *ops.TABLES)


def vacuum_hours(settings: Settings, table: Table) -> int:
    """How old a file must be to go: as conf says, and never one that a contract's earlier versions need."""
    return max(settings.retention.vacuum_hours, 24 * (table.history_days or 0))


def due(settings: Settings, table: Table) -> dict[str, Any]:
    """What there is to do for a table, found without a JVM: crowded partitions and unneeded files; empty for nothing."""
    retention = settings.retention
    found = {
        "pack": upkeep.crowded(settings, table, files=retention.optimize_min_files),
        "vacuum": upkeep.unneeded(settings, table, hours=vacuum_hours(settings, table)),
    }
    return {name: what for name, what in found.items() if what}


def _stands_on(_: Settings, request: Request) -> str:
    """A week's housekeeping is done once, however the tables have changed since."""
    return str(request.until)


def past_rows(as_of: date, *, keep_days: int, column: str = "as_of_date") -> str:
    """SQL for the rows of days that are no month-ends and lie more than `keep_days` before `as_of`."""
    oldest = as_of - timedelta(days=keep_days)
    return f"month <= {oldest:%Y%m} and {column} <= date'{oldest}' and {column} <> last_day({column})"


def _run(context: JobContext) -> JobReport:
    from features.catalogue import WINDOW_STATE

    settings, hours = context.settings, context.settings.retention.vacuum_hours
    if hours < VACUUM_HOURS_MIN:
        raise ConfigurationError(
            f"retention.vacuum_hours is [{hours}]; give at least [{VACUUM_HOURS_MIN}], since readers of older versions would lose their files"
        )
    where = past_rows(context.as_of, keep_days=settings.retention.daily_rows_days)
    dropped = {table.full_name: upkeep.drop(context, table, where) for table in feature_tables()}
    oldest = context.as_of - timedelta(days=STATE_DAYS)
    dropped[WINDOW_STATE.full_name] = upkeep.drop(context, WINDOW_STATE, f"as_of_date < date'{oldest}'")
    gone = retired_tables(settings)
    dropped |= {table.full_name: upkeep.drop(context, table, "true") for table in gone}
    packed, vacuumed = {}, {}
    for table in {one.full_name: one for one in (*every_table(settings), *gone)}.values():
        todo = due(settings, table)
        if "pack" in todo:
            packed[table.full_name] = upkeep.pack(context, table, todo["pack"])
        if "vacuum" in todo:
            vacuumed[table.full_name] = todo["vacuum"]
            upkeep.vacuum(context, table, hours=vacuum_hours(settings, table))
    rows = {"rows_dropped": sum(dropped.values()), "files_packed": sum(packed.values()), "files_removed": sum(vacuumed.values())}
    return JobReport(
        rows=rows,
        figures={
            "dropped": {name: count for name, count in dropped.items() if count}, "packed": packed, "removed": vacuumed,
            "bytes_per_customer": bytes_per_customer(context), "left_behind": len(staging.forget(context.spark, settings)),
        },
    )  # fmt: skip


def bytes_per_customer(context: JobContext) -> dict[str, int]:
    """What is kept of features, by table, over the customers there are: the budget that retention is chosen by. Empty without any."""
    from features.catalogue import TILED, WINDOW_STATE

    customers = tables.current(tables.read_or_empty(context, core.CUSTOMER), core.CUSTOMER).count()
    made = (*(source.table for source in TILED), WINDOW_STATE, *feature_tables())
    kept = {table.full_name: tables.size(context.settings, table) for table in made}
    return {name: round(size / customers) for name, size in kept.items() if size} if customers else {}


JOB = runner.Job(name="maintain", run=_run, fingerprint=_stands_on)
