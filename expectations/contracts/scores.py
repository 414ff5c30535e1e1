"""Scores: what the models say of every open customer as of a date, per model version; and the reasons they may give.

Everybody has a row. Customers outside the population of the model's label have a band that says why, and no score.
A reason is a code in the data and a text here, in both languages: whoever shows one looks it up in REASONS.
"""

from __future__ import annotations

from dataclasses import dataclass

from expectations.contracts.types import Column, RowRule, Sensitivity, Table, Write


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a score is high, in a banker's words. `raises` completes "is more likely to leave because of ..."."""

    code: str
    title: str
    title_zh: str
    raises: str
    raises_zh: str


REASONS = (
    Reason(code="relationship", title="Length of the relationship", title_zh="客户关系时长", raises="how long the customer has been with the bank", raises_zh="与本行建立关系的时间"),
    Reason(code="products", title="Products held", title_zh="持有产品", raises="which and how many products are held", raises_zh="持有产品的种类与数量"),
    Reason(code="balances", title="Balances and their trend", title_zh="资产余额与走势", raises="level and trend of the balances", raises_zh="资产余额的水平与走势"),
    Reason(code="saving_plan", title="Saving habit", title_zh="零存整取习惯", raises="how regularly the saving plan is paid", raises_zh="零存整取的缴存规律"),
    Reason(code="activity", title="Account activity", title_zh="交易活跃度", raises="how much and how often money moves", raises_zh="交易的金额与频率"),
    Reason(code="recency", title="Time since last activity", title_zh="距上次活动时间", raises="how long ago the customer was last active", raises_zh="距上次主动交易的时间"),
    Reason(code="spending", title="What money is spent on", title_zh="消费结构", raises="the mix of spending", raises_zh="消费的结构"),
    Reason(code="income", title="Salary and cash flow", title_zh="工资与现金流", raises="salary and other money coming in and going out", raises_zh="工资及资金流入流出情况"),
    Reason(code="channels", title="Use of channels", title_zh="渠道使用", raises="which channels are used and how often", raises_zh="渠道使用的种类与频率"),
    Reason(code="credit", title="Credit and repayment", title_zh="信贷与还款", raises="credit used and how it is repaid", raises_zh="授信使用与还款情况"),
    Reason(code="value", title="Margin so far", title_zh="已实现收益", raises="what the relationship has earned so far", raises_zh="客户关系至今的收益"),
    Reason(code="other", title="Other facts", title_zh="其他因素", raises="other facts about the relationship", raises_zh="其他客户关系因素"),
)  # fmt: skip

REASON_CODES = tuple(reason.code for reason in REASONS)
BANDS = ("high", "medium", "low")
# Bands without a score: the model learnt nothing about customers whom its label leaves out. The conditions are the label's.
GONE, NEW = "gone", "new"
BAND_LEGEND = {
    "high": "highest scores, by a cut-point frozen with the model 高",
    "medium": "middling scores 中",
    "low": "all other scores 低",
    GONE: "not scored: had left already 已流失",
    NEW: "not scored: too new a customer to be judged 新客户",
}

_KEYS = (
    Column(
        name="customer_key", type="bigint", description="Keyed hash of the customer's source id", nullable=False, sensitivity=Sensitivity.C2
    ),
    Column(name="as_of_date", type="date", description="Features as of this business date", nullable=False),
    Column(name="model_version", type="string", description="Registered version in four digits, so that text order is age", nullable=False),
)


def _reason(place: int, order: str) -> Column:
    return Column(
        name=f"reason_{place}", type="string", one_of=REASON_CODES,
        description=f"{order} business reason that raises the score, a code of the reason catalogue; null: none above the floor",
    )  # fmt: skip


_REASONS = tuple(_reason(place, order) for place, order in ((1, "Strongest"), (2, "Second"), (3, "Third")))


def _band(of: str, unscored: tuple[str, ...]) -> Column:
    return Column(
        name=f"{of}_band", type="string", nullable=False, one_of=(*BANDS, *unscored),
        description=f"Band by cut-points frozen with the model; {' or '.join(unscored)}: not scored, why",
    )  # fmt: skip


def _scored_or_told_why(score: str, of: str, unscored: tuple[str, ...]) -> RowRule:
    codes = ", ".join(f"'{code}'" for code in unscored)
    return RowRule(
        id=f"{score}_against_band", offends=f"({score} is null) <> ({of}_band in ({codes}))",
        because=f"a customer either has a score or a band that says why not, one of {list(unscored)}",
    )  # fmt: skip


CHURN_UNSCORED, VALUE_UNSCORED = (NEW, GONE), (NEW,)


CHURN = Table(
    layer="scores", name="churn", title="Churn scores", title_zh="流失评分", grain="customer × as_of_date × model_version",
    key=("customer_key", "as_of_date", "model_version"), write=Write.REPLACE, date="as_of_date", partition_by=("month",),
    columns=(
        *_KEYS,
        Column(name="churn_probability", type="double", description="Calibrated probability of no customer-initiated transaction from 31 to 120 days after the date; null: not scored",
               unit="probability", minimum=0, maximum=1, sensitivity=Sensitivity.C2),
        _band("churn", CHURN_UNSCORED),
        *_REASONS,
    ),
    rules=(_scored_or_told_why("churn_probability", "churn", CHURN_UNSCORED),),
)  # fmt: skip

VALUE = Table(
    layer="scores", name="value", title="Value scores", title_zh="价值评分", grain="customer × as_of_date × model_version",
    key=("customer_key", "as_of_date", "model_version"), write=Write.REPLACE, date="as_of_date", partition_by=("month",),
    columns=(
        *_KEYS,
        Column(name="value_12m", type="double", description="Expected margin over the 365 days after the date; may be negative; null: not scored",
               unit="base currency", sensitivity=Sensitivity.C2),
        _band("value", VALUE_UNSCORED),
        *_REASONS,
    ),
    rules=(
        RowRule(id="value_12m_not_finite", offends="isnan(value_12m) or abs(value_12m) = double('Infinity')", because="an expected margin is a finite amount"),
        _scored_or_told_why("value_12m", "value", VALUE_UNSCORED),
    ),
)  # fmt: skip

TABLES = (CHURN, VALUE)
