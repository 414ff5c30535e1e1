"""Segments and labels as stored. Feature groups and day tiles declare their own tables from features' specs."""

from __future__ import annotations

from expectations.contracts.types import VALID, Column, Sensitivity, Table, Write

CUSTOMER_KEY = Column(name="customer_key", type="bigint", description="Customer", nullable=False, sensitivity=Sensitivity.C2)
AS_OF_DATE = Column(name="as_of_date", type="date", description="Everything up to this business date is seen", nullable=False)


def _text(name: str, description: str, *, nullable: bool = True) -> Column:
    return Column(name=name, type="string", description=description, nullable=nullable)


SEGMENT_DAILY = Table(
    layer="features", name="segment_daily", title="Segments by date", title_zh="每日客群", grain="customer × as_of_date × scheme",
    key=("customer_key", "as_of_date", "scheme"), write=Write.REPLACE, date="as_of_date", partition_by=("month",),
    columns=(
        CUSTOMER_KEY,
        AS_OF_DATE,
        _text("scheme", "Segmentation scheme", nullable=False),
        _text("segment", "Segment: code", nullable=False),
        _text("because", "The rule that put the customer there", nullable=False),
        Column(name="version", type="int", description="Version of the scheme's rules and cut-points", nullable=False),
    ),
)  # fmt: skip

SEGMENT_MEMBERSHIP = Table(
    layer="features", name="segment_membership", title="Membership of segments", title_zh="客群归属历史",
    grain="customer × scheme × validity interval", key=("customer_key", "scheme"), write=Write.INTERVALS, interval=VALID,
    columns=(
        CUSTOMER_KEY,
        _text("scheme", "Segmentation scheme", nullable=False),
        _text("segment", "Segment: code; null: no longer an open customer"),
    ),
)  # fmt: skip


def label_table(name: str, *, title: str, title_zh: str, label: str, unit: str) -> Table:
    """Contract of a label: who was eligible on a date, whether the outcome is known, and what it was."""
    return Table(
        layer="features", name=f"label_{name}", title=title, title_zh=title_zh, grain="customer × as_of_date",
        key=("customer_key", "as_of_date"), write=Write.REPLACE, date="as_of_date", partition_by=("month",),
        columns=(
            CUSTOMER_KEY,
            AS_OF_DATE,
            Column(name="is_eligible", type="boolean", description="Belongs to the population the label is about", nullable=False),
            Column(name="is_censored", type="boolean", description="Outcome not fully seen", nullable=False),
            Column(name="label", type="bigint", description=f"{label}; null when censored", unit=unit, sensitivity=Sensitivity.C2),
            _text("reason", "Why not eligible, or why censored; null for a usable row"),
        ),
    )  # fmt: skip


CHURN_INACTIVE_90D = label_table(
    "churn_inactive_90d", title="Label: inactive for 90 days", title_zh="标签：九十日不活跃",
    label="1: no transaction of the customer's making in (D+30, D+120]; 0: at least one", unit="flag",
)  # fmt: skip
VALUE_12M = label_table(
    "value_12m", title="Label: margin of the next 12 months", title_zh="标签：未来十二个月贡献度",
    label="Realised contribution margin over (D, D+365]", unit="minor units of the base currency",
)  # fmt: skip

TABLES = (SEGMENT_DAILY, SEGMENT_MEMBERSHIP, CHURN_INACTIVE_90D, VALUE_12M)
