"""Training sets: a spine's rows with what was known of them, and a receipt to draw them again.

Features are those stored; of dates that are not, they are computed from day tiles. These do not keep what they were, so that
computed rows are kept with the receipt.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from features import catalogue
from jobs import tables
from jobs.build.wide import KEYS
from jobs.errors import DataRejectedError, InputNotReadyError
from jobs.serving import computed, lake, published, receipts
from jobs.serving.drawn import Drawn
from jobs.serving.published import Asked
from jobs.serving.receipts import Receipt, digest
from jobs.serving.spines import CUSTOMER, SHOWN, Spine

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from conf.settings import Settings
    from features.spec import FeatureGroup

FEATURES_OF = "features_of"
COMPUTED = "computed_rows"


@dataclass(frozen=True)
class TrainingSet(Drawn):
    """Rows in the spine's order: its columns, `features_of` (the date they are of), the features by full name.

    computed: customer × date that is not stored, with their features; none where all are stored.
    """

    receipt: Receipt
    computed: pa.Table | None = None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is drawn: features by full name, of these groups. As is known now, what is not stored may be computed.

    Of a receipt the computed rows are `kept`, and `dates`: by date of the spine the stored one that was chosen; nearer ones may have come since.
    """

    names: tuple[str, ...]
    groups: Sequence[FeatureGroup]
    purpose: str
    max_age_days: int
    known_at: datetime
    may_compute: bool
    kept: pa.Table | None = None
    dates: Mapping[date, date] | None = None


def draw(settings: Settings, spine: Spine, wish: Wish) -> TrainingSet:
    """|out| = |spine|, in its order. Raises InputNotReadyError for rows of dates that are neither stored nor can be computed.

    A row's features are those stored for its as-of date, or for the newest date before it that is at most max_age_days older (of those that
    were stored at known_at); else they are computed for the date itself. A customer who was not open on that date gets nulls.
    """
    seen = _seen(settings, spine, wish)
    rows = _numbered(spine, seen)
    unstored = {of for of, is_stored in seen.values() if not is_stored}
    made = _computed(settings, rows, unstored, wish)
    with lake.connect() as connection:
        connection.register("spine", rows)
        if made is not None:
            connection.register(COMPUTED, made)
        parts = _parts(settings, {of for of, is_stored in seen.values() if is_stored}, wish, made)
        joins = "".join(
            f" left join ({part}) as g{n} on g{n}.customer_key = spine.{CUSTOMER} and g{n}.as_of_date = spine.{FEATURES_OF}"
            for n, part in enumerate(parts)
        )
        found = connection.sql(f"select {', '.join(wish.names)} from spine{joins} order by spine.row__").to_arrow_table()
    if found.num_rows != spine.rows.num_rows:
        raise DataRejectedError(
            f"[{found.num_rows}] rows for a spine of [{spine.rows.num_rows}]: a feature table repeats a customer and date"
        )
    beside = _beside(spine.rows.append_column(FEATURES_OF, rows.column(FEATURES_OF)), found)
    return TrainingSet(beside, _receipt(settings, spine, wish, beside, seen), made)


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    """The columns of both: those that a spine carries along need not mean anything to DuckDB."""
    for name in right.column_names:
        left = left.append_column(right.schema.field(name), right.column(name))
    return left


def _parts(settings: Settings, stored: Collection[date], wish: Wish, made: pa.Table | None) -> list[str]:
    """SQL by group: grain customer × date, of rows that are stored and rows that were computed."""
    # Of whom the spine does not speak nothing is looked at: the newest revisions of all rows of all its dates would be most of the work.
    asked = Asked(as_known_at=wish.known_at, where=f"({', '.join(KEYS)}) in (select ({CUSTOMER}, {FEATURES_OF}) from spine)")
    asked = asked.of(min(stored), max(stored)) if stored else asked
    found = []
    for group in wish.groups:
        names = published.names_of(group, wish.names)
        parts = [] if made is None else [f"select {', '.join([*KEYS, *names])} from {COMPUTED}"]
        if stored or made is None:
            parts.append(published.rows(settings, group, names, asked))
        found.append(" union all ".join(f"({part})" for part in parts))
    return found


def _computed(settings: Settings, rows: pa.Table, days: Collection[date], wish: Wish) -> pa.Table | None:
    """The features of the spine's customers on the days that are not stored; None where all are."""
    if not days or wish.kept is not None:
        return wish.kept
    import pyarrow as pa
    import pyarrow.compute as pc

    mine = rows.filter(pc.is_in(rows.column(FEATURES_OF), pa.array(sorted(days), pa.date32())))
    asked = mine.select([CUSTOMER, FEATURES_OF]).rename_columns(list(KEYS)).group_by(list(KEYS)).aggregate([])
    return computed.each(settings, wish.names, asked)


def _seen(settings: Settings, spine: Spine, wish: Wish) -> dict[date, tuple[date, bool]]:
    """By as-of date of the spine the date that its features are of, and whether that is stored.

    Raises InputNotReadyError that says which rows can have none.
    """
    stored = sorted(published.stored_dates(settings, wish.groups, as_known_at=None if wish.may_compute else wish.known_at))
    chosen = {day: _chosen(day, stored, wish) for day in spine.days.dictionary.to_pylist()}
    seen = {day: (of, True) for day, of in chosen.items() if of in stored}
    other = [day for day in chosen if day not in seen]
    made = _makeable(settings, other, wish)
    if len(made) < len(other):
        _refuse(settings, spine, {*seen, *made}, stored, wish)
    return seen | {day: (day, False) for day in made}


def _chosen(day: date, stored: Sequence[date], wish: Wish) -> date | None:
    """The stored date that the day's features are of, None for computed ones; of a receipt as it was then, whatever has been stored since."""
    if wish.dates is not None:
        return wish.dates.get(day)
    return _newest(stored, day, max_age_days=wish.max_age_days)


def _newest(stored: Sequence[date], day: date, *, max_age_days: int) -> date | None:
    """The newest of the dates (ascending) that is not after the day, if it is young enough."""
    position = bisect.bisect_right(stored, day) - 1
    return stored[position] if position >= 0 and (day - stored[position]).days <= max_age_days else None


def _makeable(settings: Settings, days: Sequence[date], wish: Wish) -> set[date]:
    """Those of the days whose features are kept, or can be computed now."""
    if wish.kept is not None:
        return {day for day in days if day not in (wish.dates or ())}
    span = computed.answered(settings) if days and wish.may_compute and computed.tells(wish.groups) else None
    return {day for day in days if span and span[0] <= day <= span[1]}


def _refuse(settings: Settings, spine: Spine, known: Collection[date], stored: Sequence[date], wish: Wish) -> NoReturn:
    rows = [row for row, day in enumerate(spine.days.to_pylist()) if day not in known]
    beyond = sorted({str(day) for day in spine.days.to_pylist() if day not in known})
    then = "" if wish.may_compute else f" at [{wish.known_at.isoformat()}]"
    because = (
        computed.told(settings, wish.groups)
        if wish.may_compute
        else "as known at a time only stored dates can be told: day tiles do not keep what they were"
    )
    do = (
        "Draw a new set"
        if wish.dates is not None
        else "Build them with `kequn features`"
        if wish.may_compute
        else "Name a later as_known_at"
    )
    raise InputNotReadyError(
        f"[{len(rows)}] of [{len(spine.days)}] rows ask for dates without stored features, such as rows {rows[:SHOWN]} for "
        f"{beyond[:SHOWN]}; stored{then} are {_described(stored)}; {because}. {do}, or take older ones with max_age_days"
    )


def _described(stored: Sequence[date]) -> str:
    return f"[{len(stored)}] dates from [{stored[0]}] to [{stored[-1]}]" if stored else "none"


def _numbered(spine: Spine, seen: Mapping[date, tuple[date, bool]]) -> pa.Table:
    """Grain: row of the spine, in its order; the customer, the date that the features are of, the row's number."""
    import numpy as np
    import pyarrow as pa

    of = pa.array([seen[day][0] for day in spine.days.dictionary.to_pylist()], pa.date32()).take(spine.days.indices)
    return pa.table({CUSTOMER: spine.rows.column(CUSTOMER), FEATURES_OF: of, "row__": np.arange(len(spine.days))})


def _receipt(settings: Settings, spine: Spine, wish: Wish, found: pa.Table, seen: Mapping[date, tuple[date, bool]]) -> Receipt:
    import pyarrow as pa
    import pyarrow.compute as pc

    groups = wish.groups
    unstored = pa.array(sorted(of for of, is_stored in seen.values() if not is_stored), pa.date32())
    told: dict[str, Any] = {
        "known_at": wish.known_at.astimezone(UTC).isoformat(), "purpose": wish.purpose, "features": wish.names, "max_age_days": wish.max_age_days,
        "spec_hashes": {group.table.full_name: catalogue.spec_hash(group) for group in groups}, "rows": found.num_rows, "spine": digest(spine.rows),
        "result": digest(found), "computed": pc.sum(pc.is_in(found.column(FEATURES_OF), unstored)).as_py() or 0,
    }  # fmt: skip
    number = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    versions = {group.table.full_name: tables.version(settings, group.table) for group in groups}
    chosen = {str(day): str(of) for day, (of, is_stored) in sorted(seen.items()) if is_stored}
    return Receipt(receipt=number, versions=versions, features_of=chosen, **told)


def keep(settings: Settings, spine: Spine, drawn: TrainingSet) -> None:
    """Leave the set's receipt in the deployment's folder. Raises ConfigurationError where that can't be written."""
    receipts.keep(settings, drawn.receipt, spine.rows, drawn.computed)


def drawn_again(settings: Settings, spine: Spine, wish: Wish, first: Receipt) -> TrainingSet:
    """The training set of a receipt. Raises DataRejectedError when it can't be drawn, or is another one, with what is known of why."""
    try:
        again = draw(settings, spine, wish)
    except InputNotReadyError as error:
        raise DataRejectedError(
            f"Receipt [{first.receipt}] can't be drawn again, as dates that were stored then are no more: {error}"
        ) from error
    _expect_the_same(first, again.receipt)
    return again


def _expect_the_same(first: Receipt, again: Receipt) -> None:
    if first.result == again.result:
        return
    meant = sorted(table for table, spec in first.spec_hashes.items() if again.spec_hashes.get(table) != spec)
    because = f"the meaning of {meant} has changed since" if meant else "rows of its dates were erased, trimmed or changed in place since"
    raise DataRejectedError(
        f"Receipt [{first.receipt}] can't be drawn again: its [{again.rows}] rows are not those that were drawn, as {because}; draw a new set"
    )
