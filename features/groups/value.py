"""What a customer is worth to the bank: recency, frequency, amount by frozen cuts, and the margin of the last year.

The margin is that of features.margin, which the label `value_12m` takes forwards: the plain baseline of a value model
is this feature carried forward.
"""

from __future__ import annotations

from features import margin
from features.finish import flag, grade, money, ratio
from features.spec import CREDIT, RISK, SERVICE, Empty, Feature, FeatureGroup

# Frozen with version 1: quintiles of a reference month, rounded. Never re-quantiled nightly (domain.md §3.2).
RECENCY_CUTS_DAYS = (90, 30, 14, 5)
FREQUENCY_CUTS = (1, 6, 15, 40)
AMOUNT_CUTS_MINOR = (50_000, 300_000, 1_000_000, 4_000_000)

_SILENCE = "coalesce(-transaction_silent_days_365d, -366)"
RECENCY = grade(_SILENCE, tuple(-days for days in RECENCY_CUTS_DAYS))
FREQUENCY = grade("transaction_initiated_count_90d", FREQUENCY_CUTS)
AMOUNT = grade("transaction_initiated_out_90d", AMOUNT_CUTS_MINOR)
# What the bank earns on the equity itself, and the tax on all of it: the example of domain.md §7.
RETURN_ON_EQUITY, TAX = 0.025, 0.25
# Equity that a unit of retail debt binds: 8 % of the standardised weight of 75 % (domain.md §7).
EQUITY_PER_DEBT = 0.06
_INSIDE = (RISK, SERVICE, CREDIT)

GROUP = FeatureGroup(
    name="value", version=1, title="Value", title_zh="客户价值",
    declared=(
        Feature(name="recency_grade", title="Recency", title_zh="近度", unit="grade", type="int", empty_means=Empty.STATED, stated="1",
                description="1 to 5: last transaction more than 90 days ago, within 90, 30, 14, 5 days", sql=RECENCY),
        Feature(name="frequency_grade", title="Frequency", title_zh="频度", unit="grade", type="int", empty_means=Empty.STATED, stated="1",
                description="1 to 5: transactions of 90 days, cut at 1, 6, 15 and 40", sql=FREQUENCY),
        Feature(name="amount_grade", title="Amount", title_zh="额度", unit="grade", type="int", empty_means=Empty.STATED, stated="1",
                description="1 to 5: debits of 90 days the customer made, cut at 500, 3,000, 10,000 and 40,000 units", sql=AMOUNT),
        Feature(name="rfm_cell", title="RFM cell", title_zh="RFM分组", unit="cell", type="int", empty_means=Empty.STATED, stated="111",
                description="Recency, frequency and amount as three digits", sql=f"({RECENCY}) * 100 + ({FREQUENCY}) * 10 + ({AMOUNT})"),
        Feature(name="rfm_is_missing", title="RFM without transactions", title_zh="RFM缺失标志", unit="flag", type="int", empty_means=Empty.STATED, stated="1",
                description="1 where the grades are the lowest because nothing is known: the customer made no transaction in 365 days",
                sql=flag("transaction_initiated_count_365d = 0")),
        Feature(name="margin_12m", title="Margin, 12 months", title_zh="近12个月贡献度", unit="base currency", empty_means=Empty.ZERO,
                description="Interest margin by transfer rate, plus fees, less expected loss and cost to serve", sql=money(margin.margin_minor(365))),
        Feature(name="interest_margin_12m", title="Interest margin, 12 months", title_zh="近12个月利差收入", unit="base currency", empty_means=Empty.ZERO,
                description="Deposits at transfer less client rate, loans at client less transfer rate", sql=money(margin.interest_minor(365))),
        Feature(name="fee", title="Fees paid", title_zh="手续费收入", unit="base currency", windows=(90, 365), empty_means=Empty.ZERO,
                description="Transactions of type fee", sql=money("transaction_fee_{w}")),
        Feature(name="cost_to_serve_12m", title="Cost to serve, 12 months", title_zh="近12个月服务成本", unit="base currency", empty_means=Empty.ZERO,
                description="Channel events at their unit costs", sql=money(margin.cost_minor(365)), purposes=_INSIDE),
        Feature(name="raroc", title="Return on bound equity", title_zh="风险调整资本回报率", unit="ratio", purposes=_INSIDE,
                description="Margin of 12 months over the equity that the mean debt of 365 days binds (6 % of it), plus 2.5 % earned on that equity, after 25 % tax; "
                            "null without debt",
                sql=f"({ratio(f'({margin.margin_minor(365)}) * 365', f'{EQUITY_PER_DEBT}e0 * credit_debt_area_365d')} + {RETURN_ON_EQUITY}e0) * {1 - TAX}e0"),
        Feature(name="expected_loss_12m", title="Expected loss, 12 months", title_zh="近12个月预期损失", unit="base currency", empty_means=Empty.ZERO,
                description="Outstanding at the product's yearly loss rate", sql=money(margin.loss_minor(365)), purposes=_INSIDE),
    ),
)  # fmt: skip
