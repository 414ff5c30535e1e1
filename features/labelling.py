"""A label looks forward from an as-of date D: observation (D-o, D] → gap (D, D+g] → outcome (D+g, D+g+h].

Labels are data over the same measures as features: eligibility is told by measures as of D, the outcome by measures as
of the last day of the outcome window. So nothing after that day, and nothing of the gap, can touch a label.

Silence is only told of dates that were delivered: where one is missing from the observation nobody is eligible, where one
is missing from the outcome everybody is censored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pyspark.sql import Column, DataFrame

    from expectations.contracts.types import Table

KEYS = ("customer_key", "as_of_date")


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """A condition (SQL over the spine and measures as of D) for belonging to the label's population.

    stored: the same over full feature names, for who has stored features only. band: what a score of the others says.
    """

    when: str
    stored: str
    otherwise: str
    band: str


@dataclass(frozen=True, kw_only=True)
class Label:
    """`outcome` is SQL over measures as of D + gap + outcome days, whose windows end there."""

    name: str
    title: str
    title_zh: str
    definition: str
    observation_days: int
    gap_days: int
    outcome_days: int
    outcome: str
    eligible: tuple[Eligible, ...]
    table: Table

    @property
    def horizon_days(self) -> int:
        """Days from the as-of date to the end of the outcome window."""
        return self.gap_days + self.outcome_days

    def end_of(self, as_of: date) -> date:
        """Last day of the outcome window."""
        return as_of + timedelta(days=self.horizon_days)

    def is_observed(self, as_of: date, delivered: Collection[date]) -> bool:
        """Whether every date of the observation window was delivered."""
        return _holds(delivered, as_of, self.observation_days)

    def is_complete(self, as_of: date, delivered: Collection[date]) -> bool:
        """Whether every date of the outcome window was delivered."""
        return _holds(delivered, self.end_of(as_of), self.outcome_days)

    @property
    def is_flag(self) -> bool:
        """Whether the outcome is 0 or 1."""
        return any(column.name == "label" and column.unit == "flag" for column in self.table.columns)

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(condition.when for condition in self.eligible)

    @property
    def sqls(self) -> tuple[str, ...]:
        """All expressions over measures."""
        return (*self.conditions, self.outcome)

    @property
    def features(self) -> tuple[str, ...]:
        """Full names of the features that tell who is eligible."""
        return tuple(sorted({name for condition in self.eligible for name in re.findall(r"\b[a-z_]+?__\w+", condition.stored)}))


def unscored(label: Label) -> Column:
    """Band of a customer outside the label's population, over stored features as of D; null for those inside."""
    return _first_broken((condition.stored, condition.band) for condition in label.eligible)


def _first_broken(conditions: Iterable[tuple[str, str]]) -> Column:
    """What is said (second) where a condition (first, SQL) is the first that does not hold; null where all hold."""
    broken = [F.when(~F.coalesce(F.expr(condition), F.lit(False)), F.lit(said)) for condition, said in conditions]
    return F.coalesce(*broken, F.lit(None).cast("string"))


def _holds(delivered: Collection[date], end: date, days: int) -> bool:
    """Whether the `days` dates up to `end` were delivered."""
    return all(end - timedelta(days=back) in delivered for back in range(days))


def label(
    label: Label, observed: DataFrame, outcomes: DataFrame, *, dates: Sequence[date], delivered: Collection[date]
) -> DataFrame:  # fmt: skip
    """Grain: customer × as_of_date of `observed` (spine with measures as of D); columns of the label's table.

    dates: the as-of dates. delivered: business dates for which the label's facts have come.
    outcomes: customers who can be followed up to the end of the outcome, by the label's as-of date, with `outcome`:
    the others merged into another customer meanwhile and are censored.
    """
    day, last = F.col("as_of_date"), max(delivered, default=date.min)
    is_ended = day.isin(*(one for one in dates if label.end_of(one) <= last))
    is_observed = day.isin(*(one for one in dates if label.is_observed(one, delivered)))
    is_complete = day.isin(*(one for one in dates if label.is_complete(one, delivered)))
    told = observed.join(outcomes.select(*KEYS, "outcome", F.lit(True).alias("is_followed")), on=list(KEYS), how="left").select(
        *KEYS,
        "outcome",
        # First: what the other conditions look at was not delivered.
        F.coalesce(
            F.when(~is_observed, F.lit("the observation window holds dates that were never delivered")),
            _first_broken((condition.when, condition.otherwise) for condition in label.eligible),
        ).alias("not_eligible"),
        F.when(~is_ended, "the outcome window is not loaded to its end")
        .when(~is_complete, "the outcome window holds dates that were never delivered")
        .when(F.col("is_followed").isNull(), "merged into another customer before the end of the outcome window").alias("censored"),
    )  # fmt: skip
    return told.select(
        *KEYS,
        F.col("not_eligible").isNull().alias("is_eligible"),
        F.col("censored").isNotNull().alias("is_censored"),
        F.when(F.col("censored").isNull(), F.col("outcome")).cast("bigint").alias("label"),
        F.coalesce("not_eligible", "censored").alias("reason"),
    )
