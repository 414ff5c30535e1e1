"""The last night with faults: late and corrected rows that belong, and a few bad rows that must end up in quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from jobs.simulate.columns import Rows, picked
from jobs.simulate.draws import Bools

LATE_FEEDS = ("transactions", "channel_events")
LATE_REACH_DAYS = 20
CORRECTION_REACH_DAYS = 10
WRONG_BY_MINOR = 100
ROWS_A_BAD_ROW = 100


@dataclass(frozen=True, kw_only=True)
class NightFaults:
    """The business date, as a day number, on which late, corrected and bad rows come."""

    night: int


def _spread(rows: Rows) -> np.ndarray:
    return rows["serial"] * 2_654_435_761 % 1_000_003


def _late(rows: Rows, faults: NightFaults) -> Bools:
    recent = (rows["day"] < faults.night) & (rows["day"] >= faults.night - LATE_REACH_DAYS)
    return np.asarray(recent & (_spread(rows) % 83 == 3))


def _corrected(rows: Rows, faults: NightFaults) -> Bools:
    recent = (rows["day"] < faults.night) & (rows["day"] >= faults.night - CORRECTION_REACH_DAYS)
    return np.asarray(recent & (_spread(rows) % 89 == 5) & ~_late(rows, faults))


def _repeated(rows: Rows, faults: NightFaults) -> Bools:
    recent = (rows["day"] < faults.night) & (rows["day"] >= faults.night - CORRECTION_REACH_DAYS)
    return np.asarray(recent & (_spread(rows) % 97 == 7) & ~_late(rows, faults) & ~_corrected(rows, faults))


def first_delivery(feed: str, rows: Rows, faults: NightFaults) -> Rows:
    """What came at the time: late rows are missing, rows to be corrected are wrong."""
    on_time = picked(rows, ~_late(rows, faults))
    wrong = _corrected(on_time, faults)
    changed = dict(on_time)
    if feed == "transactions":
        changed["amount"] = on_time["amount"] + np.where(wrong, np.sign(on_time["amount"]) * WRONG_BY_MINOR, 0)
    else:
        changed["function"] = np.where(wrong, 0, on_time["function"])
    return {**changed, "delivered": on_time["day"]}


def last_night(feed: str, rows: Rows, faults: NightFaults) -> Rows:
    """What the night brings of earlier days: late rows, corrections, and rows that were delivered before and are the same."""
    del feed
    chosen = picked(rows, _late(rows, faults) | _corrected(rows, faults) | _repeated(rows, faults))
    return {**chosen, "delivered": np.full(chosen["day"].size, faults.night)}


def with_bad_rows(feed: str, table: pa.Table, *, business_date: date) -> pa.Table:
    """Add rows nobody can accept, few enough that the night goes on."""
    spoilt = BAD_ROWS.get(feed, ())
    if not spoilt or table.num_rows == 0:
        return table
    count = min(len(spoilt), max(1, table.num_rows // ROWS_A_BAD_ROW))
    rows = []
    for position, changes in enumerate(spoilt[:count]):
        row = table.slice(position % table.num_rows, 1).to_pylist()[0]
        rows.append(row | {name: value.replace("TOMORROW", str(business_date + timedelta(days=2))) for name, value in changes.items()})
    return pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)])


# Each entry changes a good row: unreadable amount, unknown account, future, no such date, unknown code.
BAD_ROWS: dict[str, tuple[dict[str, str], ...]] = {
    "transactions": (
        {"txn_id": "T900000000000000001", "amount": "12,5O"},
        {"txn_id": "T900000000000000002", "acct_no": "62179999999999999"},
        {"txn_id": "T900000000000000003", "posted_at": "TOMORROW 10:00:00"},
        {"txn_id": "T900000000000000004", "posted_at": "2026-02-30 10:00:00"},
        {"txn_id": "T900000000000000005", "txn_type": "barter"},
    ),
    "channel_events": (
        {"event_id": "E900000000000000001", "cust_no": "C9999999999"},
        {"event_id": "E900000000000000002", "channel": "pigeon"},
        {"event_id": "E900000000000000003", "occurred_at": "yesterday"},
        {"event_id": "E900000000000000004", "occurred_at": "TOMORROW 10:00:00"},
    ),
    "balances": ({"acct_no": "62179999999999998"},),
}
