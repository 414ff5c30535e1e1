"""The kernel against a naive twin in plain Python: every operation, any rows, dates and windows; and its stream of batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache, partial, reduce
from itertools import pairwise
from operator import or_
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features import measures, stream
from features.arithmetic import LARGEST
from features.kernel import NOTHING, Questions, Rows, Sweep, answer, one_per_day
from features.operations import HORIZON, SPANNED, Merge, Operation, Span, Window
from features.spec import Empty, Kind, Measure, Source, TileColumn, Wanted
from tests.fixtures.examples import examples

EPOCH = date(1970, 1, 1)
FIRST = (date(2023, 11, 1) - EPOCH).days
WINDOWS = (1, 7, 30, 90, 365)
DAYS = st.one_of(st.integers(FIRST, FIRST + 900), st.integers(FIRST + 480, FIRST + 500))
# Per customer: a value per day. Rows of 0 tell of another column only.
FACTS = st.dictionaries(st.integers(1, 3), st.dictionaries(DAYS, st.one_of(st.integers(-40, 60), st.just(0)), max_size=40), max_size=3)
DATES = st.lists(DAYS, min_size=1, max_size=5, unique=True)

# The first day of the twelve calendar months that end with a leap year, and the last of those before.
LEAP_YEAR = {1: {(day - EPOCH).days: 5 for day in (date(2023, 12, 31), date(2024, 1, 1))}}
YEAR_END = (date(2024, 12, 31) - EPOCH).days

MEASURES = (
    measures.total("v"), Measure(name="members", operation=Operation.MEMBERS, column="bits", empty=Empty.ZERO), measures.largest("v", name="largest"),
    measures.days_with("v", name="days"), measures.days_since("v", name="since"), measures.days_since_first("v", name="since_first"),
    measures.spells_with("v", name="weeks", days=7), measures.gap_squares("v", name="gap_squares"),
    measures.spells_with("v", name="months31", days=31), measures.calendar_months_with("v", name="months"), measures.kinds_in("bits", name="kinds"),
    measures.level("v", name="level"), measures.level_before("v", name="before"), measures.area("v", name="area"),
    measures.days_below("v", 10, name="below"), measures.highest("v", name="highest"), measures.largest_fall("v", name="fall"),
    measures.total("v", name="units", per=3), measures.squares("v", name="squares", per=3), measures.decayed("v", name="decayed", half_life=30),
    measures.total_after("v", "bits", name="after"), measures.matched("v", "bits", name="matched"), measures.new_kinds_in("bits", name="new", days=7),
    measures.flow_median("v", "bits", name="median"), measures.flow_spread("v", "bits", name="spread"),
    measures.level_at_month_end("v", name="month_end"), measures.month_ends_below("v", 10, name="ends_below"), *measures.moments("v", per=3),
)  # fmt: skip
SOURCE = Source(
    name="s", title="s", title_zh="s", kind=Kind.EVENTS, reads="core.s", measures=MEASURES,
    columns=(
        TileColumn(name="v", sql="v", merge=Merge.MAX, description="v"),
        TileColumn(name="bits", sql="bits", merge=Merge.BITS, description="b"),
    ),
)  # fmt: skip
WANTED = tuple(
    Wanted(source=SOURCE, measure=measure, window=window)
    for measure in MEASURES
    for window in (
        (*WINDOWS, *(span for span in Span if measure.operation in (*SPANNED[span], Operation.MEMBERS))) if measure.is_windowed else (None,)
    )
    if window != 1 or measure.operation not in {Operation.FLOW_MEDIAN, Operation.FLOW_SPREAD}  # no whole week
)


def days_in(window: Window | None, as_of: int) -> int:
    """How many days a window has as of a date."""
    if window is Span.LTD:
        return as_of + 1
    return (EPOCH + timedelta(days=as_of)).day if window is Span.MTD else window or 1


def naive(measure: Measure, facts: dict[int, int], as_of: int, window: int) -> int | None:
    """Walks over days one by one."""
    seen = {day: value for day, value in facts.items() if as_of - window < day <= as_of}
    positive = sorted(day for day, value in seen.items() if value > 0)
    levels = levels_back(tuple(facts.items()), as_of)[:window]
    held = [level for level in levels if level is not None]
    match measure.operation:
        case Operation.SUM:
            return sum(multiples(seen.values(), measure)) if measure.argument else sum(seen.values())
        case Operation.SQUARES:
            return sum(value**2 for value in multiples(seen.values(), measure))
        case Operation.DECAYED:
            steps = window // measure.argument
            ages = {day: (as_of - day) // measure.argument for day in seen}
            return sum(2 ** (steps - 1 - ages[day]) * value for day, value in seen.items() if ages[day] < steps)
        case Operation.SUM_AFTER:
            last = max((day for day, value in seen.items() if value & 63), default=0)
            return sum(value for day, value in seen.items() if day > last)
        case Operation.MATCHED:
            return sum(min(value, (value & 63) + (seen.get(day + 1, 0) & 63)) for day, value in seen.items())
        case Operation.MAX:
            return max(seen.values(), default=None)
        case Operation.KINDS:
            return len({bit for value in seen.values() for bit in range(6) if value & 63 & 1 << bit})
        case Operation.NEW_KINDS:
            recent, before = set(), set()
            for day, value in facts.items():
                for bit in range(6):
                    if value & 63 & 1 << bit and as_of - measure.argument < day <= as_of:
                        recent.add(bit)
                    if value & 63 & 1 << bit and as_of - window < day <= as_of - measure.argument:
                        before.add(bit)
            return len(recent - before)
        case Operation.FLOW_MEDIAN:
            return lower_median(flows(facts, as_of, window))
        case Operation.FLOW_SPREAD:
            middle = lower_median(flows(facts, as_of, window))
            return lower_median([abs(flow - middle) for flow in flows(facts, as_of, window)])
        case Operation.MEMBERS:
            return sum((value & 63).bit_count() for value in seen.values())
        case Operation.DAYS:
            return len(positive)
        case Operation.DAYS_SINCE:
            return as_of - positive[-1] if positive else None
        case Operation.DAYS_SINCE_FIRST:
            return as_of - positive[0] if positive else None
        case Operation.GAP_SQUARES:
            return sum((later - earlier) ** 2 for earlier, later in pairwise(positive))
        case Operation.SPELLS:
            return len({(as_of - day) // measure.argument for day in positive})
        case Operation.MONTHS:
            return len({month(day) for day, value in facts.items() if value > 0 and is_in_months(day, as_of, window)})
        case Operation.LEVEL:
            return level_on(facts, as_of)
        case Operation.LEVEL_BEFORE:
            return level_on(facts, as_of - window)
        case Operation.MONTH_END:
            return level_on(facts, month_ends(as_of)[0])
        case Operation.MONTH_ENDS_BELOW:
            ends = [level_seen(facts, day, as_of) for day in month_ends(as_of)[: window // 30]]
            return sum(level is not None and level < measure.argument for level in ends)
        case Operation.AREA:
            return sum(multiples(held, measure)) if measure.argument else sum(held)
        case Operation.AREA_SQUARES:
            return sum(value**2 for value in multiples(held, measure))
        case Operation.AREA_LOG:
            return sum(millionths_of_log(value) for value in multiples(held, measure))
        case Operation.MOMENT_LOG:
            return sum(age * millionths_of_log(*multiples([level], measure)) for age, level in enumerate(levels) if level is not None)
        case Operation.DAYS_BELOW:
            return sum(level < measure.argument for level in held)
        case Operation.HIGHEST:
            return max(held, default=None)
        case Operation.LARGEST_FALL:
            return max((max(0, -value) for value in seen.values()), default=None)
    raise AssertionError(measure)


def multiples(values: Iterable[int], measure: Measure) -> list[int]:
    return [min(max(value, 0) // measure.argument, 30_000_000) for value in values]


def millionths_of_log(value: int) -> int:
    return round(math.log(1 + value) * 1e6)


def flows(facts: dict[int, int], as_of: int, window: int) -> list[int]:
    """Per whole week of the window the values less their lowest six bits."""
    weeks = [0] * (window // 7)
    for day, value in facts.items():
        if day <= as_of and (as_of - day) // 7 < len(weeks):
            weeks[(as_of - day) // 7] += value - (value & 63)
    return weeks


def lower_median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]


def month_ends(as_of: int) -> list[int]:
    """The ends of the 24 calendar months before the day's own, latest first."""
    on, found = EPOCH + timedelta(days=as_of), []
    for _ in range(24):
        on = on.replace(day=1) - timedelta(days=1)
        found.append((on - EPOCH).days)
    return found


@lru_cache
def levels_back(facts: tuple[tuple[int, int], ...], as_of: int) -> list[int | None]:
    """The levels of the as-of date and the days before it."""
    return [level_seen(dict(facts), as_of - back, as_of) for back in range(max(WINDOWS))]


def level_seen(facts: dict[int, int], day: int, as_of: int) -> int | None:
    """None before the first change that the as-of date sees, unless there was a level when its sight began."""
    begun = as_of - HORIZON
    had_none = level_on(facts, begun) == 0
    changes = [changed for changed, value in facts.items() if value and (changed > begun or not had_none)]
    return level_on(facts, day) if any(changed <= day for changed in changes) else None


def level_on(facts: dict[int, int], day: int) -> int:
    return sum(value for changed, value in facts.items() if changed <= day)


def month(day: int) -> int:
    on = EPOCH + timedelta(days=day)
    return on.year * 12 + on.month


def is_in_months(day: int, as_of: int, window: int) -> bool:
    return day <= as_of and (month(as_of) - month(day)) * 30 < min(window, 360)


def rows_of(facts: dict[int, dict[int, int]]) -> list[tuple[int, int, int]]:
    return [(customer, day, value) for customer in sorted(facts) for day, value in sorted(facts[customer].items())]


@examples(150, 3000)
@given(facts=FACTS, dates=DATES)
@example(facts=LEAP_YEAR, dates=[YEAR_END - 1, YEAR_END, YEAR_END + 1])
def test_every_operation_equals_the_twin(facts, dates):
    rows = np.array(rows_of(facts), dtype=np.int64).reshape(-1, 3)
    asked = [(customer, day) for customer in (1, 2, 3) for day in sorted(dates)]
    questions = Questions(*np.array(asked, dtype=np.int64).T)
    sweep = Sweep(Rows(rows[:, 0], rows[:, 1], {"v": rows[:, 2], "bits": rows[:, 2] & 63}), questions)
    for item in WANTED:
        expected = [naive(item.measure, facts.get(customer, {}), day, days_in(item.window, day)) for customer, day in asked]
        assert [None if value == NOTHING else value for value in answer(sweep, item).tolist()] == expected, item.column


@examples(150, 3000)
@given(facts=FACTS, as_of=DAYS, opening=st.integers(-1, 200), emptied=st.booleans())
@example(facts=LEAP_YEAR, as_of=YEAR_END, opening=-1, emptied=False)
def test_what_lies_further_back_is_told_by_its_level_alone(facts, as_of, opening, emptied):
    """A date alone is given an opening level instead of the history; it has to say what a range over all of it says."""
    if emptied:
        eve = as_of - HORIZON - opening - 1
        facts = {customer: mine | {eve: mine.get(eve, 0) - level_on(mine, eve)} for customer, mine in facts.items()}
    opened = {customer: since(mine, as_of - HORIZON - opening) for customer, mine in facts.items()}
    whole, alone = (streamed(batches_of(some, []), stream.Everybody(np.array([as_of]))) for some in (facts, opened))
    nothing = {item.column: 0 if item.measure.empty is Empty.ZERO else None for item in WANTED}
    # A life is what happened in all of it: no level tells that, month tiles do.
    told = {item.column for item in WANTED if item.window is not Span.LTD}
    for key in ask(as_of):
        found, expected = ({name: row[name] for name in told} for row in (alone.get(key, nothing), whole.get(key, nothing)))
        assert found == expected


def since(facts: dict[int, int], opening: int) -> dict[int, int]:
    """The changes from the opening on, after one that gives the level it begins with, unless that is 0."""
    level = level_on(facts, opening - 1)
    return ({opening - 1: level} if level else {}) | {day: value for day, value in facts.items() if day >= opening}


def ask(as_of: int) -> list[tuple[int, date]]:
    return [(customer, EPOCH + timedelta(days=as_of)) for customer in (1, 2, 3)]


def test_every_operation_is_tried():
    assert {measure.operation for measure in MEASURES} == set(Operation)


def test_a_sum_that_may_not_fit_is_refused():
    one = np.zeros(1, dtype=np.int64)
    sweep = Sweep(Rows(one, one, {"v": one + LARGEST + 1}), Questions(one, one))
    with pytest.raises(OverflowError, match=r"Column \[v\] of a day tile reaches \[\d+\]"):
        answer(sweep, WANTED[0])


@examples(100, 2000)
@given(rows=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(-40, 60)), max_size=30).map(sorted))
def test_rows_of_one_day_become_one(rows):
    segment, day, value = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    found = one_per_day(Rows(segment, day, dict.fromkeys(Merge, value)), {merge: merge for merge in Merge})
    days = sorted({row[:2] for row in rows})
    assert list(zip(found.segment.tolist(), found.day.tolist(), strict=True)) == days
    for merge, by_hand in ((Merge.SUM, sum), (Merge.MAX, max), (Merge.BITS, partial(reduce, or_))):
        assert found.columns[merge].tolist() == [by_hand([v for *where, v in rows if tuple(where) == one]) for one in days]


def test_rows_of_one_day_that_may_not_fit_are_refused():
    twice = np.zeros(2, dtype=np.int64)
    with pytest.raises(OverflowError, match=r"Column \[v\]"):
        one_per_day(Rows(twice, twice, {"v": twice + LARGEST + 1}), {"v": Merge.SUM})


# --- the stream ----------------------------------------------------------------------------------------------------


def batches_of(facts: dict[int, dict[int, int]], sizes: Sequence[int], by_chance: Random | None = None) -> list[pa.RecordBatch]:
    """by_chance: what puts a customer's rows out of order."""
    rows = [
        {"customer_key": customer, "owned_from": stream.FIRST_DAY, "owned_to": stream.LAST_DAY, "source": 0, "day": day, "tile": [value, value & 63]}
        for customer, day, value in rows_of(facts)
    ]  # fmt: skip
    if by_chance:
        rows.sort(key=lambda row: (row["customer_key"], by_chance.random()))
    schema = pa.schema(
        [("customer_key", pa.int64()), *((name, pa.int32()) for name in ("owned_from", "owned_to", "source", "day")), ("tile", pa.list_(pa.int64()))]
    )  # fmt: skip
    whole = pa.RecordBatch.from_pylist(rows, schema)
    borders = [0, *(min(border, len(rows)) for border in np.cumsum(sizes).tolist()), len(rows)]
    return [whole.slice(first, after - first) for first, after in pairwise(borders)]


def streamed(batches: Sequence[pa.RecordBatch], as_of: stream.Everybody | stream.Each) -> dict[tuple[int, date], dict[str, Any]]:
    asked = [stream.Asked(source=SOURCE, columns=("v", "bits"), far=2, wanted=WANTED)]
    found = [row for batch in stream.measured(batches, asked, as_of) for row in batch.to_pylist()]
    by_key = {(row.pop("customer_key"), row.pop("as_of_date")): row for row in found}
    assert len(by_key) == len(found), "a customer was torn apart"
    return by_key


@examples(60, 1200)
@given(facts=FACTS, dates=DATES, sizes=st.lists(st.integers(0, 30), max_size=6), by_chance=st.randoms(use_true_random=False))
def test_however_the_stream_is_cut_and_a_customers_rows_are_ordered_the_answers_are_the_same(facts, dates, sizes, by_chance):
    with pytest.MonkeyPatch.context() as small:
        small.setattr(stream, "ROWS", 7)
        small.setattr(stream, "CELLS", 1)
        found = streamed(batches_of(facts, sizes, by_chance), stream.Everybody(np.array(sorted(dates))))
    expected = {
        (customer, EPOCH + timedelta(days=day)): {
            item.column: naive(item.measure, facts[customer], day, days_in(item.window, day)) for item in WANTED
        }
        for customer in facts for day in dates
        if facts[customer] and day >= min(facts[customer])  # who has no tile yet is left to the spine
    }  # fmt: skip
    assert found == expected


@examples(60, 1200)
@given(facts=FACTS, pairs=st.sets(st.tuples(st.integers(0, 4), DAYS), max_size=12).map(sorted))
def test_pairs_are_answered_as_everybody_is(facts, pairs):
    customer, day = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    with pytest.MonkeyPatch.context() as small:
        small.setattr(stream, "CELLS", 1)
        found = streamed(batches_of(facts, []), stream.Each(customer, day))
    everybody = streamed(batches_of(facts, []), stream.Everybody(np.unique(day))) if pairs else {}
    asked = {(customer, EPOCH + timedelta(days=day)) for customer, day in pairs}
    assert found == {key: row for key, row in everybody.items() if key in asked}


def test_pairs_of_merged_customers_meet_their_owners_days_only():
    pairs = stream.Each(np.array([4, 7, 7, 7, 9]), np.array([1, 1, 5, 9, 2]))
    asked = pairs.questions(np.array([5, 7, 7, 9]), np.array([0, 0, 5, 3]), np.array([10, 5, 10, 9]))
    # 5 is asked for nothing; 7 owns one segment before day 5, another from it on; 9 is asked for a day before it owns its own.
    assert (asked.segment.tolist(), asked.as_of.tolist()) == ([1, 2, 2], [1, 5, 9])
