"""Small merchants: an acquirer pays the takings of a day into the current account, and takes refunds back."""

from __future__ import annotations

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import Ints, cents, chance, lognormal, rounded
from jobs.simulate.scene import Scene

ACQUIRERS = 5
TRADING_SHARE = 0.8  # of the days of a month
REFUND_SHARE = 0.05
CASH_OUT_NIGHTS = 0.6


def add_settlements(scene: Scene) -> None:
    """One settlement a trading day. Who turns cards into cash settles sums that are round, and most of them at night."""
    people, month, rng = scene.people, scene.month, scene.rng
    sells = np.flatnonzero((people.merchant != c.NO_MERCHANT) & scene.book.is_open[:, c.DEMAND])
    who, day = np.repeat(sells, month.days), np.tile(month.first + np.arange(month.days), sells.size)
    open_on = chance(rng, TRADING_SHARE * scene.activity[who], who.size) & scene.awake(who, day)
    who, day = who[open_on], day[open_on]
    takings = lognormal(rng, people.income[who] / 12 * scene.weights[day - month.first], 0.5, who.size)
    cash_out = people.merchant[who] == c.CASH_OUT
    amount = np.where(cash_out, rounded(takings, 500), cents(takings + 1))
    at_night = cash_out & chance(rng, CASH_OUT_NIGHTS, who.size)
    second = np.where(at_night, rng.integers(0, 5 * 3600, who.size), rng.integers(20 * 3600, 22 * 3600, who.size))
    scene.moves.add(
        customer=who, day=day, second=second, amount=amount, type=c.SETTLEMENT, by=c.THIRD_PARTY, counterparty=_acquirer(scene, who)
    )
    back = np.flatnonzero(chance(rng, REFUND_SHARE, who.size))
    scene.moves.add(customer=who[back], day=day[back] + 1, second=10 * 3600, amount=-np.maximum(amount[back] // 3, 1), type=c.SETTLEMENT,
                    by=c.THIRD_PARTY, counterparty=_acquirer(scene, who[back]))  # fmt: skip


def _acquirer(scene: Scene, who: Ints) -> Ints:
    return np.asarray(80_000_000 + scene.people.mobile[who] % ACQUIRERS, dtype=np.int64)
