"""Loans and cards: the state of each contract from one change to the next. Contracts are in the base currency."""

from __future__ import annotations

from features.measures import area, highest, level, level_before, state, state_count
from features.operations import Merge
from features.spec import Empty, Kind, Measure, Source, TileColumn

COLUMNS = (
    ("is_open", "case when status = 'closed' then 0 else 1 end", "1 while the contract runs"),
    ("card_limit", "case when kind = 'card' and status <> 'closed' then coalesce(limit_minor, 0) else 0 end", "Card limit, minor units"),
    ("card_debt", "case when kind = 'card' and status <> 'closed' then coalesce(balance_minor, 0) else 0 end", "Card balance, minor units"),
    ("loan_debt", "case when kind = 'loan' and status <> 'closed' then coalesce(balance_minor, 0) else 0 end", "Loan balance, minor units"),
    ("loan_count", "case when kind = 'loan' and status <> 'closed' then 1 else 0 end", "Running loans"),
    ("card_count", "case when kind = 'card' and status <> 'closed' then 1 else 0 end", "Running cards"),
    ("debt", "case when status = 'closed' then 0 else coalesce(balance_minor, 0) end", "Outstanding, minor units"),
    ("dpd", "case when status = 'closed' then 0 else coalesce(days_past_due, 0) end", "Days past due"),
    ("minimum", "case when status = 'closed' then 0 else coalesce(minimum_payment_minor, 0) end", "Minimum payment, minor units"),
    ("paid", "case when status = 'closed' then 0 else coalesce(last_payment_minor, 0) end", "Last payment, minor units"),
    ("is_default", "case when status = 'default' then 1 else 0 end", "1 in default"),
    ("spread_milli", "spread_milli", "Margin run-rate, see features.margin"),
    ("loss_milli", "loss_milli", "Expected loss run-rate, see features.margin"),
)  # fmt: skip

_AGE_OF_LAST_DPD = Measure(name="dpd_age", sql="min(case when low < {w} and dpd > 0 then low end)", empty=Empty.UNKNOWN)
_DPD30_SPELLS = Measure(
    name="dpd30_count", sql="count(case when high < {w} and dpd >= 30 and coalesce(dpd_before, 0) < 30 then 1 end)", empty=Empty.ZERO
)

CREDIT = Source(
    name="credit", title="loans and cards", title_zh="贷款与信用卡", kind=Kind.STEPS, reads="core.credit_account", entity=("credit_account_id",),
    columns=tuple(TileColumn(name=name, sql=sql, merge=Merge.MAX, description=text) for name, sql, text in COLUMNS),
    measures=(
        *(level(name) for name in ("loan_count", "card_count", "card_limit", "card_debt", "loan_debt", "debt", "minimum", "paid", "is_default")),
        *(level_before(name, name=f"{name}_before") for name in ("debt", "card_debt", "card_limit", "loan_count", "is_default")),
        area("card_debt", name="card_debt_area"),
        area("card_limit", name="card_limit_area"),
        area("debt", name="debt_area"),
        area("spread_milli", name="spread_milli_area"),
        area("loss_milli", name="loss_milli_area"),
        state("max(case when low = 0 then dpd end)", name="dpd"),
        highest("dpd", name="highest_dpd"),
        Measure(name="dpd_before", sql="max(case when low <= {w} and high >= {w} then dpd end)", empty=Empty.UNKNOWN),
        Measure(name="highest_dpd_before", sql="max(case when low < 2 * {w} and high >= {w} then dpd end)", empty=Empty.UNKNOWN),
        _AGE_OF_LAST_DPD,
        _DPD30_SPELLS,
        state_count("low = 0 and is_open = 1", name="contracts"),
        state_count("low <= {w} and high >= {w} and is_open = 1", name="contracts_before"),
    ),
)  # fmt: skip
