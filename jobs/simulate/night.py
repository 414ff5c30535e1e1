"""The last night with faults: late, corrected and deleted rows that belong, and bad rows of every kind that must end up in quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from jobs.simulate.columns import Rows, joined, picked
from jobs.simulate.draws import Bools

LATE_FEEDS = ("transactions", "channel_events")
LATE_REACH_DAYS = 20
CORRECTION_REACH_DAYS = 10
WRONG_BY_MINOR = 100
SERIAL_OF_COPY = 5 * 10**17  # is added to the serial of a row that was told twice under two numbers
Changes = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class NightFaults:
    """The business date, as a day number, on which late, corrected, deleted and bad rows come."""

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


def _copies(rows: Rows, faults: NightFaults) -> Rows:
    """Rows that never were: the bank told some twice, under another number."""
    recent = (rows["day"] < faults.night) & (rows["day"] >= faults.night - CORRECTION_REACH_DAYS)
    chosen = picked(rows, np.asarray(recent & (_spread(rows) % 101 == 9) & ~_late(rows, faults) & ~_corrected(rows, faults)))
    return {**chosen, "serial": chosen["serial"] + SERIAL_OF_COPY}


def first_delivery(feed: str, rows: Rows, faults: NightFaults) -> Rows:
    """What came at the time: late rows are missing, rows to be corrected are wrong, some came twice."""
    on_time = picked(rows, ~_late(rows, faults))
    wrong = _corrected(on_time, faults)
    changed = dict(on_time)
    if feed == "transactions":
        changed["amount"] = on_time["amount"] + np.where(wrong, np.sign(on_time["amount"]) * WRONG_BY_MINOR, 0)
    else:
        changed["function"] = np.where(wrong, 0, on_time["function"])
    told = joined([changed, _copies(rows, faults)], rows)
    return {**told, "delivered": told["day"], "deleted": np.zeros_like(told["day"])}


def last_night(feed: str, rows: Rows, faults: NightFaults) -> Rows:
    """What the night brings of earlier days: late rows, corrections, rows that were delivered before and are the same, and that copies never were."""
    del feed
    chosen = picked(rows, _late(rows, faults) | _corrected(rows, faults) | _repeated(rows, faults))
    copies = _copies(rows, faults)
    told = joined([chosen, copies], rows)
    deleted = np.repeat([0, 1], [chosen["day"].size, copies["day"].size])
    return {**told, "delivered": np.full(told["day"].size, faults.night), "deleted": deleted}


def bad_rows(feed: str, *, business_date: date) -> dict[str, tuple[Changes, ...]]:
    """What is wrong -> how its rows differ from a good one, in the words of the delivery."""
    tomorrow = str(business_date + timedelta(days=2))
    return {
        kind: tuple({name: value.replace("TOMORROW", tomorrow) for name, value in changes.items()} for changes in rows)
        for kind, rows in BAD_ROWS.get(feed, {}).items()
    }


def with_bad_rows(table: pa.Table, bad: Iterable[tuple[Changes, ...]], *, good: pa.Table) -> pa.Table:
    """Add rows nobody can accept, made from `good` ones: every kind, whatever the size of the night."""
    rows = []
    for position, kind in enumerate(bad):
        row = good.slice(position % good.num_rows, 1).to_pylist()[0]
        rows += [row | changes for changes in kind]
    return pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)])


# Kind -> changes of one good row, one bad row each. Of no feed are more set aside than `quality.quarantined_rows_free`: the night goes on.
BAD_ROWS: dict[str, dict[str, tuple[Changes, ...]]] = {
    "transactions": {
        "amount_unreadable": ({"txn_id": "T900000000000000001", "amount": "12,5O"},),
        "orphan": ({"txn_id": "T900000000000000002", "acct_no": "62179999999999999"},),
        "event_of_the_future": ({"txn_id": "T900000000000000003", "posted_at": "TOMORROW 10:00:00"},),
        "date_impossible": ({"txn_id": "T900000000000000004", "posted_at": "2026-02-30 10:00:00"},),
        "code_unknown": ({"txn_id": "T900000000000000005", "txn_type": "barter"},),
        "decimal_continental_in_a_row": ({"txn_id": "T900000000000000006", "amount": "1.234,56"},),
        "key_twice_different": (
            {"txn_id": "T900000000000000007", "amount": "1"},
            {"txn_id": "T900000000000000007", "amount": "2"},
        ),
        "key_twice_equal": ({}, {}),
    },
    "channel_events": {
        "orphan": ({"event_id": "E900000000000000001", "cust_no": "C9999999999"},),
        "code_unknown": ({"event_id": "E900000000000000002", "channel": "pigeon"},),
        "time_unreadable": ({"event_id": "E900000000000000003", "occurred_at": "yesterday"},),
        "event_of_the_future": ({"event_id": "E900000000000000004", "occurred_at": "TOMORROW 10:00:00"},),
        "date_impossible": ({"event_id": "E900000000000000005", "occurred_at": "2026-02-30 10:00:00"},),
    },
    "balances": {"orphan": ({"acct_no": "62179999999999998"},)},
}
