"""How much a customer does with the bank: transactions the customer made, when last, how often, how large.

Salaries, fees, interest and standing orders are not the customer's doing and are left out of counts and recency;
`in_sum` and `out_sum` hold all credits and debits.
"""

from __future__ import annotations

from features.finish import deviation, money, percentile, ratio
from features.operations import Span
from features.sources.transaction import TICKET_EDGES, TICKETS_UP_TO
from features.spec import Empty, Feature, FeatureGroup

_UP_TO = [(f"transaction_{name}_{{w}}", f"{edge}e0") for name, edge in zip(TICKETS_UP_TO, TICKET_EDGES, strict=True)]

GROUP = FeatureGroup(
    name="activity", version=1, title="Activity", title_zh="交易活跃度",
    declared=(
        Feature(name="txn_count", title="Transactions", title_zh="主动交易笔数", unit="transactions", type="bigint", windows=(7, 30, 90, 180, 365, Span.LTD),
                empty_means=Empty.ZERO, description="Transactions the customer made", sql="transaction_initiated_count_{w}"),
        Feature(name="active_days", title="Active days", title_zh="活跃天数", unit="days", type="bigint", windows=(30, 90, 365, Span.MTD, Span.LTD), empty_means=Empty.ZERO,
                description="Days with a transaction the customer made", sql="transaction_active_days_{w}"),
        Feature(name="active_weeks", title="Active weeks", title_zh="活跃周数", unit="weeks", type="bigint", windows=(182,), empty_means=Empty.ZERO,
                description="Of the last 26 weeks, counted back from the date, those with a transaction", sql="transaction_active_weeks_{w}"),
        Feature(name="active_months_12m", title="Active months, 12 months", title_zh="近12个月活跃月数", unit="months", type="bigint", empty_means=Empty.ZERO,
                description="Of twelve calendar months, that of the date included, those with a transaction the customer made", sql="transaction_active_months_360d"),
        Feature(name="days_since_last", title="Days since the last transaction", title_zh="距上次交易天数", unit="days", type="bigint",
                description="Days since the customer's last transaction; null when there is none in 365 days", sql="transaction_silent_days_365d"),
        Feature(name="out_sum", title="Debits", title_zh="支出金额", unit="base currency", windows=(7, 30, 90, 180, 365, Span.MTD, Span.LTD), empty_means=Empty.ZERO,
                description="All debits", sql=money("transaction_out_{w}")),
        Feature(name="in_sum", title="Credits", title_zh="收入金额", unit="base currency", windows=(7, 30, 90, 180, 365, Span.MTD), empty_means=Empty.ZERO,
                description="All credits", sql=money("transaction_in_{w}")),
        Feature(name="ticket_mean", title="Mean debit", title_zh="笔均支出", unit="base currency", windows=(90,),
                description="Mean of the debits the customer made; null without any",
                sql=f"{ratio('transaction_initiated_out_{w}', 'transaction_initiated_out_count_{w}')} / 100"),
        Feature(name="ticket_largest", title="Largest debit", title_zh="最大单笔支出", unit="base currency", windows=(90, Span.MTD, Span.LTD),
                description="Largest debit the customer made; null without any", sql=money("transaction_largest_out_{w}")),
        Feature(name="ticket_p95", title="95th percentile of debits", title_zh="支出95分位数", unit="base currency", windows=(90,),
                description=f"Upper edge of the bin ({len(_UP_TO) + 1} of them, from {TICKET_EDGES[0]} to {TICKET_EDGES[-1]:,} units) that holds the 95th "
                            "percentile of the debits the customer made, at most the largest of them; null without any",
                sql=percentile(95, _UP_TO, "transaction_initiated_out_count_{w}", money("transaction_largest_out_{w}"))),
        Feature(name="ticket_std", title="Spread of debits", title_zh="支出标准差", unit="base currency", windows=(90,),
                description="Standard deviation of the debits the customer made, in whole units, each up to ten million; null without any",
                sql=deviation("transaction_initiated_out_count_{w}", "transaction_ticket_units_{w}", "transaction_ticket_squares_{w}")),
        Feature(name="txn_count_trend", title="Trend of transactions", title_zh="交易趋势", unit="ratio",
                description="Transactions of 30 days, times 3, over those of 90 days; 1 is steady, null without any in 90 days",
                sql=ratio("transaction_initiated_count_30d * 3", "transaction_initiated_count_90d")),
        Feature(name="txn_count_trend_long", title="Long trend of transactions", title_zh="长期交易趋势", unit="ratio",
                description="Transactions of 90 days, times 4, over those of 365 days (365/90 is nearly 4); null without any",
                sql=ratio("transaction_initiated_count_90d * 4", "transaction_initiated_count_365d")),
        Feature(name="silence_ratio", title="Silence against habit", title_zh="静默间隔比", unit="ratio",
                description="Days since the last transaction over the mean gap between active days of 365 days; null with fewer than two active days",
                sql=ratio("transaction_silent_days_365d * (transaction_active_days_365d - 1)",
                          "transaction_first_active_days_365d - transaction_silent_days_365d")),
    ),
)  # fmt: skip
