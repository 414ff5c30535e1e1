"""What lies in quarantine, read without a JVM. A row is open while the newest run of its delivery still sets it aside."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expectations.contracts import ops
from expectations.contracts.quarantine import quarantine_table
from jobs import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from conf.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """One rejected row of one run. record: JSON of the delivered text, personal columns as hashes."""

    feed: str
    target: str
    business_date: date
    file: str | None
    line: int | None
    rules: tuple[str, ...]
    record: str
    is_open: bool


def rejected(settings: Settings, feeds: Iterable[str], *, day: date | None = None, rule: str | None = None) -> list[Rejected]:
    """Rows set aside, by feed, date, file and line; of a rerun delivery those of its newest run are the open ones."""
    found = []
    for feed in feeds:
        newest = _newest_runs(settings, feed)
        for row in _rows(settings, feed):
            one = Rejected(
                feed=feed, target=row["target"], business_date=row["business_date"], file=row["file"], line=row["line"],
                rules=tuple(row["rules"]), record=row["record"], is_open=newest.get(row["business_date"], row["run_id"]) == row["run_id"],
            )  # fmt: skip
            if (day is None or one.business_date == day) and (rule is None or rule in one.rules):
                found.append(one)
    return sorted(found, key=lambda one: (one.feed, one.business_date, one.target, one.file or "", one.line or 0))


def _rows(settings: Settings, feed: str) -> list[dict[str, Any]]:
    opened = tables.log(settings, quarantine_table(feed))
    rows: list[dict[str, Any]] = opened.to_pyarrow_dataset().to_table().to_pylist() if opened else []
    return rows


def _newest_runs(settings: Settings, feed: str) -> dict[date, str]:
    """Per business date the run that delivered last."""
    import pyarrow.dataset as ds

    opened = tables.log(settings, ops.DELIVERY)
    if opened is None:
        return {}
    rows = (
        opened.to_pyarrow_dataset()
        .to_table(filter=ds.field("feed") == feed, columns=["business_date", "run_id", "finished_at"])
        .to_pylist()
    )
    return {row["business_date"]: row["run_id"] for row in sorted(rows, key=lambda row: row["finished_at"])}


def counted(rows: Sequence[Rejected]) -> list[str]:
    """One line per feed, date, table and set of rules: open and resolved rows."""
    counts = Counter((one.feed, str(one.business_date), one.target, ", ".join(one.rules), one.is_open) for one in rows)
    return [
        f"{feed}  {day}  {target}  {rules}  {number} {'open' if is_open else 'superseded'}"
        for (feed, day, target, rules, is_open), number in sorted(counts.items())
    ]


def described(row: Rejected) -> str:
    """One JSON line."""
    return json.dumps(
        {
            "feed": row.feed, "target": row.target, "business_date": str(row.business_date), "file": row.file, "line": row.line,
            "rules": list(row.rules), "open": row.is_open, "record": json.loads(row.record),
        },
        ensure_ascii=False,
    )  # fmt: skip
