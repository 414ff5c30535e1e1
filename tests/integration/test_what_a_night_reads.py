"""A night's own physical plan: it opens the months of tonight's and the leaving days' tiles, and of whom late facts concern the windows', however
long the history.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from features import catalogue
from features.spec import Feature
from features.states import frames
from jobs.build import tile_store
from jobs.context import JobContext
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build, expect_a_rebuild

Contexts = Callable[..., JobContext]

YEAR_END, JAN_31, FEB_01, FEB_02, FEB_03 = date(2023, 12, 31), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3)
RHYTHM, BALANCES = (next(group for group in catalogue.GROUPS if group.name == name) for name in ("rhythm", "balances"))
OUT = Feature(
    name="out", title="Spent", title_zh="支出", description="Spent", unit="minor units", type="bigint", sql="transaction_out_{w}", windows=(30, 365),
)  # fmt: skip
AUM = replace(OUT, name="aum", sql="balance_aum", windows=())
GIVEN = {
    "customers": "customer_key\n1",
    "accounts": "account_key\n1",
    "account_parties": "account_key\n1",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | business_date | amount
        older          | 2023-12-31    | 5
        leaves         | 2025-02-01    | 7
        a              | 2026-01-20    | 10
        b              | 2026-01-31    | 20
    """,
    "balances": """
        account_key | business_date | balance
        1           | 2023-12-15    | 800
        1           | 2025-12-31    | 900
        1           | 2026-01-15    | 1000
        1           | 2026-02-01    | 1100
        1           | 2026-02-02    | 1200
    """,
}  # fmt: skip
LATE = {"transactions": "transaction_id | business_date | amount\nlate | 2023-12-20 | 3"}

# Months that the partition filters of a scan let pass, and spans of days that its data filters do.
Scan = tuple[set[int], list[tuple[str, str]]]


def tile_scans(plan: Any) -> dict[str, list[Scan]]:
    """By table of day tiles its scans, those of fewest months first."""
    found: dict[str, list[Scan]] = defaultdict(list)
    leaves = plan.collectLeaves()
    for leaf in (leaves.apply(nth) for nth in range(leaves.size())):
        if "Scan parquet" not in leaf.nodeName():
            continue
        location, partitions, rows = (leaf.metadata().apply(name) for name in ("Location", "PartitionFilters", "DataFilters"))
        if table := re.search(r"features/(tile_\w+)", location):
            listed = re.findall(r"month#\d+ (?:IN \(([\d,]+)\)|INSET ([\d, ]+\d)|= (\d+))", partitions)
            months = {int(month) for one in listed for text in one for month in text.replace(" ", "").split(",") if month}
            spans = re.findall(r"\(\(business_date#\d+ >= (\S+)\) AND \(business_date#\d+ <= (\S+?)\)\)", rows)
            bounds = [re.findall(rf"business_date#\d+ {sign} ([\d-]+)", rows) for sign in (">=", "<=")]
            found[table[1]].append((months, sorted(spans) or [(max(bounds[0]), min(bounds[1]))]))
    return {name: sorted(scans, key=lambda scan: (not scan[0], len(scan[0]))) for name, scans in found.items()}


def test_a_night_opens_the_months_of_the_days_that_pass_a_border(context_for: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, [replace(RHYTHM, declared=(OUT,)), replace(BALANCES, declared=(AUM,))])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))

    def read_by(day: date) -> dict[str, list[Scan]]:
        """What the night's states are made of, as the job planned it."""
        plans, rolled = [], frames.rolled
        with monkeypatch.context() as patch:
            patch.setattr(frames, "rolled", lambda *given, **named: plans.append(rolled(*given, **named)) or plans[-1])
            build(context_for("features", day))
        (frame,) = plans
        return tile_scans(frame._jdf.queryExecution().sparkPlan())

    # As of 1 February the 2nd of January leaves 30 days, the 1st of February of last year 365. Of a level tonight's change is enough.
    assert read_by(FEB_01) == {
        "tile_transaction": [({202602, 202601, 202502}, [(day, day) for day in ("2025-02-01", "2026-01-02", "2026-02-01")])],
        "tile_balance": [({202602}, [("2026-02-01", "2026-02-01")])],
    }
    # Two years of history more: the next night reads as much as this one.
    build(context_for("features", YEAR_END))
    stored = tile_store.recorded(context_for().settings)
    assert stored is not None
    assert stored.since["balance"] < date(2023, 1, 1)
    assert read_by(FEB_02) == {
        "tile_transaction": [({202602, 202601, 202502}, [(day, day) for day in ("2025-02-02", "2026-01-03", "2026-02-02")])],
        "tile_balance": [({202602}, [("2026-02-02", "2026-02-02")])],
    }
    # A fact of 2023 comes late. Of whom it concerns a night reads what windows see, 365 days, and not the years that lie between; of a level all changes.
    deliver(context_for("ingest", FEB_03), LATE, datetime(2026, 2, 3))
    year = {*(202500 + month for month in range(2, 13)), 202601, 202602}
    scans = read_by(FEB_03)
    assert scans["tile_transaction"] == [
        ({202602, 202601, 202502}, [(day, day) for day in ("2025-02-03", "2026-01-04", "2026-02-03")]), (year, [("2025-02-04", "2026-02-03")])
    ]  # fmt: skip
    assert scans["tile_balance"] == [({202602}, [("2026-02-03", "2026-02-03")]), (set(), [("2022-09-30", "2026-02-03")])]
    expect_a_rebuild(context_for("features", FEB_03), [YEAR_END, JAN_31, FEB_01, FEB_02, FEB_03])
