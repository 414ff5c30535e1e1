"""Arithmetic of the windows on arrays of integers: sums that fit 64 bits, logarithms in millionths, calendar months, medians."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.operations import LONGEST_WINDOW, MOST

Integers: TypeAlias = NDArray[np.int64]

# Values beyond this could overflow in a sum over the longest window.
LARGEST = np.iinfo(np.int64).max // (LONGEST_WINDOW + 1)


def multiples_of(values: Integers, per: int) -> Integers:
    """Whole multiples of `per`; none for what is negative, at most MOST."""
    found: Integers = np.clip(values // per, 0, MOST)
    return found


def millionths_of_log(multiples: Integers) -> Integers:
    found: Integers = np.rint(np.log1p(multiples) * 1_000_000).astype(np.int64)
    return found


def prefix_sums(values: Integers) -> Integers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])


def bounded(values: Integers, column: str) -> Integers:
    """The values. Raises OverflowError for one whose sum over the longest window might not be a 64-bit integer."""
    if len(values) and (values.max() > LARGEST or values.min() < -LARGEST):
        worst = max(int(values.max()), int(values.min()), key=abs)
        raise OverflowError(f"Column [{column}] of a day tile reaches [{worst}]; its sum over {LONGEST_WINDOW} days may not fit 64 bits")
    return values


def month_of(day: Integers) -> Integers:
    """The day's calendar month, numbered."""
    found: Integers = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return found


def month_end(as_of: Integers, months_before: int) -> Integers:
    """The last day of the calendar month so many months before the as-of date's."""
    following = as_of.astype("datetime64[D]").astype("datetime64[M]") - (months_before - 1)
    found: Integers = following.astype("datetime64[D]").astype(np.int64) - 1
    return found


def lower_median(rows: Integers) -> Integers:
    """Lower median of each column: an integer again."""
    found: Integers = np.sort(rows, axis=0)[(len(rows) - 1) // 2]
    return found
