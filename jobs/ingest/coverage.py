"""What has been ingested so far, read from the ops tables without a JVM."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from expectations.contracts import ops
from jobs import ledger, tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from conf.settings import Settings

# Medians look back over less than this; a retired feed's old volumes mean nothing.
LOOK_BACK_DAYS = 60


def missing(settings: Settings, *, group: str, days: Sequence[date]) -> list[date]:
    """The days that no finished ingest of the group covers."""
    spans = [_span(run["partition"]) for run in ledger.finished(settings, job="ingest", scope=group)]
    return [day for day in days if not any(since <= day <= until for since, until in spans)]


def _span(partition: str) -> tuple[date, date]:
    first, _, last = partition.partition("..")
    return date.fromisoformat(first), date.fromisoformat(last or first)


def delivered(settings: Settings, *, feeds: Collection[str], until: date) -> frozenset[date]:
    """The business dates up to `until` for which each of the feeds came, be it empty: neither a gap nor a waiver is a delivery."""
    import pyarrow.dataset as ds

    opened = tables.log(settings, ops.DELIVERY)
    if opened is None:
        return frozenset()
    wanted = ds.field("feed").isin(sorted(feeds)) & (ds.field("business_date") <= until)
    found = opened.to_pyarrow_dataset().to_table(filter=wanted, columns=["feed", "business_date"]).to_pylist()
    days: dict[str, set[date]] = {feed: set() for feed in feeds}
    for row in found:
        days[row["feed"]].add(row["business_date"])
    return frozenset.intersection(*map(frozenset, days.values())) if days else frozenset()


def rows_by_date(settings: Settings, *, feed: str, target: str, before: date) -> dict[date, int]:
    """Rows delivered of a feed for a table by earlier business date, as the newest run of each date counted them."""
    import pyarrow.dataset as ds

    opened = tables.log(settings, ops.DELIVERY)
    if opened is None:
        return {}
    wanted = (ds.field("feed") == feed) & (ds.field("target") == target) & (ds.field("business_date") < before)
    wanted &= ds.field("business_date") >= before - timedelta(days=LOOK_BACK_DAYS)
    found = opened.to_pyarrow_dataset().to_table(filter=wanted, columns=["business_date", "rows_in", "finished_at"]).to_pylist()
    return {row["business_date"]: row["rows_in"] for row in _oldest_first(found)}


def _oldest_first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["finished_at"]))
