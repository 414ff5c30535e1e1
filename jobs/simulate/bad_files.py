"""Bad files of every kind, one kind on each of the working days after the last night, and the list of all that is planted.

On working days, because an empty feed is believable on others. Reference feeds stay whole: facts of the same date could not be judged.
"""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta
from pathlib import Path

from conf import sources
from jobs.errors import UsageError
from jobs.simulate.faults import FAULTS, NEVER_EMPTY
from jobs.simulate.landing import MANIFEST, folder
from jobs.simulate.night import BAD_ROWS, bad_rows

MAPPING = "bank"
LIST = "faults.json"
YESTERDAYS = "file_of_yesterday_again"
# Of fewer rows a whole export of unreadable amounts is not told from a few bad rows. One row is enough for all other kinds.
ROWS_NEEDED = {"decimals_continental": 3}

Planted = dict[str, object]

KINDS_OF_ROWS = {kind for of_feed in BAD_ROWS.values() for kind in of_feed}
# What leaves tables as they are comes first: yesterday's file again must be of a yesterday that is whole.
KINDS = tuple(sorted(FAULTS.keys() - KINDS_OF_ROWS, key=lambda kind: (FAULTS[kind].expected != "unchanged", list(FAULTS).index(kind))))


def nights_after(last: date) -> dict[str, date]:
    """Kind of bad file -> the working day it comes on."""
    calendar = sources.calendar(sources.load(MAPPING).calendar)
    following = (last + timedelta(days=nth) for nth in itertools.count(1))
    return dict(zip(KINDS, (day for day in following if calendar.is_working_day(day)), strict=False))


def plant(landing: Path, nights: dict[str, date]) -> list[Planted]:
    """Break one delivery a night; what was planted where. Raises UsageError for a night too small to be broken."""
    chosen = [(FAULTS[kind], _largest(landing, kind, day), day) for kind, day in nights.items()]
    for fault, feed, day in chosen:
        fault(landing, feed, day)
    return [_planted(fault.name, feed, day, expected=fault.expected) for fault, feed, day in chosen]


def rows_planted(night: date) -> list[Planted]:
    """The bad rows of the night: which columns of a good row were changed to what, row by row."""
    return [
        _planted(kind, feed, night, expected="unchanged" if kind == "key_twice_equal" else "quarantined") | {"rows": list(changes)}
        for feed in BAD_ROWS for kind, changes in bad_rows(feed, business_date=night).items()
    ]  # fmt: skip


def write_list(truth: Path, planted: list[Planted]) -> None:
    """The list beside the landing zone: fault, feed, business date, and what ingest must make of it."""
    (truth / LIST).write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")


def _planted(kind: str, feed: str, day: date, *, expected: str) -> Planted:
    return {"fault": kind, "feed": feed, "business_date": day.isoformat(), "expected": expected}


def _largest(landing: Path, kind: str, day: date) -> str:
    """The feed with the most rows of those that can have the fault."""
    read = day - timedelta(days=1) if kind == YESTERDAYS else day
    sizes = {feed: _rows(landing, feed, read) for feed in NEVER_EMPTY if feed in FAULTS[kind].feeds}
    needed = ROWS_NEEDED.get(kind, 1)
    largest = max(sizes, key=lambda feed: sizes[feed])
    if sizes[largest] < needed:
        raise UsageError(
            f"Fault [{kind}] needs a delivery of at least [{needed}] rows on [{read}], there are {sizes}; "
            "simulate more --customers, or plant --faults rows only"
        )
    return largest


def _rows(landing: Path, feed: str, day: date) -> int:
    content = json.loads((folder(landing, feed=feed, business_date=day) / MANIFEST).read_text(encoding="utf-8"))
    return int(content["rows"])
