"""May a model become champion? Limits come from conf/base/models.yml; every check is told, kept or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jobs.models.catalogue import Kind, Model

if TYPE_CHECKING:
    from collections.abc import Mapping


class Limits(Protocol):
    """What settings.models.gate holds."""

    @property
    def churn_auc_min(self) -> float: ...
    @property
    def churn_top_decile_lift_min(self) -> float: ...
    @property
    def churn_calibration_error_max(self) -> float: ...
    @property
    def value_gini_min(self) -> float: ...
    @property
    def value_total_ratio_low(self) -> float: ...
    @property
    def value_total_ratio_high(self) -> float: ...
    @property
    def tolerance(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Check:
    """One limit and what was seen."""

    metric: str
    seen: float
    low: float | None = None
    high: float | None = None
    against: str = "limit"

    @property
    def kept(self) -> bool:
        # A metric that could not be computed (NaN) keeps no limit.
        above = self.low is None or self.seen >= self.low
        below = self.high is None or self.seen <= self.high
        return not math.isnan(self.seen) and above and below

    def __str__(self) -> str:
        low, high = ("" if bound is None else f"{bound:.4g}" for bound in (self.low, self.high))
        wanted = f"between {low} and {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        return f"{self.metric} [{self.seen:.4g}] must be {wanted} ({self.against})"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All checks of one candidate."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.kept for check in self.checks)

    @property
    def broken(self) -> list[str]:
        return [str(check) for check in self.checks if not check.kept]

    def as_json(self) -> dict[str, Any]:
        checks = [
            {"metric": c.metric, "seen": c.seen, "low": c.low, "high": c.high, "against": c.against, "kept": c.kept} for c in self.checks
        ]
        return {"passed": self.passed, "because": self.broken, "checks": checks}


def decide(
    model: Model, limits: Limits, *, metrics: Mapping[str, float], baseline: Mapping[str, float], champion: Mapping[str, float] | None
) -> Verdict:
    """Absolute limits; not worse than the plain rule; not worse than the champion on the same test, by more than the tolerance.

    champion: its metrics on the same test rows, None when there is none or it can't be compared.
    """
    main = "auc" if model.kind is Kind.CHANCE else "gini"
    rivals = [("plain rule", baseline), *([("champion", champion)] if champion else [])]
    relative = [Check(metric=main, seen=metrics[main], low=rival[main] - limits.tolerance, against=name) for name, rival in rivals]
    return Verdict(checks=(*_absolute(model, limits, metrics), *relative))


def _absolute(model: Model, limits: Limits, metrics: Mapping[str, float]) -> tuple[Check, ...]:
    if model.kind is Kind.CHANCE:
        return (
            Check(metric="auc", seen=metrics["auc"], low=limits.churn_auc_min),
            Check(metric="top_decile_lift", seen=metrics["top_decile_lift"], low=limits.churn_top_decile_lift_min),
            Check(metric="calibration_error", seen=metrics["calibration_error"], high=limits.churn_calibration_error_max),
        )
    return (
        Check(metric="gini", seen=metrics["gini"], low=limits.value_gini_min),
        Check(metric="total_ratio", seen=metrics["total_ratio"], low=limits.value_total_ratio_low, high=limits.value_total_ratio_high),
    )


def told_positives(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Positive outcomes of the rows of each split: train 309 of 1,068, calibrate ..."""
    return ", ".join(f"{name} {found['positives']:,} of {found['rows']:,}" for name, found in counts.items()) or "no rows at all"
