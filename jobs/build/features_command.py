"""Build day and month tiles and all feature groups for one as-of date or a range, in one session.

A range is made in one pass, on disk where its rows find no place in memory; a very long one of a large bank in a few (jobs/build/passes.py).

Reads core.*; writes features.tile_* and month_tile_* (replaces what is new or was touched) and features.<group>_v<n> (revisions). Every open customer has
a row, whether or not anything happened. Stored rows that late and corrected facts concern are made again (jobs/build/corrections.py), and
these alone where the date that is asked for was made before.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from expectations.contracts import core
from features import catalogue, engine, windows
from features.spec import columns_of
from jobs import ledger, lock, runner, staging, tables
from jobs.build import browse, corrections, declarations, passes, revised, tile_store, versions, window_states
from jobs.build.dates import add_month_ends_argument, as_of_dates
from jobs.build.facts import INPUTS, Facts, covered, planned_once
from jobs.context import JobReport
from jobs.errors import DataRejectedError, InvariantError, UsageError
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from features.engine import Core
    from features.spec import FeatureGroup
    from jobs.build.corrections import Concerned, Corrections
    from jobs.context import JobContext, Request
    from jobs.tables import Written


# A date is not made anew where late facts concern one customer in so many, or fewer. Theirs are made of all their tiles; a date that is made anew rolls states.
FEW = 10


def add_arguments(parser: ArgumentParser) -> None:
    runner.add_date_arguments(parser)
    add_month_ends_argument(parser)
    browse.add_arguments(parser)


def run(arguments: Namespace) -> int:
    if arguments.look:
        return browse.run(arguments)
    declarations.expect_sound()
    only = [versions.named(arguments.group).version_name] if arguments.group else []
    scope = " ".join([*(["month-ends"] if arguments.month_ends else []), *only])
    return runner.execute(JOB, runner.request_of("features", arguments, scope=scope, month_ends=arguments.month_ends, only=only))


def build(context: JobContext) -> JobReport:
    """Spine → tiles → measures → features → check → tables; then stored rows that late and corrected facts concern.

    Raises InputNotReadyError, DataRejectedError; ConfigurationError for declarations that can't be computed, before anything is written.
    """
    with declarations.explained():
        return _build(context)


def _build(context: JobContext) -> JobReport:
    seen = corrections.seen(context.settings)
    groups = versions.built(context.settings)
    asked = _asked(groups, context.request)
    dates = covered(context, as_of_dates(context.request))
    late = corrections.due(context, seen, groups)
    every = [*dates, *(late.all_dates if late else ())]
    states = window_states.recorded(context.settings)
    # A night that rolls reads the days that leave the windows: those that the date it rolls from still saw.
    rolled_from = window_states.dates_rolled_from(dates[0], states) if len(dates) == 1 and asked == groups else []
    facts = Facts(context, min([*every, *rolled_from]), max(every))
    concerned = corrections.Concerned(facts)
    standing = _standing(context, asked, late, concerned) if late else set()
    anew = [day for day in dates if day not in standing]
    late = late.without(dict.fromkeys(asked, anew)) if late else None
    spec_hashes = {group.table.full_name: catalogue.spec_hash(group) for group in asked}
    if (
        context.request.force
        or not spec_hashes.items() <= ledger.figures_of_newest(context.settings, "features").get("spec_hashes", {}).items()
    ):
        declarations.expect_analysable(facts, asked)
    for group in groups:
        tables.widen(context, group.table)
    day_tiles, written, stored = tile_store.brought_up_to_date(facts)
    known = facts.core(day_tiles)
    # States are those of all groups: a part of them would not be rolled by the next night.
    night = window_states.night(facts, anew, seen, states, concerned) if asked == groups and anew else None
    published: list[Written] = []
    rows = 0
    for together, size in _passes(context, anew, asked):
        with _made(context, replace(known, sweep=night.sweep) if night else known, together, asked, size=size) as wide:
            span = check(wide, asked)
            # The first dates of a range may lie before all customers, but not all of them.
            if not span.rows and (published or together[-1] < anew[-1]):
                continue
            appends = _appends(context, wide, span, dict.fromkeys(asked, together), part=_part(together, anew))
            published += side_by_side([*appends, night.store] if night and night.is_made else appends)
            rows += span.rows
    _say_what_is_mistrusted(stored, night.made_anew if night else [])
    if night and night.is_made:
        states = night.recorded(published[-1])
        night.release()
    corrected = _correct(known, late, concerned) if late else []
    concerned.release()
    figures = {
        "made": {"by": window_states.made_by(), "groups": [group.version_name for group in asked], "dates": [str(day) for day in dates]},
        "states": [one.figures for one in states], "states_made_anew": night.made_anew if night else [],
        "first": str(dates[0]), "last": str(dates[-1]), "tiles": stored.figures, "seen": seen, "corrections": late.figures if late else {},
        "revised": revised.told(context.settings, groups, [*published, *corrected], known_since=context.started_at), "spec_hashes": spec_hashes,
    }  # fmt: skip
    return _report([*written, *published], corrected, rows=rows, dates=dates, asked=asked, figures=figures)


def _standing(context: JobContext, asked: Sequence[FeatureGroup], late: Corrections, concerned: Concerned) -> set[date]:
    """Dates of which all that is stored stands, but for the rows of a few customers whom late facts concern: made by the newest run, by this code."""
    made = ledger.figures_of_newest(context.settings, "features").get("made", {})
    is_of_all = {group.version_name for group in asked} <= {*made.get("groups", ())} and made["by"] == window_states.made_by()
    dates = {date.fromisoformat(day) for day in made.get("dates", ())}.intersection(*(late.dates.get(group, ()) for group in asked))
    if context.request.force or not is_of_all or not dates:
        return set()
    few = concerned.by(late, late.all_dates[-1])
    return dates if few is not None and few.count() * FEW <= tables.rows(context.settings, core.CUSTOMER) else set()


def _say_what_is_mistrusted(tiles: tile_store.Stored, states: Sequence[str]) -> None:
    """Of tiles of which nothing could be trusted, and of states that could not be rolled: what was made again, from when on, and why."""
    for name, told in tiles.made_again.items():
        if told["from"] == str(tiles.since[name]):
            sys.stderr.write(f"kequn features: day tiles of [{name}] were made again from [{told['from']}] on: {told['because']}\n")
    for because in states:
        sys.stderr.write(f"kequn features: everybody's window states were made again: {because}\n")


def _asked(groups: Sequence[FeatureGroup], request: Request) -> tuple[FeatureGroup, ...]:
    """Those of the groups that the request asks for; all, where it names none. Raises UsageError for one that is retired."""
    only = request.options.get("only")
    found = tuple(group for group in groups if not only or group.version_name in only)
    if not found:
        raise UsageError(f"{only} was retired, and is built no more; there are {[group.version_name for group in groups]}")
    return found


def _correct(known: Core, late: Corrections, concerned: Concerned) -> list[Written]:
    """Append revisions of the stored rows that come out differently now. Raises ConflictError while another run does."""
    context = concerned.facts.context
    # Runs of different dates correct the same rows: side by side they would append the same revision twice.
    with lock.held(context.settings.locks, "features-corrections"):
        few = concerned.by(late, late.all_dates[-1])
        return _made_again(context, known if few is None else known.of(few), late, among=few)


def _made_again(context: JobContext, known: Core, late: Corrections, *, among: DataFrame | None = None) -> list[Written]:
    written: list[Written] = []
    for together, size in _passes(context, late.all_dates, tuple(late.dates), among):
        dates = {group: own for group, days in late.dates.items() if (own := [day for day in together if day in days])}
        groups = tuple(dates)
        with _made(context, known, together, groups, size=size) as wide:
            span = tables.Span(check(wide, groups).rows, together[0], together[-1])
            part = f"{late.part}{_part(together, late.all_dates)}"
            written += side_by_side(_appends(context, wide, span, dates, among=among, part=part))
    return written


def _passes(
    context: JobContext, dates: Sequence[date], groups: Sequence[FeatureGroup], among: DataFrame | None = None
) -> list[tuple[Sequence[date], int]]:
    """The dates, so many together as find place on disk, of everybody or of some; with the bytes of their rows, about."""
    into, customers = [group.table for group in groups], tables.rows(context.settings, core.CUSTOMER)
    if among is not None and passes.bytes_of(customers * len(dates), into) > staging.BYTES_IN_MEMORY:
        customers = among.count()
    return [
        (together, passes.bytes_of(customers * len(together), into))
        for together in passes.passes(dates, customers * len(dates), into, at_once=passes.BYTES_STAGED)
    ]


def _part(together: Sequence[date], dates: Sequence[date]) -> str:
    """Tells the writes of several passes apart."""
    return "" if len(together) == len(dates) else f" {together[0]}..{together[-1]}"


@contextmanager
def _made(context: JobContext, known: Core, dates: Sequence[date], groups: Sequence[FeatureGroup], *, size: int) -> Iterator[DataFrame]:
    with ExitStack() as until_used:
        with planned_once(context.spark):
            rows = until_used.enter_context(staging.kept(engine.features_of(known, dates, groups), context.settings, size=size))
        yield rows


def _appends(
    context: JobContext, wide: DataFrame, span: tables.Span, dates: Mapping[FeatureGroup, Collection[date]], *, among: DataFrame | None = None,
    part: str = "",
) -> list[Callable[[], Written]]:  # fmt: skip
    """Writes still to be done: append to each group's table, of the dates that are its own, what is new or differs. wide: of these groups, in this order."""
    every = set().union(*dates.values())
    columns = columns_of(tuple(dates))
    mine = {group: [f"{name} as {group.full_name(one)}" for name, (of, one) in columns.items() if of is group] for group in dates}
    return [
        partial(
            tables.append_revisions, context, group.table, _of(wide, own, every).selectExpr(*windows.KEYS, *mine[group]), part=part, span=span,
            scope=tables.Scope(own, among),
        )
        for group, own in dates.items()
    ]  # fmt: skip


def _of(wide: DataFrame, dates: Collection[date], every: Collection[date]) -> DataFrame:
    return wide if len(dates) == len(every) else wide.where(wide.as_of_date.isin(sorted(dates)))


def check(wide: DataFrame, groups: Sequence[FeatureGroup]) -> tables.Span:
    """Rows and dates of the groups' frame, once its key is unique and no feature is null that has a value without rows.

    One aggregation. Raises InvariantError for a repeated key, DataRejectedError for a null or an empty frame.
    """
    from pyspark.sql import functions as F

    promised = [name for name, (_, feature) in columns_of(groups).items() if not feature.is_nullable]
    lacks = F.expr(" or ".join(f"{name} is null" for name in promised) or "false")
    found = wide.agg(
        F.count(F.lit(1)).alias("rows"), F.count_distinct(*windows.KEYS).alias("keys"), F.count_if(lacks).alias("lacking"),
        F.min("as_of_date").alias("first"), F.max("as_of_date").alias("last"),
    ).first()  # fmt: skip
    assert found is not None  # an aggregate without groups has one row
    if found["rows"] != found["keys"]:
        raise InvariantError(f"[{found['rows']}] feature rows for [{found['keys']}] customers and dates: a join repeats rows of the spine")
    if found["lacking"]:
        row = wide.where(lacks).select(*windows.KEYS, *promised).first()
        nulls = [name for name in promised if row and row[name] is None]
        raise DataRejectedError(
            f"Features are null although they have a value even without rows, in [{found['lacking']}] rows, such as {nulls} of customer "
            f"[{row and row['customer_key']}] on [{row and row['as_of_date']}]; look at what they are made of"
        )
    return tables.Span(found["rows"], found["first"], found["last"])


def _report(
    written: Sequence[Written], corrected: Sequence[Written], *, rows: int, dates: Sequence[date], asked: Sequence[FeatureGroup], figures: Mapping[str, Any]
) -> JobReport:  # fmt: skip
    counts: Counter[str] = Counter()
    for items, of in ((written, ""), (corrected, "stored dates ")):
        for item in items:
            counts.update({f"{item.table} {of}{what}": count for what, count in [("inserted", item.inserted), *_revised(item)]})
    return JobReport(
        rows={
            "rows_in": rows,
            "rows_out": sum(item.inserted + item.updated for item in written),
            "dates": len(dates),
            "features": sum(len(group.features) for group in asked),
        }
        | {what: count for what, count in counts.items() if count or "stored dates" not in what},
        outputs={item.table: item.version for item in (*written, *corrected)},
        figures=figures,
    )


def _revised(item: Written) -> list[tuple[str, int]]:
    return [(what, count) for what, count in (("revised", item.updated), ("withdrawn", item.removed)) if count]


JOB = runner.Job(
    name="features", run=build, inputs=INPUTS,
    outputs=(*(source.table for source in catalogue.TILED), catalogue.WINDOW_STATE, *(group.table for group in catalogue.versions())),
)  # fmt: skip
