"""The models: what each predicts, on which label, for what purpose, and the plain rule it has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from expectations.contracts import scores
from jobs.errors import UsageError

if TYPE_CHECKING:
    from expectations.contracts.types import Table


class Kind(StrEnum):
    CHANCE = "chance"  # of a 0/1 outcome
    MONEY = "money"  # an amount that may be negative


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. Bands are cut at quantiles of the calibration months' scores and then frozen with the model.

    baseline: the feature that the plain rule ranks (chance) or carries forward (money) by, in units of the score.
    groups: names of the feature groups it may use; empty for all that permit its purpose.
    """

    name: str
    title: str
    title_zh: str
    kind: Kind
    label: str
    purpose: str
    baseline: str
    baseline_title: str
    scores: Table
    score: str
    decimals: int
    high: float
    medium: float
    groups: tuple[str, ...] = ()

    @property
    def band(self) -> str:
        return f"{self.name}_band"


CHURN = Model(
    name="churn", title="Churn", title_zh="客户流失", kind=Kind.CHANCE, label="churn_inactive_90d", purpose="marketing",
    baseline="dormancy__dormant_days", baseline_title="recency rule: days since the last transaction",
    scores=scores.CHURN, score="churn_probability", decimals=6, high=0.9, medium=0.7,
)  # fmt: skip

VALUE = Model(
    name="value", title="Value over 12 months", title_zh="未来12个月价值", kind=Kind.MONEY, label="value_12m", purpose="marketing",
    baseline="value__margin_12m", baseline_title="last 12 months' margin carried forward",
    scores=scores.VALUE, score="value_12m", decimals=2, high=0.8, medium=0.5,
)  # fmt: skip

MODELS = (CHURN, VALUE)


def model(name: str) -> Model:
    """The model of that name. Raises UsageError that lists what there is."""
    for known in MODELS:
        if known.name == name:
            return known
    raise UsageError(f"No model [{name}]; there are {[known.name for known in MODELS]}")
