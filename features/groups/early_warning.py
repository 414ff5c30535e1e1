"""Early warnings of risk: cash in large sums or split below what is reported, money that only passes through, unusual flows.

Signs, not findings: no feature of this group permits marketing, service or credit decisions.
"""

from __future__ import annotations

from features.finish import flag, money, ratio
from features.scorecard import DEFAULT_12M
from features.sources.transaction import COUNTERPARTY_BUCKETS, COUNTERPARTY_WORDS, REPORTED_CASH_MINOR
from features.spec import RISK, Empty, Feature, FeatureGroup

_RISK = (RISK,)
# The median of distances from the median is this part of a normal standard deviation (Hampel, 1974).
NORMAL_SPREAD = 0.6745
# Signs of splitting: three deposits below the report in a week; days below the report that make up twice of it in five days.
_MANY_BELOW = "transaction_split_cash_count_7d >= 3"
_DAYS_BELOW = (
    f"transaction_largest_cash_in_5d >= {REPORTED_CASH_MINOR * 8 // 10} and transaction_largest_cash_in_5d < {REPORTED_CASH_MINOR}"
    f" and transaction_cash_in_5d >= {2 * REPORTED_CASH_MINOR}"
)
_NEW = " + ".join(f"transaction_new_{word}_180d" for word in COUNTERPARTY_WORDS)
_MET = " + ".join(f"transaction_{word}_30d" for word in COUNTERPARTY_WORDS)

GROUP = FeatureGroup(
    name="early_warning", version=1, title="Early warning", title_zh="风险预警", restricted=True,
    declared=(
        Feature(name="cash_in_largest_day", title="Most cash paid in on a day", title_zh="单日最大现金存入", unit="base currency", windows=(30,), purposes=_RISK,
                description="Cash deposits of the day with most of them; null without any transaction", sql=money("transaction_largest_cash_in_{w}")),
        Feature(name="cash_out_largest_day", title="Most cash drawn on a day", title_zh="单日最大现金支取", unit="base currency", windows=(30,), purposes=_RISK,
                description="Cash withdrawals of the day with most of them; null without any transaction", sql=money("transaction_largest_cash_out_{w}")),
        Feature(name="split_cash_count", title="Cash just below the report", title_zh="疑似拆分现金存入笔数", unit="deposits", type="bigint", windows=(7, 30),
                empty_means=Empty.ZERO, purposes=_RISK, description="Cash deposits of 80 to 100 % of the 50,000 units that are reported; three in 7 days are a sign of splitting",
                sql="transaction_split_cash_count_{w}"),
        Feature(name="split_days", title="Days of cash below the report", title_zh="疑似分日拆分存入", unit="flag", type="int", windows=(5,), empty_means=Empty.ZERO,
                purposes=_RISK, sql=flag(_DAYS_BELOW),
                description="1 where the day with most cash paid in has 80 to 100 % of the 50,000 units that are reported, and all days together twice of them or more"),
        Feature(name="structuring_score", title="Signs of splitting", title_zh="拆分交易得分", unit="signs", type="int", empty_means=Empty.ZERO, purposes=_RISK,
                sql=f"{flag(_MANY_BELOW)} + {flag(_DAYS_BELOW)}",
                description="0 to 2: three or more deposits just below the report in 7 days, and days just below it that make up twice of it in 5 days"),
        Feature(name="pass_through_share", title="Passed through", title_zh="快进快出占比", unit="share", windows=(30,), purposes=_RISK,
                description="Share of credits that debits of the same or the next day match; .9 and more is a sign of an account used for passage",
                sql=ratio("transaction_passed_through_{w}", "transaction_in_{w}")),
        Feature(name="flow_z", title="Unusual net inflow", title_zh="资金流异常度", unit="standard deviations", purposes=_RISK,
                description="Net inflow of 7 days less the median of 26 weeks, over their spread (median distance / .6745); null where the weeks don't differ",
                sql=f"{NORMAL_SPREAD}e0 * {ratio('transaction_in_7d - transaction_out_7d - transaction_flow_median_182d', 'transaction_flow_spread_182d')}"),
        Feature(name="new_counterparty_share", title="New counterparties", title_zh="新增交易对手占比", unit="share", purposes=_RISK,
                description=f"Share of the counterparties of the transfers of 30 days that were none in the 150 days before; null without any. Counterparties fall "
                            f"into {COUNTERPARTY_BUCKETS} buckets by their key, and two in one bucket are taken for one", sql=ratio(_NEW, _MET)),
        Feature(name="pd_12m", title="Chance of default, 12 months", title_zh="未来12个月违约概率", unit="probability", purposes=_RISK, sql=DEFAULT_12M.now,
                description=f"By the frozen scorecard {DEFAULT_12M.name}, version {DEFAULT_12M.version}, from days past due, utilisation and loans; 1 in default, null without contracts"),
        Feature(name="pd_delta", title="Change of the chance of default", title_zh="违约概率变动", unit="probability", windows=(90,), purposes=_RISK,
                description="Chance of default now less 90 days before, both by the same scorecard; null without contracts now or then",
                sql=f"({DEFAULT_12M.now}) - ({DEFAULT_12M.before})"),
    ),
)  # fmt: skip
