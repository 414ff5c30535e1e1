"""From the blocks' spill files to a month of deliveries, day by day, blocks in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobs.errors import UsageError
from jobs.simulate import catalogue as c
from jobs.simulate.block import spill_path
from jobs.simulate.columns import FEED_COLUMNS, Rows, joined, picked
from jobs.simulate.encode import encode
from jobs.simulate.landing import Delivered, deliver
from jobs.simulate.night import LATE_FEEDS, LATE_REACH_DAYS, NightFaults, bad_rows, first_delivery, last_night, with_bad_rows
from jobs.simulate.rates import rate_rows
from jobs.simulate.seasons import Month, as_date


@dataclass(frozen=True, kw_only=True)
class MonthOrder:
    """What a worker needs to deliver one month."""

    month: Month
    blocks: int
    spill: Path
    landing: Path
    faults: NightFaults | None


def deliver_month(order: MonthOrder) -> tuple[Counter[str], Counter[str]]:
    """Write every feed of every day of the month; returns rows and bytes by feed."""
    rows: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for delivered in (*_global_feeds(order), *(one for feed in FEED_COLUMNS for one in _feed(order, feed))):
        rows[delivered.feed] += delivered.rows
        size[delivered.feed] += delivered.size
    return rows, size


def _feed(order: MonthOrder, feed: str) -> Iterable[Delivered]:
    month = order.month
    rows = _load(order, feed, month.index)
    if order.faults is not None and feed in LATE_FEEDS:
        rows = _with_late_rows(order, feed, rows)
    rows = picked(rows, np.argsort(rows["delivered" if "delivered" in rows else "day"], kind="stable"))
    day = rows.pop("delivered", rows["day"])
    table = encode(feed, rows)
    edges = np.searchsorted(day, np.arange(month.delivered_from, month.delivered_to + 2))
    for position, number in enumerate(range(month.delivered_from, month.delivered_to + 1)):
        part = table.slice(edges[position], edges[position + 1] - edges[position])
        if order.faults is not None and number == order.faults.night:
            part = _spoilt(order, feed, part, night=number)
        yield deliver(order.landing, feed=feed, business_date=as_date(number), table=part)


def _spoilt(order: MonthOrder, feed: str, part: pa.Table, *, night: int) -> pa.Table:
    bad = bad_rows(feed, business_date=as_date(night))
    if not bad:
        return part
    return with_bad_rows(part, bad.values(), good=part if part.num_rows else _latest(order, feed, until=night))


def _latest(order: MonthOrder, feed: str, *, until: int) -> pa.Table:
    """The latest row before a night that brings none, as a small bank's may. Raises UsageError where there never was one."""
    for month in range(order.month.index, -1, -1):
        rows = _load(order, feed, month)
        days = np.where(rows["day"] <= until, rows["day"], -1)
        if days.size and days.max() >= 0:
            return encode(feed, picked(rows, np.array([days.argmax()])))
    raise UsageError(
        f"No row of [{feed}] until [{as_date(until)}] that a bad one could be made from; simulate more --customers or --months"
    )


def _load(order: MonthOrder, feed: str, month: int) -> Rows:
    parts = []
    for block in range(order.blocks):
        with np.load(spill_path(order.spill, block=block, month=month)) as spilled:
            parts.append({name: spilled[f"{feed}.{name}"] for name in FEED_COLUMNS[feed]})
    return joined(parts, FEED_COLUMNS[feed])


def _with_late_rows(order: MonthOrder, feed: str, rows: Rows) -> Rows:
    """The month as first delivered, and in the night with faults what comes late, corrected or deleted from this month and the one before."""
    assert order.faults is not None
    parts = [first_delivery(feed, rows, order.faults)]
    if order.month.delivered_from <= order.faults.night <= order.month.delivered_to:
        reach = order.faults.night - LATE_REACH_DAYS
        if order.month.index > 0 and reach < order.month.first:
            parts.append(last_night(feed, _load(order, feed, order.month.index - 1), order.faults))
        parts.append(last_night(feed, rows, order.faults))
    return joined(parts, (*FEED_COLUMNS[feed], "delivered", "deleted"))


def _global_feeds(order: MonthOrder) -> Iterable[Delivered]:
    month = order.month
    for number in range(month.delivered_from, month.delivered_to + 1):
        is_first = month.index == 0 and number == month.delivered_from
        rates = rate_rows(month, first=is_first) if number == month.delivered_from else []
        yield deliver(order.landing, feed="rates", business_date=as_date(number), table=pa.Table.from_pylist(rates) if rates else None)
        products = _product_rows() if is_first else None
        yield deliver(order.landing, feed="products", business_date=as_date(number), table=products)


def _product_rows() -> pa.Table:
    return pa.Table.from_pylist([
        {"product_code": one.code, "family": one.family, "name_en": one.en, "name_zh": one.zh, "is_asset": "true" if one.is_asset else "false"}
        for one in c.PRODUCTS
    ])  # fmt: skip
