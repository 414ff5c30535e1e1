"""Who will have gone quiet: no transaction of the customer's making for 90 days, after a gap of 30 days to act in."""

from __future__ import annotations

from expectations.contracts.features import CHURN_INACTIVE_90D
from expectations.contracts.scores import GONE, NEW
from features.labelling import Eligible, Label

SPEC = Label(
    name="churn_inactive_90d", title="Inactive for 90 days", title_zh="九十日不活跃",
    definition="1 when the customer makes no transaction in (D+30, D+120]; the gap leaves time for a campaign",
    observation_days=365, gap_days=30, outcome_days=90,
    outcome="case when transaction_initiated_count_90d = 0 then 1 else 0 end",
    eligible=(
        Eligible(when="datediff(as_of_date, customer_opened_on) >= 90", stored="tenure__tenure_days >= 90",
                 otherwise="a customer for less than 90 days", band=NEW),
        Eligible(when="transaction_initiated_count_90d > 0", stored="activity__txn_count_90d > 0",
                 otherwise="no transaction in the last 90 days: gone already", band=GONE),
    ),
    table=CHURN_INACTIVE_90D,
)  # fmt: skip
