"""From tree contributions to business reasons: features are summed by the reason they tell about.

Reasons' codes and texts: expectations.contracts.scores.REASONS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from expectations.contracts.scores import REASON_CODES
from jobs.models.ranking import Numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

# Feature group -> reason.
OF_GROUP = {
    "tenure": "relationship", "holdings": "products", "balances": "balances", "deposits_recurring": "saving_plan",
    "activity": "activity", "rhythm": "activity", "dormancy": "recency", "spend_mix": "spending", "cash_flow": "income",
    "channels": "channels", "credit": "credit", "value": "value", "early_warning": "other", "merchant": "other",
}  # fmt: skip
# Parts of a feature's own name that tell more than its group.
OF_NAME = (("silen", "recency"), ("recency", "recency"))
# A contribution below this is no reason: in log-odds for a chance, in signed logarithms for money.
FLOOR = 0.02
TOLD = 3


def reason_of(feature: str) -> str:
    """The reason that a feature tells about, by its name, else by its group, else `other`."""
    group, _, own = feature.partition("__")
    named = (code for part, code in OF_NAME if part in own)
    return next(named, OF_GROUP.get(group, "other"))


def by_reason(contributions: Numbers, features: Sequence[str]) -> Numbers:
    """Rows × features -> rows × REASON_CODES: contributions summed by reason, so that their total is unchanged."""
    places = [REASON_CODES.index(reason_of(feature)) for feature in features]
    membership = np.zeros((len(features), len(REASON_CODES)))
    membership[np.arange(len(features)), places] = 1.0
    return np.asarray(contributions @ membership, dtype=np.float64)


def strongest(summed: Numbers) -> pd.DataFrame:
    """reason_1..reason_3: codes of the largest positive sums above FLOOR, None where there are fewer. Grain: as given."""
    order = np.argsort(-summed, axis=1, kind="stable")[:, :TOLD]
    best = np.take_along_axis(summed, order, axis=1)
    codes = np.array(REASON_CODES, dtype=object)[order]
    codes[best <= FLOOR] = None
    return pd.DataFrame(codes, columns=[f"reason_{place}" for place in range(1, TOLD + 1)], dtype=object)
