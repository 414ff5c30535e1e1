"""States as bytes per customer, 64-bit integers one after the other: the sums, bits and levels in the order of the layout, then the stairs.

Most of a state is 0: it begins with a bit for each integer, and those that are 0 are left out.
Whose state tells nothing packs to no bytes, and no bytes are the state of who has none. Bytes, because engines take an array apart and
put it together integer by integer: that was a third of a night's commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.states.layout import KEPT_DAYS, MONTH_ENDS
from features.states.rolling import State, Steps

if TYPE_CHECKING:
    from features.arithmetic import Integers
    from features.states.layout import Layout
    from features.states.rolling import Bits

WORDS = KEPT_DAYS // 64
BYTES = 8


def pack(layout: Layout, state: State, customers: int) -> pa.BinaryArray:
    """Grain: customer."""
    blocks = [
        *(state.sums[amount] for amount, _ in layout.amounts), *(_words(state.days[column]) for column in layout.days),
        *(_words(state.silent[column]) for column in layout.silent),
        *(state.levels[key][None] for key in layout.levels), *(state.month_ends[column] for column in layout.month_ends),
        *(state.since[key][None] for key in layout.since), *(state.spans[key][None] for key in layout.spans),
    ]  # fmt: skip
    fixed = np.ascontiguousarray(np.concatenate(blocks).T)
    is_told = np.zeros((customers, 64 * _index_words(layout)), dtype=bool)
    is_told[:, : fixed.shape[1]] = fixed != 0
    index, told = _words(is_told).T, is_told.sum(axis=1)
    stairs = [state.stairs[stair] for stair, _ in layout.stairs]
    counts = [np.bincount(steps.customer, minlength=customers) for steps in stairs]
    none = np.zeros(customers, dtype=np.int64)
    has_any = (told > 0) | (sum(counts, none) > 0)
    lengths = np.where(has_any, index.shape[1] + told + sum((1 + 2 * count for count in counts), none), 0)
    offsets = np.append(0, np.cumsum(lengths))
    values = np.zeros(offsets[-1], dtype=np.int64)
    values[offsets[:-1][has_any][:, None] + np.arange(index.shape[1])] = index[has_any]
    place = offsets[:-1] + index.shape[1]
    values[np.repeat(place, told) + _nth(told)] = fixed[fixed != 0]
    place = place + told
    for steps, count in zip(stairs, counts, strict=True):
        values[place[has_any]] = count[has_any]
        at = (place + 1)[steps.customer] + 2 * _nth(count)
        values[at], values[at + 1] = steps.day, steps.value
        place = place + 1 + 2 * count
    return as_bytes(offsets, values)


def unpack(layout: Layout, states: pa.BinaryArray, as_of: int) -> State:
    """The customers' state as of the day that it was packed for."""
    offsets, values = as_integers(states)
    who = np.flatnonzero(np.diff(offsets) > 0)
    place, size = offsets[:-1][who], _index_words(layout)
    is_told = _bits(values[place[:, None] + np.arange(size)].T)[:, : width_of(layout)]
    told = is_told.sum(axis=1)
    place = place + size
    filled = np.zeros(is_told.shape, dtype=np.int64)
    filled[is_told] = values[np.repeat(place, told) + _nth(told)]
    fixed = np.zeros((len(states), width_of(layout)), dtype=np.int64)
    fixed[who] = filled
    take = _Taken(np.ascontiguousarray(fixed.T))
    sums = {amount: take(len(borders) - 1) for amount, borders in layout.amounts}
    days = {column: _bits(take(WORDS)) for column in layout.days}
    silent = {column: _bits(take(WORDS)) for column in layout.silent}
    levels = {key: take(1)[0] for key in layout.levels}
    month_ends = {column: take(MONTH_ENDS) for column in layout.month_ends}
    since = {key: take(1)[0] for key in layout.since}
    spans = {key: take(1)[0] for key in layout.spans}
    place, stairs = place + told, {}
    for stair, _ in layout.stairs:
        count = values[place]
        at = np.repeat(place + 1, count) + 2 * _nth(count)
        stairs[stair] = Steps(np.repeat(who, count), values[at], values[at + 1])
        place = place + 1 + 2 * count
    return State(
        as_of=as_of, sums=sums, spans=spans, days=days, silent=silent, levels=levels, month_ends=month_ends, since=since, stairs=stairs
    )


def width_of(layout: Layout) -> int:
    """Integers of a state, without its stairs."""
    pieces = sum(len(borders) - 1 for _, borders in layout.amounts)
    single = len(layout.levels) + len(layout.since) + len(layout.spans)
    return pieces + WORDS * (len(layout.days) + len(layout.silent)) + MONTH_ENDS * len(layout.month_ends) + single


def _index_words(layout: Layout) -> int:
    return -(-width_of(layout) // 64)


class _Taken:
    """Rows of a matrix, one block after another."""

    def __init__(self, rows: Integers) -> None:
        self._rows, self._next = rows, 0

    def __call__(self, count: int) -> Integers:
        found: Integers = self._rows[self._next : self._next + count]
        self._next += count
        return found


def as_bytes(offsets: Integers, values: Integers) -> pa.BinaryArray:
    """Runs of values, each from its offset to the next."""
    lengths = pa.py_buffer((BYTES * offsets).astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, lengths, pa.py_buffer(np.ascontiguousarray(values, dtype="<i8"))])


def as_integers(states: pa.BinaryArray) -> tuple[Integers, Integers]:
    """Where each state begins and the last one ends, and the values that these are places in."""
    _, lengths, values = states.buffers()
    offsets = np.frombuffer(lengths, dtype=np.int32)[states.offset : states.offset + len(states) + 1].astype(np.int64) // BYTES
    return offsets, np.frombuffer(values, dtype="<i8", count=offsets[-1]) if values else np.zeros(0, dtype=np.int64)


def _nth(counts: Integers) -> Integers:
    """0, 1, … within each run of so many."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def _words(bits: Bits) -> Integers:
    """Words × customers."""
    return np.packbits(bits, axis=1).view(np.int64).T


def _bits(words: Integers) -> Bits:
    whole = np.ascontiguousarray(words.T)
    return np.unpackbits(whole.view(np.uint8), axis=1).astype(bool)
