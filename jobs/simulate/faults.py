"""What goes wrong with deliveries: a catalogue of faults, each of which breaks one existing delivery in one way.

`FAULTS["checksum_differs"](landing, feed, business_date)` breaks the delivery in place. The manifest is written anew, so that it
vouches for the broken file, except where the fault is about the manifest or about the file not being what the manifest says.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from jobs.simulate.landing import FORMATS, MANIFEST, file_bytes, folder, read_delivery, rewrite, write_manifest

JsonObject = dict[str, Any]
Outcome = Literal["rejected", "not_ready", "quarantined", "unchanged"]
Change = Callable[[Path, str, date], None]
Row = dict[str, str | None]

AMOUNT_COLUMN = {
    "transactions": "amount", "balances": "ledger_balance", "loans": "outstanding", "cards": "balance", "instalments": "due_amount",
    "deposit_plans": "instalment", "deposit_instalments": "due_amount", "rates": "value",
}  # fmt: skip
DATE_COLUMN = {
    "transactions": "posted_at", "balances": "balance_date", "channel_events": "occurred_at", "customers": "open_date",
    "accounts": "open_date", "account_parties": "from_date", "customer_merges": "merged_on", "contacts": "sent_at", "loans": "change_date",
    "cards": "change_date", "instalments": "due_date", "deposit_plans": "start_date", "deposit_instalments": "due_date",
}  # fmt: skip
ACCOUNT_FEEDS = ("transactions", "balances", "loans", "cards", "instalments", "deposit_plans", "deposit_instalments")
EVENT_FEEDS = ("transactions", "balances", "channel_events", "contacts", "loans", "cards")
NEVER_EMPTY = ("transactions", "balances", "channel_events")
CSV_FEEDS = tuple(feed for feed, layout in FORMATS.items() if layout.kind == "csv")
GZIP_FEEDS = tuple(feed for feed, layout in FORMATS.items() if layout.is_gzip)
LINE_FEEDS = tuple(feed for feed, layout in FORMATS.items() if layout.kind != "parquet")
ORDERED_FEEDS = tuple(feed for feed, layout in FORMATS.items() if layout.kind != "json")
NOBODYS_ACCOUNT = "62179999999999999"
NOBODY = "C9999999999"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A way to break a delivery that holds rows. `expected` is what ingest must make of it:

    rejected: exit 20, nothing lands · not_ready: exit 30 · quarantined: the bad rows only · unchanged: the tables as without the fault.
    """

    name: str
    because: str
    apply: Change
    expected: Outcome
    feeds: tuple[str, ...] = tuple(FORMATS)

    def __call__(self, landing: Path, feed: str, business_date: date) -> None:
        """Break the delivery. Raises ValueError for a feed that can't have this fault, or a delivery without rows."""
        if feed not in self.feeds:
            raise ValueError(f"fault [{self.name}] does not apply to feed [{feed}]; it does to {', '.join(self.feeds)}")
        if _data_file(landing, feed, business_date) is None:
            raise ValueError(f"the delivery of [{feed}] for [{business_date}] holds no file that fault [{self.name}] could break")
        self.apply(landing, feed, business_date)


def _data_file(landing: Path, feed: str, day: date) -> Path | None:
    path = folder(landing, feed=feed, business_date=day) / FORMATS[feed].file_name
    return path if path.exists() else None


def _path(landing: Path, feed: str, day: date) -> Path:
    return folder(landing, feed=feed, business_date=day) / FORMATS[feed].file_name


def _change_manifest(landing: Path, feed: str, day: date, change: Callable[[JsonObject], None]) -> None:
    target = folder(landing, feed=feed, business_date=day)
    content = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    change(content)
    write_manifest(target, content)


def _no_manifest(landing: Path, feed: str, day: date) -> None:
    (folder(landing, feed=feed, business_date=day) / MANIFEST).unlink()


def _row_count(landing: Path, feed: str, day: date) -> None:
    def one_more(content: JsonObject) -> None:
        content["files"][0]["rows"] += 1
        content["rows"] += 1

    _change_manifest(landing, feed, day, one_more)


def _checksum(landing: Path, feed: str, day: date) -> None:
    def other(content: JsonObject) -> None:
        content["files"][0]["sha256"] = "0" * 64

    _change_manifest(landing, feed, day, other)


def _another_bank(landing: Path, feed: str, day: date) -> None:
    _change_manifest(landing, feed, day, lambda content: content.update(source="another_bank"))


def _truncate(landing: Path, feed: str, day: date) -> None:
    path = _path(landing, feed, day)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _truncate_vouched(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    content = file_bytes(FORMATS[feed], table)
    rewrite(landing, feed=feed, business_date=day, table=table, content=content[: len(content) * 2 // 3])


def _plain_bytes(feed: str, table: pa.Table) -> bytes:
    content = file_bytes(FORMATS[feed], table)
    return gzip.decompress(content) if FORMATS[feed].is_gzip else content


def _packed(feed: str, content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0) if FORMATS[feed].is_gzip else content


def _half_line(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    content = _plain_bytes(feed, table).rstrip(b"\n")
    last = content.rfind(b"\n") + 1
    cut = content[: last + (len(content) - last) // 2]
    told = _edited(table, table.num_rows - 1, dict.fromkeys(table.column_names))  # what the manifest's control sum sees of it
    rewrite(landing, feed=feed, business_date=day, table=told, content=_packed(feed, cut))


def _wrong_encoding(landing: Path, feed: str, day: date) -> None:
    """The feed in GB18030 comes as UTF-8; all others, plain ASCII for the most part, as UTF-16."""
    table = read_delivery(landing, feed=feed, business_date=day)
    declared = FORMATS[feed].encoding
    sent = "utf-8" if declared == "gb18030" else "utf-16"
    content = _plain_bytes(feed, table).decode(declared).encode(sent)
    rewrite(landing, feed=feed, business_date=day, table=table, content=_packed(feed, content))


def _columns(change: Callable[[pa.Table], pa.Table]) -> Change:
    def apply(landing: Path, feed: str, day: date) -> None:
        rewrite(landing, feed=feed, business_date=day, table=change(read_delivery(landing, feed=feed, business_date=day)))

    return apply


def _renamed(table: pa.Table) -> pa.Table:
    names = table.column_names
    return table.rename_columns([*names[:-1], names[-1] + "_new"])


def _reordered(table: pa.Table) -> pa.Table:
    names = table.column_names
    return table.select([names[1], names[0], *names[2:]])


def _amounts_as_double(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    position = table.column_names.index("amount")
    changed = table.set_column(position, "amount", table.column("amount").cast(pa.float64()))
    rewrite(landing, feed=feed, business_date=day, table=table, content=file_bytes(FORMATS[feed], changed))


def _edited(table: pa.Table, position: int, changes: Mapping[str, str | None]) -> pa.Table:
    rows: list[Row] = table.to_pylist()
    rows[position] = rows[position] | dict(changes)
    return pa.Table.from_pylist(rows, schema=table.schema)


def _appended(table: pa.Table, changes: Mapping[str, str | None]) -> pa.Table:
    first: Row = table.slice(0, 1).to_pylist()[0]
    return pa.concat_tables([table, pa.Table.from_pylist([first | dict(changes)], schema=table.schema)])


def _first_row(change: Callable[[str, Row, date], Row]) -> Change:
    def apply(landing: Path, feed: str, day: date) -> None:
        table = read_delivery(landing, feed=feed, business_date=day)
        first: Row = table.slice(0, 1).to_pylist()[0]
        rewrite(landing, feed=feed, business_date=day, table=_edited(table, 0, change(feed, first, day)))

    return apply


def continental(amount: str | None) -> str | None:
    """1234.56 written as 1.234,56."""
    if amount is None:
        return None
    return f"{float(amount):,.2f}".translate(str.maketrans(",.", ".,"))


def _continental_file(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    column = AMOUNT_COLUMN[feed]
    amounts = pa.array([continental(amount) for amount in table.column(column).to_pylist()], pa.string())
    rewrite(landing, feed=feed, business_date=day, table=table.set_column(table.column_names.index(column), column, amounts))


def _impossible_date(feed: str, row: Row, _: date) -> Row:
    column = DATE_COLUMN[feed]
    return {column: "2026-02-30" + (row[column] or "")[10:]}


def _future(feed: str, row: Row, day: date) -> Row:
    column = DATE_COLUMN[feed]
    return {column: (day + timedelta(days=3)).isoformat() + (row[column] or "")[10:]}


def _orphan(feed: str, _: Row, __: date) -> Row:
    return {"acct_no": NOBODYS_ACCOUNT} if feed in ACCOUNT_FEEDS else {"cust_no": NOBODY}


def _twice_equal(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    rewrite(landing, feed=feed, business_date=day, table=_appended(table, {}))


def _twice_different(landing: Path, feed: str, day: date) -> None:
    table = read_delivery(landing, feed=feed, business_date=day)
    change = {AMOUNT_COLUMN[feed]: "77777.77"} if feed in AMOUNT_COLUMN else {OTHER_CONTENT[feed][0]: OTHER_CONTENT[feed][1]}
    rewrite(landing, feed=feed, business_date=day, table=_appended(table, change))


def _yesterdays(landing: Path, feed: str, day: date) -> None:
    yesterday = read_delivery(landing, feed=feed, business_date=day - timedelta(days=1))
    rewrite(landing, feed=feed, business_date=day, table=yesterday)


def _empty(landing: Path, feed: str, day: date) -> None:
    rewrite(landing, feed=feed, business_date=day, table=read_delivery(landing, feed=feed, business_date=day).slice(0, 0))


# A column outside the key, and a lawful other value, for feeds without an amount.
OTHER_CONTENT = {
    "customers": ("mobile", "13900000000"), "accounts": ("branch_no", "B9999"), "account_parties": ("to_date", "2099-01-01"),
    "channel_events": ("function", "home_other"), "customer_merges": ("merged_on", "2015-01-01"), "contacts": ("channel", "email"),
    "consents": ("granted", "unheard"), "products": ("name_en", "Another name"),
}  # fmt: skip

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(name="manifest_missing", because="a feed without its manifest is not complete", apply=_no_manifest, expected="not_ready"),
        Fault(name="row_count_differs", because="the manifest tells one row more", apply=_row_count, expected="rejected"),
        Fault(name="checksum_differs", because="the file is not the one the manifest tells of", apply=_checksum, expected="rejected"),
        Fault(name="feed_of_another_bank", because="the manifest names another source", apply=_another_bank, expected="rejected"),
        Fault(name="gzip_truncated", because="a transfer broke off", apply=_truncate, expected="rejected", feeds=GZIP_FEEDS),
        Fault(name="gzip_truncated_vouched", because="the bank itself packed half a file", apply=_truncate_vouched, expected="rejected",
              feeds=GZIP_FEEDS),
        Fault(name="last_line_half_written", because="the export was cut in a row", apply=_half_line, expected="rejected", feeds=LINE_FEEDS),
        Fault(name="encoding_wrong", because="the export changed its character set", apply=_wrong_encoding, expected="rejected",
              feeds=LINE_FEEDS),
        Fault(name="column_missing", because="the last column is gone", expected="rejected",
              apply=_columns(lambda table: table.select(table.column_names[:-1]))),
        Fault(name="column_extra", because="a column nobody knows", expected="rejected",
              apply=_columns(lambda table: table.append_column("surprise", pa.array(["?"] * table.num_rows, pa.string())))),
        Fault(name="column_renamed", because="the last column has another name", apply=_columns(_renamed), expected="rejected"),
        Fault(name="columns_reordered", because="the first two columns changed places", apply=_columns(_reordered), expected="rejected",
              feeds=ORDERED_FEEDS),
        Fault(name="column_type_changed", because="amounts come as binary doubles, which can't hold every cent", apply=_amounts_as_double,
              expected="rejected", feeds=("transactions",)),
        Fault(name="decimals_continental", because="the whole export has 1.234,56", apply=_continental_file, expected="rejected",
              feeds=tuple(AMOUNT_COLUMN)),
        Fault(name="decimal_continental_in_a_row", because="one row has 1.234,56", expected="quarantined", feeds=tuple(AMOUNT_COLUMN),
              apply=_first_row(lambda feed, row, _: {AMOUNT_COLUMN[feed]: continental(row[AMOUNT_COLUMN[feed]])})),
        Fault(name="date_impossible", because="there is no 30 February", apply=_first_row(_impossible_date), expected="quarantined",
              feeds=tuple(DATE_COLUMN)),
        Fault(name="event_of_the_future", because="an event after the business date of its delivery", apply=_first_row(_future),
              expected="quarantined", feeds=EVENT_FEEDS),
        Fault(name="orphan", because="an account or customer that nobody knows", apply=_first_row(_orphan), expected="quarantined",
              feeds=(*ACCOUNT_FEEDS, "channel_events", "contacts")),
        Fault(name="file_of_yesterday_again", because="yesterday's content is delivered as today's", apply=_yesterdays, expected="unchanged",
              feeds=NEVER_EMPTY),
        Fault(name="key_twice_equal", because="a row comes twice", apply=_twice_equal, expected="unchanged"),
        Fault(name="key_twice_different", because="two rows say different things of one key: neither can be trusted", apply=_twice_different,
              expected="quarantined"),
        Fault(name="empty_on_business_day", because="a day without a single row is not believable", apply=_empty, expected="rejected",
              feeds=NEVER_EMPTY),
    )
}  # fmt: skip
