"""Window states against the kernel's sweep over all rows, which has its own naive twin: rolled over any gaps, they tell the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.arithmetic import LARGEST
from features.kernel import NOTHING, Questions, Rows, Sweep, answer
from features.spec import Kind
from features.states import answers, packed, rolling
from features.states.layout import Layout, layout_of
from tests.fixtures.examples import examples
from tests.oracle.test_kernel import DAYS, FACTS, FIRST, LEAP_YEAR, SOURCE, WANTED, YEAR_END, rows_of

STATED = replace(SOURCE, kind=Kind.STEPS)
LAYOUT = layout_of(STATED, tuple(replace(item, source=STATED) for item in WANTED))
CUSTOMERS = (1, 2, 3)
# Dates one after another: nights, gaps, a gap longer than all windows.
GAPS = st.lists(st.one_of(st.integers(1, 3), st.integers(1, 40), st.just(500)), max_size=6)


def rows(facts: dict[int, dict[int, int]], days: set[int] | None = None) -> Rows:
    found = [(customer - 1, day, value) for customer, day, value in rows_of(facts) if days is None or day in days]
    segment, day, value = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return Rows(segment, day, {"v": value, "bits": value & 63})


def passing(layout: Layout, since: int, as_of: int) -> set[int]:
    return {day for first, last in layout.passing(since, as_of) for day in range(first, last + 1)}


def told(state: rolling.State) -> dict[str, list[int]]:
    asked = answers.Told(LAYOUT, state, len(CUSTOMERS))
    return {item.column: answers.answer(asked, item).tolist() for item in LAYOUT.wanted}


def swept(facts: dict[int, dict[int, int]], as_of: int) -> dict[str, list[int]]:
    who = np.arange(len(CUSTOMERS), dtype=np.int64)
    sweep = Sweep(rows(facts), Questions(who, np.full(len(who), as_of, dtype=np.int64)))
    return {item.column: answer(sweep, item).tolist() for item in WANTED}


@examples(150, 3000)
@given(facts=FACTS, start=DAYS, gaps=GAPS)
@example(facts=LEAP_YEAR, start=YEAR_END - 1, gaps=[1, 1])
@example(facts=LEAP_YEAR, start=YEAR_END, gaps=[])
def test_a_state_rolled_over_any_gaps_tells_what_all_rows_tell(facts, start, gaps):
    seen = {customer: {day: value for day, value in mine.items() if day <= start} for customer, mine in facts.items()}
    state = rolling.rolled(LAYOUT, rolling.nothing(LAYOUT, len(CUSTOMERS)), rows(seen), len(CUSTOMERS), start)
    assert told(state) == swept(facts, start)
    day = start
    for gap in gaps:
        # Only the rows that pass a border; all others might as well be gone.
        state = rolling.rolled(LAYOUT, state, rows(facts, passing(LAYOUT, day, day + gap)), len(CUSTOMERS), day + gap)
        day += gap
        assert told(state) == swept(facts, day)


@examples(60, 1200)
@given(facts=FACTS, start=DAYS)
def test_what_is_packed_comes_out_the_same(facts, start):
    state = rolling.rolled(LAYOUT, rolling.nothing(LAYOUT, len(CUSTOMERS)), rows(facts), len(CUSTOMERS), start)
    again = packed.unpack(LAYOUT, packed.pack(LAYOUT, state, len(CUSTOMERS)), start)
    assert told(again) == told(state)


def test_who_has_nothing_packs_to_nothing():
    state = rolling.rolled(LAYOUT, rolling.nothing(LAYOUT, len(CUSTOMERS)), rows({2: {FIRST: 5}}), len(CUSTOMERS), FIRST)
    assert [one != b"" for one in packed.pack(LAYOUT, state, len(CUSTOMERS)).to_pylist()] == [False, True, False]


def test_a_sum_that_may_not_fit_is_refused():
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(OverflowError, match=r"Column \[v\] of a day tile reaches \[\d+\]"):
        rolling.rolled(LAYOUT, rolling.nothing(LAYOUT, 1), Rows(one, one + 9, {"v": one + LARGEST + 1, "bits": one}), 1, 10)


def test_every_wanted_measure_of_the_catalogue_has_a_layout():
    from features.catalogue import GROUPS, SOURCES

    sqls = tuple(sql for group in GROUPS for sql in group.sqls)
    layouts = [layout_of(source, source.wanted_by(sqls)) for source in SOURCES if source.is_swept]
    assert len({layout.digest for layout in layouts}) == len(layouts) == 6
    assert NOTHING < 0
