"""How customers join, change, merge, fall asleep and leave, as the registers see it."""

from __future__ import annotations

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.columns import Rows, joined, picked
from jobs.simulate.draws import NEVER, Bools, Ints, cents, chance
from jobs.simulate.moves import MOVE_DEFAULTS
from jobs.simulate.register import (
    PREAPPROVED_AFTER_DAYS,
    put_accounts,
    put_cards,
    put_consents,
    put_customers,
    put_loans,
    put_opening,
    put_plans,
)
from jobs.simulate.scene import Scene

SLEEPS_AFTER_DAYS = 365
CLOSABLE = (c.DEMAND, c.TERM, c.CERTIFICATE, c.RECURRING, c.WEALTH, c.FOREIGN, c.WALLET)


def deliver_opening(scene: Scene) -> None:
    """The first delivery: every register in full, as of the first day."""
    people, book, day = scene.people, scene.book, scene.month.delivered_from
    there = np.flatnonzero(people.open_day < day)
    put_customers(scene.outbox, people, there, day=day)
    put_consents(scene.outbox, people, there, day=day)
    book.is_dormant[:, c.DEMAND] = book.is_open[:, c.DEMAND] & (people.dormant_since < day - SLEEPS_AFTER_DAYS)
    for slot in range(c.SLOTS):
        put_opening(scene.outbox, people, book, np.flatnonzero(book.is_open[:, slot]), slot, day=day)
    for slot in (c.LOAN, c.MORTGAGE):
        who = np.flatnonzero(book.is_open[:, slot])
        put_loans(scene.outbox, people, book, who, slot, day=np.full(who.size, day), dpd=0, status=0, outstanding=-book.balance[who, slot])
    put_plans(scene.outbox, people, book, np.flatnonzero(book.is_open[:, c.RECURRING]), day=day)
    cards = np.flatnonzero(book.is_open[:, c.CARD])
    put_cards(scene.outbox, people, book, cards, day=day, balance=cards * 0, minimum=cards * 0, dpd=0)
    _put_partners(scene, day_from=0, day_to=day)


def join(scene: Scene) -> None:
    """Customers who open their first account this month, with a first deposit; prospects only register."""
    people, book, month = scene.people, scene.book, scene.month
    new = (people.open_day >= month.delivered_from) & (people.open_day <= month.delivered_to)
    who = np.flatnonzero(new)
    put_customers(scene.outbox, people, who, day=people.open_day[who])
    put_consents(scene.outbox, people, who, day=people.open_day[who])
    who = np.flatnonzero(new & (people.archetype != c.PROSPECT))
    day = people.open_day[who]
    via = scene.channels(who)
    book.open(who, c.DEMAND, product=np.full(who.size, c.PRODUCT_INDEX["D01"]), day=day, via=via)
    put_opening(scene.outbox, people, book, who, c.DEMAND, day=day)
    in_cash = via == c.BRANCH
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), channel=via,
                    amount=cents(np.rint(people.wealth_target[who] * scene.rng.uniform(0.05, 0.4, who.size) + 10)),
                    type=np.where(in_cash, c.CASH_DEPOSIT, c.TRANSFER), bank=np.where(in_cash, -1, scene.rng.integers(0, 9, who.size)),
                    counterparty=np.where(in_cash, -1, 50_000_000 + people.first_customer + who))  # fmt: skip
    _put_partners(scene, day_from=month.delivered_from + (month.index == 0), day_to=month.delivered_to)


def _put_partners(scene: Scene, *, day_from: int, day_to: int) -> None:
    """Joint holders and authorised users, from the day both are customers."""
    people = scene.people
    partner = np.maximum(people.joint_with, 0)
    since = np.maximum(people.open_day, people.open_day[partner])
    has_account = scene.book.generation[partner, c.DEMAND] >= 0
    who = np.flatnonzero((people.joint_with >= 0) & has_account & (since >= day_from) & (since <= day_to))
    first_known = np.maximum(since[who], scene.month.delivered_from)
    scene.outbox.put("account_parties", day=first_known, account=scene.book.numbers(people)[partner[who], c.DEMAND],
                     customer=people.first_customer + who, role=people.joint_role[who], held_from=since[who], held_to=-1)  # fmt: skip


def change_registers(scene: Scene) -> None:
    """Branch moves, new risk grades, limits approved, withdrawn consents, merged doubles, sleeping accounts."""
    people, rng = scene.people, scene.rng
    here = _is_customer(scene)
    day = scene.days(people.size)
    inside = (day >= scene.month.delivered_from) & (day <= scene.month.delivered_to) & (day > people.open_day)
    moved = here & inside & scene.chance(0.003)
    people.branch[moved] = (people.branch[moved] // 100) * 100 + rng.integers(1, c.BRANCHES_PER_CITY + 1, int(moved.sum()))
    graded = here & inside & ~moved & scene.chance(0.003)
    people.kyc_risk[graded] = np.clip(people.kyc_risk[graded] + np.where(chance(rng, 0.6, int(graded.sum())), 1, -1), 1, 5)
    who = np.flatnonzero(moved | graded)
    put_customers(scene.outbox, people, who, day=day[who])
    approved_on = people.open_day + PREAPPROVED_AFTER_DAYS
    approved = (people.preapproved >= 0) & (approved_on >= scene.month.delivered_from) & (approved_on <= scene.month.delivered_to)
    who = np.flatnonzero(here & approved)
    put_customers(scene.outbox, people, who, day=approved_on[who])
    who = np.flatnonzero(here & inside & people.marketing & scene.chance(0.002))
    people.marketing[who] = False
    scene.outbox.put("consents", day=day[who], customer=people.first_customer + who, purpose=0, granted=0)
    _merge(scene, here)
    _hand_over(scene, here)
    _fall_asleep(scene)


def _is_customer(scene: Scene) -> Bools:
    people, book = scene.people, scene.book
    left = (book.generation[:, c.DEMAND] >= 0) & ~book.is_open[:, c.DEMAND]
    return np.asarray((people.open_day < scene.month.first) & ~left & (people.merge_day > scene.month.last))


def _merge(scene: Scene, here: Bools) -> None:
    """Two numbers of one person become one. The lower number survives, the other is closed; its accounts stay in its name."""
    people = scene.people
    day = people.merge_day
    due = (day >= scene.month.delivered_from) & (day <= scene.month.delivered_to)
    who = np.flatnonzero(due & (scene.book.is_open[:, c.DEMAND]) & here[np.maximum(people.merged_into, 0)])
    scene.outbox.put("customer_merges", day=day[who], customer=people.first_customer + who, merged=day[who],
                     survivor=people.first_customer + people.merged_into[who])  # fmt: skip
    put_customers(scene.outbox, people, who, day=day[who], closed=day[who])


def _hand_over(scene: Scene, here: Bools) -> None:
    """A joint holder becomes the owner: the old owner's role ends the day before, and the holder's is now another.

    A delivery tells one row for an account and a customer, as they stand.
    """
    people, partner, day = scene.people, np.maximum(scene.people.joint_with, 0), scene.people.takes_over
    due = (day >= scene.month.delivered_from) & (day <= scene.month.delivered_to) & here & here[partner]
    who = np.flatnonzero(due & scene.book.is_open[partner, c.DEMAND] & (people.joint_role == c.JOINT))
    giver = partner[who]
    account = scene.book.numbers(people)[giver, c.DEMAND]
    rows = (
        (giver, c.OWNER, scene.book.opened[giver, c.DEMAND], day[who] - 1),
        (who, c.OWNER, day[who], -1),
    )
    for holder, role, held_from, held_to in rows:
        scene.outbox.put("account_parties", day=day[who], account=account, customer=people.first_customer + holder, role=role,
                         held_from=held_from, held_to=held_to)  # fmt: skip


def _fall_asleep(scene: Scene) -> None:
    """A year without a sign of the customer makes the current account dormant; a sign wakes it."""
    people, book, month = scene.people, scene.book, scene.month
    if month.first < month.delivered_from:
        return
    quiet_since = np.minimum(people.silent_day, people.dormant_since)
    reactivated = (people.pattern == c.REACTIVATED) & (people.pattern_day < month.first)
    quiet = (quiet_since + SLEEPS_AFTER_DAYS <= month.first) & (people.return_day > month.first) & ~reactivated
    changed = book.is_open[:, c.DEMAND] & (quiet != book.is_dormant[:, c.DEMAND])
    book.is_dormant[changed, c.DEMAND] = quiet[changed]
    put_accounts(scene.outbox, people, book, np.flatnonzero(changed), c.DEMAND, day=month.first)


def before_leaving(rows: Rows, closing_day: Ints) -> Rows:
    """Without the moves of a leaver's last day and after."""
    return picked(rows, rows["day"] < closing_day[rows["customer"]])


def final_payments(scene: Scene, balance: Ints, closing_day: Ints) -> Rows:
    """What leavers take along from each of their accounts on the last day."""
    parts = []
    for slot in CLOSABLE:
        who = np.flatnonzero((closing_day < NEVER) & scene.book.is_open[:, slot] & (balance[:, slot] > 0))
        given = {"day": closing_day[who], "second": 60_000, "customer": who, "slot": slot, "amount": -balance[who, slot], "type": c.TRANSFER,
                 "by": c.BANK, "counterparty": 50_000_000 + scene.people.first_customer + who, "bank": 2}  # fmt: skip
        columns = {**MOVE_DEFAULTS, **given}
        parts.append({name: np.broadcast_to(np.asarray(values, dtype=np.int64), (who.size,)) for name, values in columns.items()})
    return joined(parts, MOVE_DEFAULTS)


def close_leavers(scene: Scene, closing_day: Ints) -> None:
    """Close the registers of those who left."""
    book, people = scene.book, scene.people
    for slot in CLOSABLE:
        who = np.flatnonzero((closing_day < NEVER) & book.is_open[:, slot])
        put_accounts(scene.outbox, people, book, who, slot, day=closing_day[who], closed=True)
        if slot == c.RECURRING:
            put_plans(scene.outbox, people, book, who, day=closing_day[who], status=3)
        book.is_open[who, slot] = False
    who = np.flatnonzero(closing_day < NEVER)
    put_customers(scene.outbox, people, who, day=closing_day[who], closed=closing_day[who])
