"""Instalments of loans and of recurring deposits as day tiles: what fell due on a day, and what was paid on a day.

Only what was known on the day enters: an instalment paid late counts as missed on its due day, and as a late payment
on the day of the payment. So a later payment never changes an earlier date.
"""

from __future__ import annotations

import math

from features.measures import days_since, days_since_first, days_with, gap_squares, squares, total, total_after
from features.spec import Kind, Source, TileColumn

COLUMNS = (
    TileColumn(name="due_count", sql="case when is_due then 1 else 0 end", description="Instalments that fell due"),
    TileColumn(name="due", sql="case when is_due then due_minor else 0 end", description="Amount that fell due, minor units"),
    TileColumn(name="missed_count", sql="case when is_due and (paid_on is null or paid_on > due_on) then 1 else 0 end",
               description="Instalments not paid by their due day"),
    TileColumn(name="paid_count", sql="case when not is_due then 1 else 0 end", description="Instalments paid"),
    TileColumn(name="paid", sql="case when not is_due then coalesce(paid_minor, 0) else 0 end", description="Amount paid, minor units"),
    TileColumn(name="late_days", sql="case when is_due then 0 else datediff(paid_on, due_on) end",
               description="Days between due day and payment, negative when early"),
    *(TileColumn(name=f"{part}_millionths", description=f"{part} of the days of the month of the payments, a month being the circle, in millionths",
                 sql=f"case when is_due then 0 else cast(round(1000000 * {part}((dayofmonth(paid_on) - 1) * {2 * math.pi / 31!r})) as bigint) end")
      for part in ("cos", "sin")),
    TileColumn(name="early_count", sql="case when not is_due and paid_on < due_on then 1 else 0 end", description="Instalments paid early"),
)  # fmt: skip


def _source(name: str, title: str, title_zh: str, reads: str) -> Source:
    return Source(
        name=name, title=title, title_zh=title_zh, kind=Kind.EVENTS, reads=reads, columns=COLUMNS,
        measures=(
            *(total(column.name) for column in COLUMNS),
            days_since("missed_count", name="missed_gap_days"),
            days_with("paid_count", name="paid_days"),
            days_since("paid_count", name="paid_gap_days"),
            days_since_first("paid_count", name="first_paid_days"),
            gap_squares("paid_count", name="paid_gap_squares"),
            total("paid", name="paid_units", per=100),
            squares("paid", name="paid_squares", per=100),
            total_after("due_count", "missed_count", name="streak"),
        ),
    )  # fmt: skip


LOAN_INSTALMENT = _source("loan_instalment", "loan instalments", "贷款分期", "core.credit_instalment")
PLAN_INSTALMENT = _source("plan_instalment", "instalments of recurring deposits", "零存整取缴存", "core.deposit_instalment")
