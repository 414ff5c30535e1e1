"""Income and where money flows: salary or pension, savings, and what leaves for other banks."""

from __future__ import annotations

from features.finish import deviation, flag, money, ratio
from features.operations import Span
from features.spec import Empty, Feature, FeatureGroup

_INCOME = tuple(f"transaction_income_{part}_{{w}}" for part in ("days", "units", "squares"))

GROUP = FeatureGroup(
    name="cash_flow", version=1, title="Income and cash flow", title_zh="收入与现金流",
    declared=(
        Feature(name="income_sum", title="Income", title_zh="工资及养老金", unit="base currency", windows=(30, 90, 365), empty_means=Empty.ZERO,
                description="Salaries and pensions received", sql=money("transaction_income_{w}")),
        Feature(name="income_mean", title="Mean income", title_zh="次均收入", unit="base currency", windows=(180,),
                description="Mean of the salaries and pensions received; null without any",
                sql=f"{ratio('transaction_income_{w}', 'transaction_income_count_{w}')} / 100"),
        Feature(name="income_months", title="Months with income", title_zh="有工资月数", unit="months", type="bigint", windows=(180,), empty_means=Empty.ZERO,
                description="Of six calendar months, that of the date included, those with a salary or pension", sql="transaction_income_months_{w}"),
        Feature(name="has_income", title="Salary or pension paid here", title_zh="本行代发", unit="flag", type="int", windows=(90,), empty_means=Empty.ZERO,
                description="1 with a salary or pension", sql=flag("transaction_income_count_{w} > 0")),
        Feature(name="income_gap_days", title="Days since the last income", title_zh="距上次工资天数", unit="days", type="bigint",
                description="Days since the last salary or pension; null when there is none in 365 days", sql="transaction_income_gap_days_365d"),
        Feature(name="income_largest_ratio", title="Largest income day against the mean", title_zh="最大工资比", unit="ratio",
                description="Largest income on a day over mean income a payment, 365 days; null without income",
                sql=ratio("transaction_largest_income_365d * transaction_income_count_365d", "transaction_income_365d")),
        Feature(name="income_day", title="Day of the salary", title_zh="发薪日", unit="day of month", type="int",
                description="Day of the month of the last salary or pension; null when there is none in 365 days",
                sql="dayofmonth(date_sub(as_of_date, cast(transaction_income_gap_days_365d as int)))"),
        Feature(name="income_cv", title="Unrest of income", title_zh="收入波动系数", unit="ratio", windows=(365,),
                description="Standard deviation over mean of the days' salaries and pensions, in whole units of up to 30 million a day; null without income",
                sql=ratio(f"({deviation(*_INCOME)}) * transaction_income_days_{{w}}", "transaction_income_units_{w}")),
        Feature(name="net_flow", title="Net inflow", title_zh="净流入", unit="base currency", windows=(30, 90, Span.MTD), empty_means=Empty.ZERO,
                description="Credits less debits", sql=money("transaction_in_{w} - transaction_out_{w}")),
        Feature(name="net_flow_ratio", title="Net inflow ratio", title_zh="净流入率", unit="ratio", windows=(30, 90),
                description="Credits less debits over their sum; null without either",
                sql=ratio("transaction_in_{w} - transaction_out_{w}", "transaction_in_{w} + transaction_out_{w}")),
        Feature(name="savings_rate", title="Savings rate", title_zh="储蓄率", unit="ratio", windows=(90,),
                description="1 less debits over credits; null without credits", sql=f"1 - {ratio('transaction_out_{w}', 'transaction_in_{w}')}"),
        Feature(name="spend_to_income", title="Spending against income", title_zh="消费收入比", unit="ratio", windows=(90,),
                description="Purchases, rents, utility bills, insurance premiums and tuition fees over salaries and pensions; null without income",
                sql=ratio("transaction_purchase_{w} + transaction_bills_{w}", "transaction_income_{w}")),
        Feature(name="other_bank_out", title="Sent to other banks", title_zh="转出他行", unit="base currency", windows=(30, 90), empty_means=Empty.ZERO,
                description="Transfers and standing orders to other banks", sql=money("transaction_other_bank_out_{w}")),
        Feature(name="other_bank_share", title="Share sent to other banks", title_zh="转出他行占比", unit="share", windows=(90,),
                description="Transfers to other banks over all debits; null without debits",
                sql=ratio("transaction_other_bank_out_{w}", "transaction_out_{w}")),
        Feature(name="transfer_in_share", title="Share of transfers in credits", title_zh="转入占比", unit="share", windows=(90,),
                description="Transfers received over all credits; null without credits", sql=ratio("transaction_transfer_in_{w}", "transaction_in_{w}")),
        Feature(name="p2p_in_share", title="Share received from others", title_zh="他人转入占比", unit="share", windows=(90,),
                description="Transfers from a counterparty, not from own accounts here, over all credits; null without credits",
                sql=ratio("transaction_p2p_in_{w}", "transaction_in_{w}")),
        Feature(name="wealth_net_buy", title="Net wealth bought", title_zh="理财净申购", unit="base currency", windows=(90,), empty_means=Empty.ZERO,
                description="Wealth products bought less sold", sql=money("transaction_wealth_buy_{w} - transaction_wealth_sell_{w}")),
    ),
)  # fmt: skip
