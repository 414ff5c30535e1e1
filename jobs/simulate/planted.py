"""What is planted to be found: randomised campaigns with a true uplift, and patterns of money laundering."""

from __future__ import annotations

from typing import Any

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import Bools, Ints, chance, rounded
from jobs.simulate.savings import SavingsPlan, invest
from jobs.simulate.scene import Scene

CAMPAIGN_MONTHS = (3, 6, 9, 11)
CAMPAIGN_DAY = 8
REACH = 0.15
HOLD_OUT = 0.25
# Probability of buying within ten days: without the contact, and with it, by kind of customer.
BUYS_ALONE = np.array([0.01, 0.03, 0.3, 0.12])
BUYS_TREATED = np.array([0.01, 0.22, 0.3, 0.04])
EPISODE_DAYS = 170  # from one episode to the next
EPISODE_LENGTH = 9


def add_campaign(scene: Scene, plan: SavingsPlan) -> None:
    """One campaign for wealth products in four months of the year: an arm is drawn for each customer reached, by nothing but chance."""
    people, rng, month = scene.people, scene.rng, scene.month
    day = month.first + CAMPAIGN_DAY - 1
    if month.month not in CAMPAIGN_MONTHS or not month.delivered_from <= day <= month.delivered_to:
        return
    reachable = (
        people.marketing & (scene.activity > 0.02) & scene.book.is_open[:, c.DEMAND] & scene.awake(scene.everyone, scene.everyone * 0 + day)
    )
    reachable &= people.merge_day > month.last
    who = np.flatnonzero(reachable & scene.chance(REACH))
    control = chance(rng, HOLD_OUT, who.size)
    buys = chance(rng, np.where(control, BUYS_ALONE[people.uplift[who]], BUYS_TREATED[people.uplift[who]]), who.size)
    after = rng.integers(0, 10, who.size)
    buy_day = day + after
    buys &= scene.awake(who, buy_day)
    amount = rounded(np.clip(scene.book.balance[who, c.DEMAND] / 100 * 0.3, 1000, 300_000), 1000)
    invest(scene, plan, who[buys], c.WEALTH, day=buy_day[buys], amount=amount[buys])
    looked = ~control & ~buys & chance(rng, 0.3 * scene.activity[who], who.size)
    response = np.where(buys, 3, np.where(looked, 1 + chance(rng, 0.35, who.size), 0))
    _put_contacts(scene, who, day=day, control=control, response=response, answered=buy_day)


def _put_contacts(scene: Scene, who: Ints, *, day: int, control: Bools, response: Ints, answered: Ints) -> None:
    """The contact on its day without an answer; the same contact again on the day of the answer."""
    channel = np.where(control, -1, scene.people.mobile[who] % len(c.CONTACT_CHANNELS))
    common: dict[str, Any] = {
        "campaign": scene.month.year * 100 + scene.month.month, "customer": scene.people.first_customer + who,
        "sent": day * 86_400 + 10 * 3600 + who % 3600, "arm": control, "channel": channel,
    }  # fmt: skip
    scene.outbox.put("contacts", day=np.full(who.size, day), response=0, responded=-1, **common)
    later = np.flatnonzero((response > 0) & (answered <= scene.month.delivered_to))
    common = {name: np.broadcast_to(np.asarray(values), (who.size,))[later] for name, values in common.items()}
    scene.outbox.put("contacts", day=answered[later], response=response[later], responded=answered[later] * 86_400 + 20 * 3600, **common)


def add_patterns(scene: Scene) -> None:
    """Episodes of laundering for the few customers who have a pattern, repeated twice a year after the first."""
    people, month = scene.people, scene.month
    age = month.last - people.pattern_day
    starts = people.pattern_day + np.maximum(age, 0) // EPISODE_DAYS * EPISODE_DAYS
    here = (people.pattern > 0) & (starts >= month.first) & (starts <= month.last) & scene.book.is_open[:, c.DEMAND]
    first = here & (people.pattern == c.REACTIVATED) & (starts == people.pattern_day)
    starts = np.minimum(starts, month.last - EPISODE_LENGTH)  # an episode ends in the month it began in
    _structuring(scene, np.flatnonzero(here & (people.pattern == c.STRUCTURING)), starts)
    _pass_through(scene, np.flatnonzero(first | (here & (people.pattern == c.PASS_THROUGH))), starts)


def _structuring(scene: Scene, who: Ints, starts: Ints) -> None:
    """Several cash deposits just under the 50,000 that must be reported, within a week; then most of it leaves."""
    times = scene.rng.integers(4, 8, who.size)
    row = np.repeat(who, times)
    day = starts[row] + scene.rng.integers(0, 6, row.size)
    amount = rounded(scene.rng.uniform(41_000, 49_800, row.size), 100)
    scene.moves.add(
        customer=row, day=day, second=scene.seconds(row.size, office=True), amount=amount, type=c.CASH_DEPOSIT, channel=c.BRANCH
    )
    total = np.zeros(scene.people.size, dtype=np.int64)
    np.add.at(total, row, amount)
    scene.moves.add(customer=who, day=starts[who] + 7, second=11 * 3600, amount=-(total[who] * 92 // 100), type=c.TRANSFER, channel=c.APP,
                    bank=c.BANK_ABROAD, abroad=1, counterparty=70_000_000 + who)  # fmt: skip


def _pass_through(scene: Scene, who: Ints, starts: Ints) -> None:
    """A large sum comes in and leaves for other hands within two days."""
    amount = rounded(scene.rng.uniform(120_000, 480_000, who.size), 1000)
    scene.moves.add(customer=who, day=starts[who], second=10 * 3600, amount=amount, type=c.TRANSFER, by=c.THIRD_PARTY, bank=4,
                    counterparty=71_000_000 + who)  # fmt: skip
    for part in range(3):
        scene.moves.add(customer=who, day=starts[who] + 1, second=(9 + 3 * part) * 3600, amount=-(amount * 32 // 100), type=c.TRANSFER,
                        channel=c.WEB, bank=5 + part, counterparty=72_000_000 + who * 10 + part)  # fmt: skip
