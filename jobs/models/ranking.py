"""Order by a score and count along it: every rank metric and curve is read off one cumulative walk.

Equal scores are one step of the walk: half of a tied block is credited at half of its length. A rule with few values
(days since the last transaction) is then judged as if its ties were broken at random, and not by row order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Down a list ordered by score: cumulative rows and cumulative gain after each distinct score, from (0, 0)."""

    rows: Numbers
    gain: Numbers

    @property
    def total(self) -> float:
        return float(self.gain[-1])

    def gain_at(self, share: float) -> float:
        """Gain within the best `share` of the rows."""
        return float(np.interp(share * self.rows[-1], self.rows, self.gain))

    def captured(self, share: float) -> float:
        """Share of the whole gain that the best `share` of the rows holds."""
        return self.gain_at(share) / self.total

    def lift(self, share: float) -> float:
        """Gain within the best `share` over what as many random rows would hold."""
        return self.captured(share) / share

    def area(self) -> float:
        """Area under captured gain over share of rows; .5 for no order at all."""
        return float(np.trapezoid(self.gain / self.total, self.rows / self.rows[-1]))


def walk(scores: Numbers, gains: Numbers) -> Walk:
    """Walk from the highest score to the lowest, adding `gains`."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_block = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    rows = np.append(0.0, last_of_block + 1.0)
    gain = np.append(0.0, np.cumsum(gains[order])[last_of_block])
    return Walk(rows=rows, gain=gain)


def roc(scores: Numbers, happened: Numbers) -> tuple[Numbers, Numbers]:
    """False and true positive rates along the walk."""
    walked = walk(scores, happened)
    misses = walked.rows - walked.gain
    return misses / misses[-1], walked.gain / walked.total
