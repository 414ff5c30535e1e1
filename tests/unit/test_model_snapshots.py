"""Dates of training, calibration and test: out of time, or no model."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import GateError, InvariantError
from jobs.models import snapshots
from jobs.models.snapshots import Snapshots

YEAR, CHURN = 365, 120


def month_end(month: int) -> date:
    """Last day of month 1, 2, ... of a history that starts with 2022-01."""
    year, place = divmod(month, 12)
    return date(2022 + year, place + 1, 1) - timedelta(days=1)


def months(*numbers: int) -> tuple[date, ...]:
    return tuple(map(month_end, numbers))


def test_the_demo_trains_on_13_to_18_calibrates_to_24_and_tests_at_36() -> None:
    # labels for months 13..36, data to month 48; a year after month 24 ends at month 36
    chosen = snapshots.choose(months(*range(13, 37)), horizon_days=YEAR, until=month_end(48), train=6, calibrate=6)
    assert chosen.train == months(13, 14, 15, 16, 17, 18)
    assert chosen.calibrate == months(19, 20, 21, 22, 23, 24)
    assert chosen.test == months(36)


def test_a_shorter_horizon_is_tested_later() -> None:
    # 120 days: data to month 36 complete month 32 (2024-08-31 + 120 = 2024-12-29); a test there allows months to 28
    chosen = snapshots.choose(months(*range(13, 37)), horizon_days=CHURN, until=month_end(36), train=6, calibrate=3)
    assert chosen.test == months(32)
    assert chosen.calibrate == months(26, 27, 28)
    assert chosen.train == months(20, 21, 22, 23, 24, 25)


def test_incomplete_outcomes_are_not_used() -> None:
    with pytest.raises(GateError, match=r"No labelled date has its outcome of \[365\] days complete by \[2023-12-31\]"):
        snapshots.choose(months(13, 14), horizon_days=YEAR, until=month_end(24), train=1, calibrate=1)


def test_too_few_snapshots_are_told_with_their_counts() -> None:
    # 13..27 are complete by month 39; a test at 27 leaves 13, 14, 15
    with pytest.raises(
        GateError, match=r"\[3\] of \[15\] labelled dates .* test date \[2024-03-31\], \[6\] to train and \[3\] to calibrate"
    ):
        snapshots.choose(months(*range(13, 37)), horizon_days=YEAR, until=month_end(39), train=6, calibrate=3)


def test_a_test_before_the_end_of_a_training_outcome_can_not_be_stated() -> None:
    with pytest.raises(InvariantError, match="an outcome that training has seen"):
        Snapshots(train=months(1), calibrate=months(2), test=months(13), horizon_days=YEAR)
    assert Snapshots(train=months(1), calibrate=months(2), test=months(14), horizon_days=YEAR)


def test_calibration_is_later_than_training() -> None:
    with pytest.raises(InvariantError, match="not after the last training date"):
        Snapshots(train=months(2), calibrate=months(2), test=months(36), horizon_days=YEAR)


@given(st.sets(st.integers(1, 60), max_size=60), st.integers(1, 400), st.integers(1, 72), st.integers(1, 8), st.integers(1, 6))
def test_no_test_date_is_before_the_end_of_an_outcome_seen(
    labelled: set[int], horizon: int, until: int, train: int, calibrate: int
) -> None:
    days = timedelta(days=horizon)
    try:
        chosen = snapshots.choose(months(*labelled), horizon_days=horizon, until=month_end(until), train=train, calibrate=calibrate)
    except GateError:
        return
    assert max(chosen.train + chosen.calibrate) + days <= min(chosen.test)
    assert max(chosen.test) + days <= month_end(until)
    assert max(chosen.train) < min(chosen.calibrate)
    assert (len(chosen.train), len(chosen.calibrate)) == (train, calibrate)
