"""Sleeping customers (沉睡客户) and what they may still need. Rules of domain.md part II §2.3."""

from __future__ import annotations

from features.finish import flag, money
from features.spec import Empty, Feature, FeatureGroup

# Industrial Bank's rule: a year without a transaction and at most 10 units left; excluded while a loan, card or
# wealth contract is linked. In minor units of the base currency.
DORMANT_BALANCE_MINOR = 1_000
# The looser rule of Bank of China (six months, 100 units) is the warning before it.
DROWSY_BALANCE_MINOR = 10_000
_NO_CONTRACTS = "credit_contracts = 0 and holding_wealth_count = 0"

GROUP = FeatureGroup(
    name="dormancy", version=1, title="Dormancy", title_zh="沉睡与潜在需求",
    declared=(
        Feature(name="is_dormant", title="Dormant", title_zh="沉睡客户", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with no transaction in 365 days, a customer for as long, at most 10 units, and no loan, card or wealth contract",
                sql=flag(f"transaction_initiated_count_365d = 0 and datediff(as_of_date, customer_opened_on) >= 365"
                         f" and balance_aum <= {DORMANT_BALANCE_MINOR} and {_NO_CONTRACTS}")),
        Feature(name="is_drowsy", title="Falling asleep", title_zh="临近沉睡", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with no transaction in 180 days, a customer for as long, at most 100 units, and no loan, card or wealth contract",
                sql=flag(f"transaction_initiated_count_180d = 0 and datediff(as_of_date, customer_opened_on) >= 180"
                         f" and balance_aum <= {DROWSY_BALANCE_MINOR} and {_NO_CONTRACTS}")),
        Feature(name="dormant_days", title="Days asleep", title_zh="静默天数", unit="days", type="bigint", empty_means=Empty.ZERO,
                description="Days since the last transaction or, when there is none in 365 days, since the relationship began, at most 365",
                sql="coalesce(transaction_silent_days_365d, least(365, datediff(as_of_date, customer_opened_on)))"),
        Feature(name="asleep_aum_peak", title="Highest assets before sleep", title_zh="沉睡前资产峰值", unit="base currency",
                description="Highest assets of 365 days of a customer with no transaction in 90 days; null for others and for who had nothing",
                sql=f"case when transaction_initiated_count_90d = 0 then {money('balance_highest_aum_365d')} end"),
        Feature(name="latent_credit", title="Latent credit need", title_zh="潜在信贷需求", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with no loan here, but rents, tuition or loan payments in 180 days",
                sql=flag("credit_loan_count = 0 and transaction_rent_count_180d + transaction_tuition_count_180d + transaction_loan_payment_180d > 0")),
        Feature(name="preapproved_not_used", title="Pre-approved limit not used", title_zh="预授信未使用", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with a loan approved before it was asked for, and no loan running here",
                sql=flag("customer_preapproved_limit_minor > 0 and credit_loan_count = 0")),
    ),
)  # fmt: skip
