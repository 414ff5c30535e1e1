"""Loans and cards: how much is owed, how much of the limit is used, and is it paid back on time."""

from __future__ import annotations

from features.finish import growth, money, ratio
from features.spec import CREDIT, RISK, SERVICE, Empty, Feature, FeatureGroup

_CREDIT = (CREDIT, RISK, SERVICE)

GROUP = FeatureGroup(
    name="credit", version=1, title="Credit", title_zh="信贷",
    declared=(
        Feature(name="loan_count", title="Running loans", title_zh="贷款笔数", unit="loans", type="bigint", empty_means=Empty.ZERO, purposes=_CREDIT,
                description="Loans that run on the date", sql="credit_loan_count"),
        Feature(name="debt", title="Outstanding debt", title_zh="贷款余额", unit="base currency", empty_means=Empty.ZERO, purposes=_CREDIT,
                description="Outstanding on loans and cards", sql=money("credit_debt")),
        Feature(name="card_limit", title="Card limit", title_zh="信用卡额度", unit="base currency", empty_means=Empty.ZERO, purposes=_CREDIT,
                description="Limits of the running cards", sql=money("credit_card_limit")),
        Feature(name="utilisation", title="Utilisation", title_zh="额度使用率", unit="share", purposes=_CREDIT,
                description="Card balance over card limit; null without a limit", sql=ratio("credit_card_debt", "credit_card_limit")),
        Feature(name="utilisation_mean", title="Mean utilisation", title_zh="平均额度使用率", unit="share", windows=(180,), purposes=_CREDIT,
                description="Card balance over card limit, both weighted by days", sql=ratio("credit_card_debt_area_{w}", "credit_card_limit_area_{w}")),
        Feature(name="utilisation_less_mean", title="Utilisation less its mean", title_zh="额度使用率偏离", unit="share", purposes=_CREDIT,
                description="Utilisation now less that of 180 days",
                sql=f"{ratio('credit_card_debt', 'credit_card_limit')} - {ratio('credit_card_debt_area_180d', 'credit_card_limit_area_180d')}"),
        Feature(name="payment_to_minimum", title="Payment against the minimum", title_zh="还款最低额比", unit="ratio", purposes=_CREDIT,
                description="Last payment over minimum payment of the running contracts", sql=ratio("credit_paid", "credit_minimum")),
        Feature(name="days_past_due", title="Days past due", title_zh="当前逾期天数", unit="days", type="bigint", purposes=_CREDIT,
                description="Days past due of the worst contract; null without contracts", sql="credit_dpd"),
        Feature(name="days_past_due_highest", title="Worst days past due", title_zh="最大逾期天数", unit="days", type="bigint", windows=(90, 365), purposes=_CREDIT,
                description="Worst days past due on any contract; null without contracts", sql="credit_highest_dpd_{w}"),
        Feature(name="past_due_30_count", title="Times over 30 days past due", title_zh="逾期30天以上次数", unit="times", type="bigint", windows=(365,),
                empty_means=Empty.ZERO, purposes=_CREDIT, description="How often a contract became 30 or more days past due", sql="credit_dpd30_count_{w}"),
        Feature(name="past_due_gap_days", title="Days since last past due", title_zh="距上次逾期天数", unit="days", type="bigint", purposes=_CREDIT,
                description="Days since a contract was past due; null when none was in 365 days", sql="credit_dpd_age_365d"),
        Feature(name="debt_surge", title="Surge of debt", title_zh="负债激增", unit="ratio", windows=(90,), purposes=_CREDIT,
                description="Debt now over debt at the start of the window, less 1; null without debt then", sql=growth("credit_debt", "credit_debt_before_{w}")),
        Feature(name="instalment_late_days", title="Mean days late", title_zh="平均还款延迟", unit="days", windows=(365,), purposes=_CREDIT,
                description="Mean days between due day and payment of the instalments paid, negative when early",
                sql=ratio("loan_instalment_late_days_{w}", "loan_instalment_paid_count_{w}")),
        Feature(name="instalment_missed_count", title="Instalments missed", title_zh="未按时还款期数", unit="instalments", type="bigint", windows=(365,),
                empty_means=Empty.ZERO, purposes=_CREDIT, description="Loan instalments not paid by their due day",
                sql="loan_instalment_missed_count_{w}"),
        Feature(name="early_repayment_count", title="Instalments paid early", title_zh="提前还款期数", unit="instalments", type="bigint", windows=(365,),
                empty_means=Empty.ZERO, purposes=_CREDIT, description="Loan instalments paid before their due day", sql="loan_instalment_early_count_{w}"),
        Feature(name="debt_service_ratio", title="Instalments against income", title_zh="偿债收入比", unit="ratio", windows=(90,), purposes=_CREDIT,
                description="Loan instalments due over salaries and pensions; null without income", sql=ratio("loan_instalment_due_{w}", "transaction_income_{w}")),
        Feature(name="in_default", title="In default", title_zh="违约", unit="flag", type="int", empty_means=Empty.ZERO, purposes=(CREDIT, RISK),
                description="1 with a contract in default", sql="least(credit_is_default, 1)"),
    ),
)  # fmt: skip
