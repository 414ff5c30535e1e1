"""Quarantine tables: rows set aside with a reason, one table per feed. Appended, never restated; a replay is another fact."""

from __future__ import annotations

from expectations.contracts.ops import RUN_ID
from expectations.contracts.types import Column, Table, Write


def quarantine_table(feed: str) -> Table:
    """The table that keeps a feed's rejected rows. Grain: run × rejected row × target."""
    return Table(
        layer="quarantine", name=feed, title=f"Rejected rows of {feed}", title_zh="隔离数据",
        grain="run × rejected row × target", key=("run_id", "target", "file", "line"), write=Write.APPEND, date="business_date",
        columns=(
            RUN_ID,
            Column(name="feed", type="string", description="Feed", nullable=False),
            Column(name="target", type="string", description="Core table the row was meant for", nullable=False),
            Column(name="business_date", type="date", description="Business date of the delivery", nullable=False),
            Column(name="file", type="string", description="File within the landing zone"),
            Column(name="line", type="bigint", description="Line in the file, 1 for the first; null where a file is read in parts"),
            Column(name="rules", type="array<string>", description="Ids of the rules that the row breaks", nullable=False),
            Column(name="record", type="string", description="The delivered row as JSON, personal columns as keyed hashes"),
        ),
    )  # fmt: skip
