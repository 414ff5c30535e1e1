"""Risk × value in four classes (风险价值): prime credit 优质信贷, potential 潜力, general 一般, high-risk 高风险.

Cut-points frozen with version 1. A customer without credit has no sign of risk.
"""

from __future__ import annotations

from features.segmentation import OTHERWISE, Rule, Segmentation

HIGH_RISK = "credit__in_default = 1 or credit__days_past_due_highest_365d >= 90 or credit__past_due_30_count_365d >= 2 or credit__instalment_missed_count_365d >= 4"
SOME_RISK = "credit__days_past_due_highest_365d >= 30 or credit__instalment_missed_count_365d >= 2 or credit__utilisation >= 0.95"
VALUABLE = "value__margin_12m >= 1000"
PROMISING = "value__margin_12m >= 200 or balances__aum_mad_90d >= 50000 or cash_flow__income_months_180d >= 5"

SCHEME = Segmentation(
    name="risk_value", version=1, title="Risk and value", title_zh="风险价值", purposes=("credit", "risk", "service"),
    rules=(
        Rule(name="high_risk", title="High risk", title_zh="高风险", when=HIGH_RISK,
             because="in default, 90 days past due, twice over 30 days, or four missed instalments in a year"),
        Rule(name="prime_credit", title="Prime credit", title_zh="优质信贷", when=f"{VALUABLE} and not coalesce({SOME_RISK}, false)",
             because="margin of at least 1,000 in 12 months and no sign of risk"),
        Rule(name="potential", title="Potential", title_zh="潜力", when=f"({PROMISING}) and not coalesce({SOME_RISK}, false)",
             because="margin, assets or regular income promise more, and no sign of risk"),
        Rule(name="general", title="General", title_zh="一般", when=OTHERWISE, because="neither valuable yet nor a high risk"),
    ),
)  # fmt: skip
