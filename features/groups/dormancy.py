"""Sleeping customers (沉睡客户) and what they may still need. Rules of domain.md part II §2.3."""

from __future__ import annotations

from features.finish import flag, money
from features.spec import Empty, Feature, FeatureGroup

# Industrial Bank's rule: a year without a transaction but interest and at most 10 units left; excluded while a loan, card or
# wealth contract is linked. The looser rule of Bank of China (six months, 100 units) is the warning before it.
_NO_CONTRACTS = "credit_contracts = 0 and holding_wealth_count = 0"
_TENURE = "datediff(as_of_date, customer_opened_on)"
_OFFERED = "customer_preapproved_limit_minor > 0"


def _asleep(name: str, title: str, title_zh: str, *, days: int, units: int) -> Feature:
    """Who has let everything rest: neither the customer nor anybody else moved money, but for interest."""
    long_here = f"{_TENURE} >= {days}"
    return Feature(
        name=name, title=title, title_zh=title_zh, unit="flag", type="int", empty_means=Empty.STATED, stated=flag(long_here),
        description=f"1 with no transaction but interest in {days} days, a customer for as long, at most {units} units, and no loan, card or wealth contract",
        sql=flag(f"transaction_moved_count_{days}d = 0 and {long_here} and balance_aum <= {100 * units} and {_NO_CONTRACTS}"),
    )  # fmt: skip


# Tiles tell the highest level up to the date, and the level of single days: before a sleep they see these.
_STEPS = (90, 180, 270, 365)


def _peak_until(days: int) -> str:
    """The highest assets until so many days before the date, as far as they are seen in a year."""
    levels = ", ".join(f"balance_aum_before_{step}d" for step in _STEPS if step >= days)
    return f"case when balance_highest_aum_365d > balance_highest_aum_{days}d then balance_highest_aum_365d else greatest({levels}) end"


_BEFORE_SLEEP = " ".join(f"when transaction_silent_days_365d <= {days} then {_peak_until(days)}" for days in _STEPS[:-1])
_PEAK = f"case {_BEFORE_SLEEP} else balance_aum_before_{_STEPS[-1]}d end"

GROUP = FeatureGroup(
    name="dormancy", version=1, title="Dormancy", title_zh="沉睡与潜在需求",
    declared=(
        _asleep("is_dormant", "Dormant", "沉睡客户", days=365, units=10),
        _asleep("is_drowsy", "Falling asleep", "临近沉睡", days=180, units=100),
        Feature(name="dormant_days", title="Days asleep", title_zh="静默天数", unit="days", type="bigint", empty_means=Empty.STATED,
                description="Days since the last transaction the customer made or, when there is none in 365 days, since the relationship began, at most 365",
                sql=f"coalesce(transaction_silent_days_365d, least(365, {_TENURE}))", stated=f"least(365, {_TENURE})"),
        Feature(name="asleep_aum_peak", title="Highest assets before sleep", title_zh="沉睡前资产峰值", unit="base currency",
                description="Of a customer who made no transaction in 90 days the highest assets before the last one: the peak of 365 days where it lies before the "
                            "sleep, else the highest of the assets 90, 180, 270 and 365 days before the date, those before the sleep; of who has slept for "
                            "longer the assets of 365 days before. Null for others and for who had nothing then",
                sql=f"case when transaction_initiated_count_90d = 0 and balance_highest_aum_365d is not null then {money(f'nullif({_PEAK}, 0)')} end"),
        Feature(name="latent_credit", title="Latent credit need", title_zh="潜在信贷需求", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with no loan here, but rents, tuition or loan payments in 180 days",
                sql=flag("credit_loan_count = 0 and transaction_rent_count_180d + transaction_tuition_count_180d + transaction_loan_payment_180d > 0")),
        Feature(name="preapproved_not_used", title="Pre-approved limit not used", title_zh="预授信未使用", unit="flag", type="int", empty_means=Empty.STATED,
                description="1 with a loan approved before it was asked for, and no loan running here",
                sql=flag(f"{_OFFERED} and credit_loan_count = 0"), stated=flag(_OFFERED)),
    ),
)  # fmt: skip
