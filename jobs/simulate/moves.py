"""Money moves of a month and their posting: what an account can't afford does not happen, and balances follow exactly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from jobs.simulate import catalogue as c
from jobs.simulate.columns import Rows, joined, picked
from jobs.simulate.draws import Bools, Ints

# customer: position in the block; amount: minor units, + into the account; to_slot: the customer's own account at the other end.
MOVE_DEFAULTS = {
    "day": 0, "second": 0, "customer": 0, "slot": c.DEMAND, "amount": 0, "type": c.OTHER, "channel": -1, "by": c.CUSTOMER, "counterparty": -1,
    "bank": -1, "mcc": -1, "merchant": -1, "abroad": 0, "to_slot": -1, "to_amount": -1,
}  # fmt: skip


class Moves:
    """Money that customers, the bank and third parties want to move in a month."""

    def __init__(self, *, size: int, day_from: int, day_to: int) -> None:
        """Moves of `size` customers; those outside the days [day_from, day_to] are left out."""
        self._size = size
        self._days = (day_from, day_to)
        self._parts: list[Rows] = []

    def add(self, **columns: npt.ArrayLike) -> None:
        """Add moves; scalars are repeated to the length of `customer`, what is not given takes its default."""
        day = np.asarray(columns["day"])
        length = np.asarray(columns["customer"]).size
        day = np.broadcast_to(day, (length,))
        inside = (day >= self._days[0]) & (day <= self._days[1])
        part = {}
        for name, default in MOVE_DEFAULTS.items():
            part[name] = np.broadcast_to(np.asarray(columns.get(name, default), dtype=np.int64), (length,))[inside]
        self._parts.append(part)

    def rows(self) -> Rows:
        """All moves, in the order they were added."""
        return joined(self._parts, MOVE_DEFAULTS)


def affordable(rows: Rows, *, opening: Ints, floor: Ints) -> Bools:
    """Which moves happen: an account never ends below its floor.

    Leaving out every debit after which the account would be below its floor is enough: each running balance can only rise by it.
    `opening` and `floor` are (customer, slot) in minor units.
    """
    order, running = _running(rows, opening=opening)
    low = floor[rows["customer"][order], rows["slot"][order]]
    kept = np.ones(order.size, dtype=bool)
    kept[order] = (running >= low) | (rows["amount"][order] >= 0)
    return kept


def counter_legs(rows: Rows) -> Rows:
    """The other side of moves between a customer's own accounts; nobody initiates it."""
    legs = picked(rows, rows["to_slot"] >= 0)
    amount = np.where(legs["to_amount"] >= 0, legs["to_amount"], np.abs(legs["amount"]))
    other = {"slot": legs["to_slot"], "amount": -np.sign(legs["amount"]) * amount, "to_slot": np.full_like(amount, -1)}
    bank_made = {"by": np.full_like(amount, c.BANK), "channel": np.full_like(amount, -1), "second": legs["second"] + 1}
    return {**legs, **other, **bank_made}


def posted(parts: Iterable[Rows], *, opening: Ints) -> tuple[Rows, Rows]:
    """Moves in the order of posting, and the end-of-day balance of each account and day that moved."""
    rows = joined(parts, MOVE_DEFAULTS)
    order, running = _running(rows, opening=opening)
    ordered = picked(rows, order)
    account = ordered["customer"] * c.SLOTS + ordered["slot"]
    last = np.ones(order.size, dtype=bool)
    last[:-1] = (account[1:] != account[:-1]) | (ordered["day"][1:] != ordered["day"][:-1])
    columns = {name: ordered[name][last] for name in ("day", "customer", "slot")}
    return ordered, {**columns, "balance": running[last]}


def _running(rows: Rows, *, opening: Ints) -> tuple[Ints, Ints]:
    account = rows["customer"] * c.SLOTS + rows["slot"]
    order = np.lexsort((rows["second"], rows["day"], account)).astype(np.int64)
    sorted_account = account[order]
    start = np.ones(order.size, dtype=bool)
    start[1:] = sorted_account[1:] != sorted_account[:-1]
    total = np.cumsum(rows["amount"][order])
    before = np.where(start, total - rows["amount"][order], 0)
    base = before[np.maximum.accumulate(np.where(start, np.arange(order.size), 0))] if order.size else before
    return order, opening.reshape(-1)[sorted_account] + total - base
