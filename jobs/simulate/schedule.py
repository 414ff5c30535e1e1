"""Instalment schedules: which number falls due when, and what was paid. Shared by loans and recurring deposits."""

from __future__ import annotations

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.columns import Rows
from jobs.simulate.draws import NEVER, Ints
from jobs.simulate.scene import Scene
from jobs.simulate.seasons import Month


def first_payment_day(kept: Rows, *, slot: int, size: int) -> Ints:
    """Day on which each customer paid into the slot from the current account, NEVER for those who did not."""
    days = np.full(size, NEVER)
    paid = (kept["to_slot"] == slot) & (kept["slot"] == c.DEMAND)
    np.minimum.at(days, kept["customer"][paid], kept["day"][paid])
    return days


def paid_total(kept: Rows, *, slot: int, size: int) -> Ints:
    """What each customer paid into the slot, minor units."""
    total = np.zeros(size, dtype=np.int64)
    paid = (kept["to_slot"] == slot) & (kept["slot"] == c.DEMAND)
    np.add.at(total, kept["customer"][paid], -kept["amount"][paid])
    return total


def due_days(month: Month, *, months_ago: Ints, day_of_month: Ints) -> Ints:
    """Due days of earlier months."""
    start = np.datetime64(f"{month.year:04d}-{month.month:02d}", "M") - months_ago
    first = start.astype("datetime64[D]").astype(np.int64)
    following = (start + 1).astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.minimum(first + day_of_month - 1, following - 1), dtype=np.int64)


def put_due(scene: Scene, feed: str, who: Ints, slot: int, *, day: Ints) -> None:
    """Instalments that fell due and were not paid on the day."""
    book = scene.book
    scene.outbox.put(feed, day=day[who], account=book.numbers(scene.people)[who, slot], number=book.due_number[who, slot], due_day=day[who],
                     due=book.instalment[who, slot], paid_day=-1, paid=0)  # fmt: skip


def put_paid(scene: Scene, feed: str, who: Ints, slot: int, *, paid_day: Ints, total: Ints) -> None:
    """Instalments paid, overdue ones with the current one; marks them paid in the book."""
    book = scene.book
    count = (book.due_number - book.paid_number)[who, slot]
    who, count = who[count > 0], count[count > 0]
    row = np.repeat(who, count)
    ahead = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    each = np.repeat(total[who] // count, count)
    due = due_days(scene.month, months_ago=np.repeat(count, count) - 1 - ahead, day_of_month=book.due_dom[row, slot])
    scene.outbox.put(feed, day=paid_day[row], account=book.numbers(scene.people)[row, slot], number=book.paid_number[row, slot] + 1 + ahead,
                     due_day=due, due=each, paid_day=paid_day[row], paid=each)  # fmt: skip
    book.paid_number[who, slot] = book.due_number[who, slot]
