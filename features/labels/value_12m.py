"""What the next twelve months bring: realised contribution margin over (D, D+365], by features.margin."""

from __future__ import annotations

from expectations.contracts.features import VALUE_12M
from expectations.contracts.scores import NEW
from features import margin
from features.labelling import Eligible, Label

SPEC = Label(
    name="value_12m", title="Margin of the next 12 months", title_zh="未来十二个月贡献度",
    definition="Interest margin by transfer rate, plus fees, less expected loss and cost to serve, over (D, D+365]; minor units of the base currency",
    observation_days=365, gap_days=0, outcome_days=365,
    outcome=f"cast(round({margin.margin_minor(365)}) as bigint)",
    eligible=(
        Eligible(when="datediff(as_of_date, customer_opened_on) >= 90", stored="tenure__tenure_days >= 90",
                 otherwise="a customer for less than 90 days", band=NEW),
    ),
    table=VALUE_12M,
)  # fmt: skip
