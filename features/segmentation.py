"""A segmentation: ordered named rules over features, first match wins, the last rule is explicit.

Cut-points are frozen with a version. Every customer gets exactly one segment per scheme and date, and why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OTHERWISE = "true"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`when` is SQL over full feature names; a condition that can't be told (null) does not hold."""

    name: str
    title: str
    title_zh: str
    when: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    name: str
    version: int
    title: str
    title_zh: str
    rules: tuple[Rule, ...]
    purposes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.rules[-1].when != OTHERWISE or any(rule.when == OTHERWISE for rule in self.rules[:-1]):
            raise ValueError(f"[{self.name}] must end with its one rule for everybody else")

    @property
    def features(self) -> tuple[str, ...]:
        """Full names of the features that the rules speak of."""
        return tuple(sorted({name for rule in self.rules for name in re.findall(r"\b[a-z_]+?__\w+", rule.when)}))

    @property
    def position(self) -> str:
        """SQL: position of the first rule that holds, 0 for the first rule."""
        cases = " ".join(f"when {rule.when} then {position}" for position, rule in enumerate(self.rules))
        return f"case {cases} end"

    def named(self, position: str, attribute: str) -> str:
        """SQL: an attribute (name, because) of the rule at a position."""
        cases = " ".join(f"when {at} then '{getattr(rule, attribute)}'" for at, rule in enumerate(self.rules))
        return f"case {position} {cases} end"


def assign(features: DataFrame, scheme: Segmentation) -> DataFrame:
    """Grain: customer_key × as_of_date of `features`; columns of features.segment_daily.

    features: wide rows that hold the scheme's features by full name.
    """
    placed = features.select("customer_key", "as_of_date", F.expr(scheme.position).alias("position"))
    return segments(placed.withColumn("because", F.expr(scheme.named("position", "because"))), scheme)


def segments(placed: DataFrame, scheme: Segmentation) -> DataFrame:
    """`placed` (customer_key, as_of_date, position, because) in the columns of features.segment_daily."""
    return placed.select(
        "customer_key", "as_of_date", F.lit(scheme.name).alias("scheme"), F.expr(scheme.named("position", "name")).alias("segment"),
        "because", F.lit(scheme.version).alias("version"),
    )  # fmt: skip
