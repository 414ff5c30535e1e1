"""Training sets from stored features: a spine's rows with what was known of them, and a receipt to draw them again."""

from __future__ import annotations

import bisect
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import catalogue
from jobs import tables
from jobs.build.wide import KEYS
from jobs.errors import DataRejectedError, InputNotReadyError, UsageError
from jobs.serving import lake, published
from jobs.serving.drawn import Drawn
from jobs.serving.published import Asked
from jobs.serving.spines import CUSTOMER, SHOWN, Spine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from conf.settings import Settings

FEATURES_OF = "features_of"
FOLDER = "training_sets"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a training set was drawn from. `versions` of tables are evidence only: VACUUM removes old ones, revisions stay."""

    receipt: str
    known_at: str
    purpose: str
    features: tuple[str, ...]
    max_age_days: int
    spec_hashes: Mapping[str, str]
    versions: Mapping[str, int]
    rows: int
    spine: str
    result: str


@dataclass(frozen=True)
class TrainingSet(Drawn):
    """Rows in the spine's order: its columns, `features_of` (the stored date they are of), the features by full name."""

    receipt: Receipt


def draw(settings: Settings, spine: Spine, names: Sequence[str], *, purpose: str, known_at: datetime, max_age_days: int) -> TrainingSet:
    """|out| = |spine|, in its order. Raises InputNotReadyError for rows whose date has no stored features that are young enough.

    A row's features are those stored for its as-of date, or for the newest date before it that is at most max_age_days older. A customer
    who was not open on that date gets nulls.
    """
    groups = published.groups_of(names)
    seen = _seen(settings, spine, names, max_age_days)
    # Of whom the spine does not speak nothing is looked at: the newest revisions of all rows of all its dates would be most of the work.
    asked = Asked(as_known_at=known_at, where=f"({', '.join(KEYS)}) in (select ({CUSTOMER}, {FEATURES_OF}) from spine)")
    asked = asked.of(min(seen.values()), max(seen.values())) if seen else asked
    parts = [published.rows(settings, group, published.names_of(group, names), asked) for group in groups]
    with lake.connect() as connection:
        connection.register("spine", _numbered(spine, seen))
        joins = "".join(
            f" left join ({part}) as g{n} on g{n}.customer_key = spine.{CUSTOMER} and g{n}.as_of_date = spine.{FEATURES_OF}"
            for n, part in enumerate(parts)
        )
        own = ", ".join(f'spine."{name}"' for name in spine.rows.column_names)
        found = connection.sql(
            f"select {own}, spine.{FEATURES_OF}, {', '.join(names)} from spine{joins} order by spine.row__"
        ).to_arrow_table()
    if found.num_rows != spine.rows.num_rows:
        raise DataRejectedError(
            f"[{found.num_rows}] rows for a spine of [{spine.rows.num_rows}]: a feature table repeats a customer and date"
        )
    return TrainingSet(found, _receipt(settings, spine, names, found, purpose=purpose, known_at=known_at, max_age_days=max_age_days))


def _seen(settings: Settings, spine: Spine, names: Sequence[str], max_age_days: int) -> dict[date, date]:
    """The stored date that each as-of date of the spine sees. Raises InputNotReadyError that says which rows see none."""
    stored = sorted(set.intersection(*(published.stored_dates(settings, group) for group in published.groups_of(names))))
    seen, beyond = {}, []
    for day in spine.days.dictionary.to_pylist():
        position = bisect.bisect_right(stored, day) - 1
        if position >= 0 and (day - stored[position]).days <= max_age_days:
            seen[day] = stored[position]
        else:
            beyond.append(day)
    if beyond:
        rows = [row for row, day in enumerate(spine.days.to_pylist()) if day not in seen]
        raise InputNotReadyError(
            f"[{len(rows)}] of [{len(spine.days)}] rows ask for dates without stored features, such as rows {rows[:SHOWN]} for "
            f"{sorted(map(str, beyond))[:SHOWN]}; stored are {_described(stored)}. Build them with `kequn features`, or take older ones with max_age_days"
        )
    return seen


def _described(stored: Sequence[date]) -> str:
    return f"[{len(stored)}] dates from [{stored[0]}] to [{stored[-1]}]" if stored else "none"


def _numbered(spine: Spine, seen: Mapping[date, date]) -> pa.Table:
    import pyarrow as pa

    of = pa.array([seen[day] for day in spine.days.dictionary.to_pylist()], pa.date32()).take(spine.days.indices)
    return spine.rows.append_column(FEATURES_OF, of).append_column("row__", pa.array(range(len(spine.days)), pa.int64()))


# --- receipts -----------------------------------------------------------------------------------------------------


def digest(rows: pa.Table) -> str:
    """Of the rows' text in their order, whatever their chunks."""
    if not rows.num_rows:
        return hashlib.sha256(repr(rows.column_names).encode()).hexdigest()
    with lake.connect() as connection:
        connection.register("hashed", rows)
        text = ", ".join(f"coalesce(cast(\"{name}\" as varchar), '␀')" for name in rows.column_names)
        lines = connection.sql(f"select md5(concat_ws('␟', {text})) from hashed").to_arrow_table().column(0)
    return hashlib.sha256((repr(rows.column_names) + "".join(lines.to_pylist())).encode()).hexdigest()


def _receipt(
    settings: Settings, spine: Spine, names: Sequence[str], found: pa.Table, *, purpose: str, known_at: datetime, max_age_days: int
) -> Receipt:  # fmt: skip
    groups = published.groups_of(names)
    told: dict[str, Any] = {
        "known_at": known_at.astimezone(UTC).isoformat(), "purpose": purpose, "features": tuple(names), "max_age_days": max_age_days,
        "spec_hashes": {group.table.full_name: catalogue.spec_hash(group) for group in groups}, "rows": found.num_rows, "spine": digest(spine.rows),
        "result": digest(found),
    }  # fmt: skip
    number = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    versions = {group.table.full_name: tables.version(settings, group.table) for group in groups}
    return Receipt(receipt=number, versions=versions, **told)


def keep(settings: Settings, spine: Spine, receipt: Receipt) -> Path:
    """Put the receipt and its spine into the deployment's folder; returns where."""
    import pyarrow.parquet as pq

    folder = settings.home / FOLDER / receipt.receipt
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(spine.rows, folder / "spine.parquet", compression="zstd")
    (folder / "receipt.json").write_text(json.dumps(asdict(receipt), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return folder


def kept(settings: Settings, number: str) -> tuple[Receipt, pa.Table]:
    """A receipt and its spine. Raises UsageError for a number that there is none of."""
    import pyarrow.parquet as pq

    folder = settings.home / FOLDER / number
    if not (folder / "receipt.json").is_file():
        there = sorted(path.parent.name for path in (settings.home / FOLDER).glob("*/receipt.json"))
        raise UsageError(f"There is no receipt [{number}] in [{settings.home / FOLDER}]; there are {there}")
    told = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))
    return Receipt(**told | {"features": tuple(told["features"])}), pq.read_table(folder / "spine.parquet")


def expect_the_same(first: Receipt, again: Receipt) -> None:
    """Raises DataRejectedError when a set drawn again is another one, with what is known of why."""
    if first.result == again.result:
        return
    meant = sorted(table for table, spec in first.spec_hashes.items() if again.spec_hashes.get(table) != spec)
    because = f"the meaning of {meant} has changed since" if meant else "rows of its dates were erased, trimmed or changed in place since"
    raise DataRejectedError(f"Receipt [{first.receipt}] can't be drawn again: [{again.rows}] rows differ from what was drawn, as {because}")
