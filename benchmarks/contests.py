"""The contests, as data: what is asked, our way, the other way, and the highest ratio that we accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

import pyarrow.parquet as pq
from deltalake import DeltaTable
from pyspark.sql import functions as F

from benchmarks import bank, windows
from benchmarks.bank import LATE_DAYS, NIGHT, Home
from benchmarks.contest import Answer, Contest, Ran, Side
from benchmarks.ground import Ground
from benchmarks.phases import seconds_by_phase
from conf.settings import Settings
from expectations.contracts import core, ops
from features import catalogue, engine
from features.spec import FeatureGroup
from jobs import frames, ledger, tables
from jobs.build import features_command
from jobs.build.dates import between
from jobs.build.facts import Facts, planned_once
from jobs.context import JobContext, JobReport, now
from jobs.serving import lake
from jobs.threads import side_by_side

YEAR = [NIGHT - timedelta(days=back) for back in reversed(range(365))]
# Single nights of a year are run for these and counted for all.
TRIED = YEAR[::40]
LATE_SHARE = 1000


@dataclass(frozen=True)
class Run:
    """What a side that writes features is given, and where."""

    context: JobContext
    into: Path


def all_contests(ground: Ground) -> Iterator[tuple[str, Callable[[], Contest]]]:
    """By name; made when they are held, because making some takes minutes."""
    for make in (night_windows, night_windows_duckdb, night_all, range_written, range_noop, late, rerun):
        yield make.__name__.replace("_", "-"), partial(make, ground)
    for name, is_without_jvm in (("labels-from-tiles", False), ("labels-from-tiles-duckdb", True)):
        yield name, partial(labels_from_tiles, ground, is_without_jvm=is_without_jvm)


# --- one night, 56 window columns

NOT_A_PRODUCT_TABLE = (
    "both write the 56 columns (and ours the states) as Delta tables of their own, the tiles as the product does: left out are a revision's columns, the "
    "check of values and the ledger, which WIN-ALL has"
)
# Of a session: a night of 200,000 customers took 10.6, 6.1, 5.5, then 4.5 to 5.0 s six times, the recompute 15.7, 12.5, then 11.7 to 12.7.
UNTIL_WARM = 3
FIXED_COST = (
    "Some two seconds of a night are the same at any size. Warm, a night of 200,000 customers takes 4.8 s: storing the day's tiles 1.2, planning .2, rolling 1.9 (of "
    "which the kernel itself .25 on two cores, shuffling and sorting tiles and states .8, handing them to Python and back .6), committing windows and states side "
    "by side 1.5. Of 2,000 customers it takes 2.1 (.8, .2, .7 and .5), the recompute .7 there and 11.8 here."
)


def _on_a_copy(ground: Ground) -> Run:
    return Run(ground.night(ground.copy()), ground.fresh())


def _on_transactions(ground: Ground) -> Run:
    """On a copy of a home that holds made-up transactions, and their tiles up to the eve."""
    return Run(ground.night(ground.transactions.copied(ground.folder)), ground.fresh())


def _windows_side(
    ground: Ground, name: str, run: Callable[[Run], None], *, prepare: Callable[[], Run] | None = None, is_without_jvm: bool = False
) -> Side:
    answer = partial(windows.answer, where=windows.SEEN)
    return Side(
        name=name, prepare=prepare or partial(_on_transactions, ground), run=run, answer=lambda state: answer(state.into), is_without_jvm=is_without_jvm,
    )  # fmt: skip


def _ours_by_night(ground: Ground) -> Side:
    """On a copy with the states that the night before left behind."""
    states = ground.fresh()
    windows.states_of_eve(_on_transactions(ground).context, states)

    def prepare() -> Run:
        state = _on_transactions(ground)
        bank.linked(states, _states(state))
        return state

    def run(state: Run) -> None:
        windows.night(state.context, _states(state), state.into)

    return _windows_side(ground, "tiles and states of the night, all committed", run, prepare=prepare)


def _states(state: Run) -> Path:
    return state.into.with_name("states")


def night_windows(ground: Ground) -> Contest:
    return Contest(
        name="WIN-N Spark", question="one night, 56 window columns, tiles, windows and states committed, warm session", target=0.40, why=FIXED_COST,
        note=NOT_A_PRODUCT_TABLE, warm_ups=UNTIL_WARM,
        ours=_ours_by_night(ground),
        other=_windows_side(ground, "Spark recompute from events", lambda state: windows.recomputed(state.context, state.into)),
    )  # fmt: skip


def night_windows_duckdb(ground: Ground) -> Contest:
    def run(state: Run) -> None:
        windows.recomputed_in_duckdb(Home(ground.scale, state.context.settings.home), state.into)

    return Contest(
        name="WIN-N DuckDB", question="one night, 56 window columns, tiles, windows and states committed, warm session", target=1.6, why=FIXED_COST,
        note=f"{NOT_A_PRODUCT_TABLE}; DuckDB's is one Parquet file without a commit", warm_ups=UNTIL_WARM,
        ours=_ours_by_night(ground), other=_windows_side(ground, "DuckDB recompute over the same files", run, is_without_jvm=True),
    )  # fmt: skip


# --- one night, everything

ALL_FIXED_COST = (
    "Most of a small bank's night is the same at any size: of 8.6 s for 2,000 customers (warm) bringing tiles up to date took 1.9, planning 1.5, rolling states 1.9, "
    "finishing features 1.4, fifteen commits 1.4. Of 200,000 customers, a hundred times as many, it takes fourteen times as long, the recompute forty times."
)


def night_all(ground: Ground) -> Contest:
    def recompute(state: Run) -> None:
        context = state.context
        with planned_once(context.spark):
            wide = frames.made(engine.features_of(Facts(context, NIGHT, NIGHT).core(), [NIGHT]))
        span = features_command.check(wide, catalogue.GROUPS)
        side_by_side(
            partial(tables.append_revisions, context, group.table, wide.select(*group.table_columns), span=span)
            for group in catalogue.GROUPS
        )  # fmt: skip
        frames.release(wide)

    prepare = partial(_on_a_copy, ground)
    answer = partial(_features_of, dates=[NIGHT])
    return Contest(
        name="WIN-ALL", question="one night, the full catalogue, all group tables committed", target=0.60, why=ALL_FIXED_COST,
        ours=Side(name="kequn features", prepare=prepare, run=lambda state: _built(state.context), answer=answer),
        other=Side(name="Spark recompute from core tables", prepare=prepare, run=recompute, answer=answer),
        more=lambda: {"ours_phases_s": seconds_by_phase(partial(_built, prepare().context))},
    )  # fmt: skip


def _built(context: JobContext) -> None:
    """The job as the runner runs it, with its row in the ledger."""
    report: JobReport = features_command.build(context)
    ledger.record(context, report, inputs="", seconds=0, peak_mb=0, finished_at=now())


def _features_of(state: Run, *, dates: Sequence[date]) -> Answer:
    """Over all features of all customers on the dates, newest revisions: rows of the group that has most, and what each group tells.

    Groups are not joined: of 200,000 customers on 45 dates a join of all took 26 minutes.
    """
    told = {group.name: _told(state.context.settings, group, dates) for group in catalogue.GROUPS}
    return Answer(rows=max(rows for rows, _ in told.values()), checksum=str(told))


def _told(settings: Settings, group: FeatureGroup, dates: Sequence[date]) -> tuple[int, int]:
    """Rows of a group's newest revisions on the dates, which follow one another, and a sum over their hashes."""
    columns = ", ".join(group.table_columns)
    stored = lake.relation(settings, group.table, [*group.table_columns, "revision", "row_hash"], first=dates[0], last=dates[-1])
    hashed = (
        f"select customer_key, as_of_date, revision, row_hash is not null as is_there, hash({columns}) as told from {stored} "
        f"where as_of_date between date '{dates[0]}' and date '{dates[-1]}'"
    )
    newest = (
        f"select arg_max(told, revision) as told, arg_max(is_there, revision) as is_there from ({hashed}) group by customer_key, as_of_date"
    )
    with lake.connect() as connection:
        found = connection.execute(f"select count(*), sum(told::hugeint) from ({newest}) where is_there").fetchone()
    assert found is not None
    return found[0], int(found[1] or 0)


# --- a year of dates


def _range_side(ground: Ground, name: str, ranges: Sequence[Sequence[date]], *, is_written: bool, times: float = 1) -> Side:
    """A sweep of each of the ranges. What the sides have in common are the dates that both have done; rows that go to the noop sink are written
    once too, outside of timing.
    """
    of = ", ".join(f"date '{day}'" for day in TRIED)
    answers: list[Answer] = []

    def run(state: Run, *, is_kept: bool = is_written) -> None:
        for dates in ranges:
            frame = windows.swept(state.context, dates)
            windows.written(frame, state.into) if is_kept else frame.write.format("noop").mode("overwrite").save()

    def answer(state: Run) -> Answer:
        if not is_written:
            run(state, is_kept=True)
        return windows.answer(state.into, where=f"as_of_date in ({of})")

    def once(state: Run) -> Answer:
        answers[:] = answers or [answer(state)]
        return answers[0]

    return Side(name=name, prepare=partial(_with_tiles, ground), run=run, times=times, answer=answer if is_written else once)


def _with_tiles(ground: Ground) -> Run:
    """Tiles stored up to the night itself, as they are after it."""
    state = _on_transactions(ground)
    windows.store_tiles(state.context, NIGHT, NIGHT)
    return state


def _by_year(ground: Ground, *, target: float, is_written: bool) -> Contest:
    to, side = "written" if is_written else "to the noop sink", partial(_range_side, ground, is_written=is_written)
    return Contest(
        name=f"WIN-B {to}", question=f"365 as-of dates, 56 window columns, {to}", target=target,
        ours=side("one job", [YEAR]), other=side("single nights", [[day] for day in TRIED], times=len(YEAR) / len(TRIED)),
        note=f"extrapolated from [{len(TRIED)}] nights; answers compared on these" + ("" if is_written else ", written once outside of timing"),
    )  # fmt: skip


def range_written(ground: Ground) -> Contest:
    return _by_year(ground, target=0.50, is_written=True)


def range_noop(ground: Ground) -> Contest:
    return _by_year(ground, target=0.10, is_written=False)


# --- labels at any time

AS_ARROW = (
    "tiles are read by DuckDB, the kernel answers, and the rows are handed to Spark as Arrow, as FeatureStore.training_set does it; within Spark's own tasks (a sort, "
    "MapInArrow and the kernel) the same took 1.18 of the join, most of it the passage of 3.6 million tiles to Python"
)


def labels_from_tiles(ground: Ground, *, is_without_jvm: bool) -> Contest:
    state = _with_tiles(ground)
    home = Home(ground.scale, state.context.settings.home)
    customer = F.pmod(F.xxhash64("id"), F.lit(ground.scale.customers)) + 1
    day = F.date_sub(F.lit(NIGHT), F.pmod(F.xxhash64("id", F.lit("day")), F.lit(180)).cast("int"))
    asked = ground.spark.range(ground.scale.labels).select(customer.alias("customer_key"), day.alias("as_of_date")).distinct()
    labels = asked.toArrow()
    on_spark = frames.made(ground.spark.createDataFrame(labels))

    def to_file(into: Path) -> None:
        into.mkdir(parents=True)
        pq.write_table(windows.drawn_from_tiles(home, labels), into / "rows.parquet")

    def to_spark(into: Path) -> None:
        ground.spark.createDataFrame(windows.drawn_from_tiles(home, labels)).write.parquet(str(into))

    side = partial(Side, prepare=ground.fresh, answer=partial(windows.answer, where=windows.SEEN))
    ours = (
        side(name="DuckDB reads, the kernel answers", run=to_file, is_without_jvm=True) if is_without_jvm
        else side(name="DuckDB reads, the kernel answers, Spark writes", run=to_spark)
    )  # fmt: skip
    return Contest(
        name=f"PIT-W {'DuckDB' if is_without_jvm else 'Spark'}", target=0.5 if is_without_jvm else 1.0, ours=ours, note="" if is_without_jvm else AS_ARROW,
        question=f"{labels.num_rows:,} labels at random times of half a year, 56 window columns from tiles, to a file",
        other=side(name="Spark range join and groupBy, warm", run=lambda into: windows.range_joined(state.context, on_spark).write.parquet(str(into))),
    )  # fmt: skip


# --- late rows, reruns

LATE_FIXED_COST = (
    "Most of what few rows of a small bank cost is the same at any size: of 10.2 s for 2,000 customers (warm) bringing tiles of 45 days up to date took 3.1, finding whom "
    "the rows concern 1.0, planning 1.2, sweep and finishing 2.9, fourteen commits 1.2; the rebuild of 84,103 rows took 22.9. Of 200,000 customers the rebuild takes "
    "twelve times as long as the corrections."
)

ITS_REBUILD = "the rebuild makes no tiles again but those that the late rows touch, and compares nothing with what was published but the eve's and a month-end's rows"


def late(ground: Ground) -> Contest:
    daily = bank.with_daily_features(ground.bank)
    dates = [NIGHT - timedelta(days=back) for back in reversed(range(LATE_DAYS))]

    def with_late_rows(of: Home) -> Run:
        home = of.copied(ground.folder)
        _come_late(home.context(ground.spark, NIGHT, generation=1))
        return Run(home.context(ground.spark, NIGHT, generation=1), ground.fresh())

    def rebuild(state: Run) -> None:
        _built(Home(ground.scale, state.context.settings.home).context(ground.spark, dates[0], NIGHT))

    answer = partial(_features_of, dates=dates)
    return Contest(
        name="LATE", question=f".1 % of the transactions of {LATE_DAYS} days come 1 to {LATE_DAYS} days late, all stored dates corrected",
        target=0.12, why=LATE_FIXED_COST, note=ITS_REBUILD, warm_ups=int(ground.scale.name != "full"),
        ours=Side(name="kequn features", prepare=partial(with_late_rows, daily), run=lambda state: _built(state.context), answer=answer),
        other=Side(name="these dates in one job, where none is stored yet", prepare=partial(with_late_rows, ground.bank), run=rebuild, answer=answer),
    )  # fmt: skip


def _come_late(context: JobContext) -> None:
    """One in LATE_SHARE transactions of the days before the night is delivered once more, under another number."""
    table = core.TRANSACTION
    known = tables.current(tables.read(context, table), table).where(between("business_date", NIGHT - timedelta(days=LATE_DAYS), NIGHT))
    some = known.where(F.pmod(F.xxhash64("transaction_id"), F.lit(LATE_SHARE)) == 0)
    start = tables.interval_of(table).start
    rows = some.withColumns({"transaction_id": F.concat(F.lit("late-"), "transaction_id"), start: F.current_timestamp()})
    tables.merge_intervals(context, table, rows.select(*(column.name for column in table.columns), start))


def rerun(ground: Ground) -> Contest:
    words = f"features --as-of {NIGHT}"

    @cache
    def done() -> Home:
        """One for all rounds: a second run leaves it as it was, or its answer differs."""
        home = ground.copy()
        home.command(words)
        return home

    def run(home: Home) -> Ran:
        return home.command(words)

    def versions(home: Home) -> Answer:
        """Of all tables but those that log what ran: a second run may say that it was there."""
        logs = sorted((home.path / "warehouse").glob("*/*/_delta_log"))
        found = {log.parent.name: DeltaTable(log.parent).version() for log in logs if log.parent.parent.name != ops.RUN.layer}
        return Answer(rows=len(found), checksum=str(found))

    return Contest(
        name="RERUN", question="the same night again, as a whole process; no table has a new version, tiles and states among them", target=0.25, warm_ups=0,
        ours=Side(name="the second run", prepare=done, run=run, answer=versions),
        other=Side(name="the first run", prepare=ground.copy, run=run, answer=versions),
    )  # fmt: skip
