"""What a customer holds on the as-of date: accounts owned, and recurring deposit plans. States, so no tiles."""

from __future__ import annotations

from features.measures import state, state_count
from features.spec import Empty, Kind, Source

FAMILIES = ("demand", "term", "recurring", "wealth", "credit_card", "consumer_loan", "mortgage", "debit_card")

HOLDING = Source(
    name="holding", title="accounts owned", title_zh="持有账户", kind=Kind.STATES, reads="core.account",
    measures=(
        state_count("is_open", name="open_count"),
        state("count(distinct case when is_open then product_code end)", name="product_count", empty=Empty.ZERO),
        *(state_count(f"is_open and family = '{family}'", name=f"{family}_count") for family in FAMILIES),
        state("count(distinct case when is_open then currency end)", name="currency_count", empty=Empty.ZERO),
        state_count("age < {w}", name="opened"),
        state_count("closed_age < {w}", name="closed"),
        state("min(age)", name="last_opening_days"),
        state("max(age)", name="first_opening_days"),
        state_count("is_open and opening_channel in ('app', 'web', 'wechat')", name="online_opened_count"),
        state_count("is_open and family in ('term', 'recurring') and matures_in between 0 and {w}", name="maturing"),
    ),
)  # fmt: skip

PLAN = Source(
    name="plan", title="recurring deposit plans", title_zh="零存整取计划", kind=Kind.STATES, reads="core.deposit_plan",
    measures=(
        state_count("is_open", name="open_count"),
        state("sum(case when is_open then instalment_minor end)", name="instalment", empty=Empty.ZERO),
        state("max(case when is_open then planned_months end)", name="planned_months"),
        state("min(case when is_open then matures_in end)", name="matures_in_days"),
        state_count("closed_age < {w}", name="ended"),
        state_count("closed_age < {w} and status = 'rolled_over'", name="rolled_over"),
        state_count("closed_age < {w} and status = 'broken'", name="broken"),
    ),
)  # fmt: skip
