"""A night that rolls states reads every day that passes a border of a window since then: tonight's, and those that leave."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

from features.catalogue import FEATURES
from features.operations import HORIZON, LONGEST_WINDOW
from features.sources.transaction import TRANSACTION
from features.states.frames import _passing
from features.states.layout import layout_of
from jobs.build.facts import Facts
from jobs.build.window_states import KEPT, LONGEST_GAP, Stored, dates_rolled_from, made_by
from jobs.context import JobContext

NIGHT = date(2026, 1, 2)
WANTED = TRANSACTION.wanted_by(tuple(feature.sql for _, feature in FEATURES.values()))


def stored(as_of: date) -> Stored:
    return Stored(as_of=as_of, seen={}, layout="", code=made_by(), rows=1)


def seen_since(first: date) -> date:
    return Facts(cast("JobContext", None), first, NIGHT).since


def test_days_that_leave_the_windows_are_read() -> None:
    for gap in (1, 2, LONGEST_GAP):
        before = NIGHT - timedelta(days=gap)
        passing = _passing(layout_of(TRANSACTION, WANTED), before, NIGHT)
        earliest = min(first for first, _ in passing)
        assert earliest == before - timedelta(days=364)  # the first day that the longest window of `before` saw
        (rolled_from,) = dates_rolled_from(NIGHT, [stored(before)])
        assert seen_since(rolled_from) <= earliest
        # The night's own windows begin later: by a gap of one night as many days as there are beyond the longest window.
        assert seen_since(NIGHT) - earliest == timedelta(days=gap - (HORIZON - LONGEST_WINDOW))


def test_states_too_old_or_of_the_night_itself_are_not_rolled() -> None:
    days = [NIGHT - timedelta(days=LONGEST_GAP + 1), NIGHT - timedelta(days=2), NIGHT]
    assert len(days) == KEPT
    assert dates_rolled_from(NIGHT, [stored(day) for day in days]) == [NIGHT - timedelta(days=2)]
