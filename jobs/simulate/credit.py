"""Loans, mortgages and credit cards: drawn, charged, paid on time, late or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.book import open_card, open_loan
from jobs.simulate.columns import Rows
from jobs.simulate.draws import NEVER, Bools, Ints, chance
from jobs.simulate.register import put_accounts, put_cards, put_loans, put_opening
from jobs.simulate.scene import Scene, fade_progress
from jobs.simulate.schedule import due_days, first_payment_day, paid_total, put_due, put_paid

LOAN_SLOTS = (c.LOAN, c.MORTGAGE)
DEFAULT_AFTER_DAYS = 90
# One borrower of so many pays before the due day, by at most so many days.
PAYS_EARLY, MOST_DAYS_EARLY = 7, 5
MINIMUM_SHARE = 10  # a tenth of the statement
CARD_DUE_DAY = 20


@dataclass(kw_only=True)
class CreditPlan:
    """What fell due this month and which contracts were agreed."""

    due: dict[int, Bools] = field(default_factory=dict)
    interest: dict[int, Ints] = field(default_factory=dict)
    drawn: list[tuple[int, Ints, Ints]] = field(default_factory=list)
    statement: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    minimum: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def add_credit(scene: Scene) -> CreditPlan:
    """Drawdowns, interest, and attempts to pay."""
    plan = CreditPlan()
    for slot in LOAN_SLOTS:
        _instalments_due(scene, plan, slot)
        _draw(scene, plan, slot)
    _statements(scene, plan)
    _new_cards(scene, plan)
    return plan


def _distressed(scene: Scene, day: Ints) -> Bools:
    return np.asarray((day >= scene.people.distress_from) & (day < scene.people.distress_to))


def _instalments_due(scene: Scene, plan: CreditPlan, slot: int) -> None:
    book, people, month = scene.book, scene.people, scene.month
    day = month.day(book.due_dom[:, slot]).astype(np.int64)
    due = book.is_open[:, slot] & (book.opened[:, slot] < month.first) & (day >= month.delivered_from) & (day <= month.delivered_to)
    due &= book.balance[:, slot] < 0
    interest = -book.balance[:, slot] * book.rate[:, slot] // 12_000_000
    unpaid = book.due_number[:, slot] - book.paid_number[:, slot]
    early_day = np.maximum(day - 1 - (people.id_serial + month.month) % MOST_DAYS_EARLY, month.delivered_from)
    early = (people.id_serial % PAYS_EARLY == 2) & ~people.pays_late & (unpaid == 0)
    early &= scene.awake(scene.everyone, early_day) & ~_distressed(scene, day)
    who = np.flatnonzero(due)
    scene.moves.add(
        customer=who, slot=slot, day=np.where(early, early_day, day)[who], second=900, amount=-interest[who], type=c.INTEREST, by=c.BANK
    )
    owed = interest - book.balance[:, slot]
    last = book.due_number[:, slot] + 1 >= book.months[:, slot]
    amount = np.where(last, owed, np.minimum((unpaid + 1) * book.instalment[:, slot], owed))
    late = people.pays_late & scene.chance(0.45)
    pay_day = np.where(late, np.minimum(day + scene.rng.integers(1, 19, people.size), month.last), day)
    pay_day = np.where(early, early_day, pay_day)
    who = np.flatnonzero(due & ~_distressed(scene, day))
    _top_up(scene, who, pay_day[who], amount[who])
    by = np.where((late | early)[who] & scene.awake(who, pay_day[who]), c.CUSTOMER, c.BANK)
    scene.moves.add(customer=who, day=pay_day[who], second=9 * 3600, amount=-amount[who], type=c.LOAN_PAYMENT, by=by, to_slot=slot,
                    channel=np.where(by == c.CUSTOMER, c.APP, -1))  # fmt: skip
    plan.due[slot], plan.interest[slot] = due, interest


def _top_up(scene: Scene, who: Ints, day: Ints, amount: Ints) -> None:
    """Who keeps the money elsewhere brings it before a payment is due, nearly always."""
    lacks = (scene.book.balance[who, c.DEMAND] < amount * 1.2) & chance(scene.rng, 0.97, who.size)
    on = np.maximum(day - 1, scene.month.delivered_from)
    scene.moves.add(customer=who[lacks], day=on[lacks], second=3600, amount=(amount[lacks] // 10_000 + 1) * 10_000, type=c.TRANSFER,
                    by=c.THIRD_PARTY, bank=3, counterparty=50_000_000 + (scene.people.first_customer + who[lacks]))  # fmt: skip


def _draw(scene: Scene, plan: CreditPlan, slot: int) -> None:
    book, people = scene.book, scene.people
    rate = (0, 0.002, 0.003, 0.001, 0.0005) if slot == c.LOAN else (0, 0.0, 0.0008, 0.0015, 0.0004)
    day = scene.days(people.size)
    steady = (scene.activity > 0.8) & (fade_progress(people, scene.month.last) == 0) & (people.income > 2500)
    wants = steady & scene.chance(np.array(rate)[people.archetype]) & book.can_open(slot) & book.is_open[:, c.DEMAND]
    inside = (day >= scene.month.delivered_from) & (day <= scene.month.delivered_to) & scene.awake(scene.everyone, day)
    who = np.flatnonzero(wants & inside)
    open_loan(scene.rng, book, people, who, slot=slot, day=day[who])
    to_slot = c.DEMAND if slot == c.LOAN else -1  # the bank pays the seller of the house
    by, channel = (c.CUSTOMER, scene.channels(who)) if slot == c.LOAN else (c.BANK, np.full(who.size, -1))
    scene.moves.add(customer=who, slot=slot, day=day[who], second=scene.seconds(who.size, office=True), amount=-book.principal[who, slot],
                    type=c.LOAN_DRAWDOWN, by=by, channel=channel, to_slot=to_slot)  # fmt: skip
    plan.drawn.append((slot, who, day[who]))


def _statements(scene: Scene, plan: CreditPlan) -> None:
    book, people, month, slot = scene.book, scene.people, scene.month, c.CARD
    begins = month.first >= month.delivered_from
    plan.statement = np.maximum(-book.balance[:, slot], 0) * (book.is_open[:, slot] & begins)
    plan.minimum = np.minimum(np.maximum(plan.statement // MINIMUM_SHARE, 5_000), plan.statement)
    charge = book.carried[:, slot] * book.rate[:, slot] // 12_000_000
    who = np.flatnonzero((plan.statement > 0) & (charge > 0))
    scene.moves.add(customer=who, slot=slot, day=month.first, second=300, amount=-charge[who], type=c.INTEREST, by=c.BANK)
    late = people.pays_late & scene.chance(0.3)
    pay_day = month.day(np.where(late, 21 + people.id_serial % 6, 11 + people.id_serial % 9)).astype(np.int64)
    part = np.maximum(plan.minimum, (plan.statement * scene.rng.uniform(0.1, 0.7, people.size)).astype(np.int64))
    amount = np.where(people.revolves & scene.chance(0.6), part, plan.statement)
    who = np.flatnonzero((plan.statement > 0) & ~_distressed(scene, pay_day))
    _top_up(scene, who, pay_day[who], amount[who])
    by = np.where((people.id_serial[who] % 2 == 0) & scene.awake(who, pay_day[who]), c.CUSTOMER, c.BANK)
    scene.moves.add(customer=who, day=pay_day[who], second=10 * 3600, amount=-amount[who], type=c.CARD_PAYMENT, by=by, to_slot=slot,
                    channel=np.where(by == c.CUSTOMER, c.APP, -1))  # fmt: skip


def _new_cards(scene: Scene, plan: CreditPlan) -> None:
    book, people = scene.book, scene.people
    day = scene.days(people.size)
    wants = scene.chance(np.array([0, 0.006, 0.007, 0.01, 0.008])[people.archetype]) & (scene.activity > 0.6) & book.can_open(c.CARD)
    inside = (day >= scene.month.delivered_from) & (day <= scene.month.delivered_to) & scene.awake(scene.everyone, day)
    who = np.flatnonzero(wants & inside & book.is_open[:, c.DEMAND])
    open_card(scene.rng, book, people, who, day=day[who])
    plan.drawn.append((c.CARD, who, day[who]))


def settle_credit(scene: Scene, plan: CreditPlan, kept: Rows, closing: Ints) -> None:
    """Write down what was paid. `closing` are the balances after the month, (customer, slot)."""
    for slot in LOAN_SLOTS:
        _settle_loans(scene, plan, kept, slot, closing)
    _settle_cards(scene, plan, kept)
    for slot, who, day in plan.drawn:
        put_opening(scene.outbox, scene.people, scene.book, who, slot, day=day)
        if slot == c.CARD:
            put_cards(scene.outbox, scene.people, scene.book, who, day=day, balance=who * 0, minimum=who * 0, dpd=0)
        else:
            put_loans(
                scene.outbox, scene.people, scene.book, who, slot, day=day, dpd=0, status=0, outstanding=scene.book.principal[who, slot]
            )


def _settle_loans(scene: Scene, plan: CreditPlan, kept: Rows, slot: int, closing: Ints) -> None:
    book, month, size = scene.book, scene.month, scene.people.size
    day = month.day(book.due_dom[:, slot]).astype(np.int64)
    paid_day = first_payment_day(kept, slot=slot, size=size)
    book.due_number[:, slot] += plan.due[slot]
    put_due(scene, "instalments", np.flatnonzero(plan.due[slot] & (paid_day > day)), slot, day=day)
    paid = np.flatnonzero(paid_day < NEVER)
    put_paid(scene, "instalments", paid, slot, paid_day=paid_day, total=paid_total(kept, slot=slot, size=size))
    book.overdue_since[paid, slot] = NEVER
    book.is_default[paid, slot] = False
    done = closing[paid, slot] >= 0
    put_loans(scene.outbox, scene.people, book, paid, slot, day=paid_day[paid], dpd=0, status=np.where(done, 1, 0),
              outstanding=np.maximum(-closing[paid, slot], 0))  # fmt: skip
    put_accounts(scene.outbox, scene.people, book, paid[done], slot, day=paid_day[paid[done]], closed=True)
    book.is_open[paid[done], slot] = False
    _note_overdue_loans(scene, slot, closing)


def _note_overdue_loans(scene: Scene, slot: int, closing: Ints) -> None:
    book, month = scene.book, scene.month
    unpaid = book.due_number[:, slot] - book.paid_number[:, slot]
    who = np.flatnonzero(book.is_open[:, slot] & (unpaid > 0) & (book.overdue_since[:, slot] >= NEVER))
    book.overdue_since[who, slot] = due_days(month, months_ago=np.zeros(who.size, np.int64), day_of_month=book.due_dom[who, slot])
    who = np.flatnonzero(book.is_open[:, slot] & (unpaid > 0))
    if not month.is_complete:
        return
    dpd = month.last - book.overdue_since[who, slot]
    book.is_default[who, slot] |= dpd > DEFAULT_AFTER_DAYS
    put_loans(scene.outbox, scene.people, book, who, slot, day=np.full(who.size, month.last), dpd=dpd,
              status=np.where(book.is_default[who, slot], 2, 0), outstanding=-closing[who, slot])  # fmt: skip


def _settle_cards(scene: Scene, plan: CreditPlan, kept: Rows) -> None:
    book, people, month, slot = scene.book, scene.people, scene.month, c.CARD
    _put_card(scene, np.flatnonzero(plan.statement > 0), month.first, balance=plan.statement, minimum=plan.minimum)
    paid_day = first_payment_day(kept, slot=slot, size=people.size)
    total = paid_total(kept, slot=slot, size=people.size)
    paid = np.flatnonzero(paid_day < NEVER)
    book.instalment[paid, slot] = total[paid]
    book.carried[:, slot] = np.maximum(plan.statement - total, 0)
    due_day = int(month.day(CARD_DUE_DAY))
    enough = total >= plan.minimum
    book.overdue_since[enough, slot] = NEVER
    first_missed = ~enough & (book.overdue_since[:, slot] >= NEVER) & (due_day <= month.delivered_to)
    book.overdue_since[first_missed, slot] = due_day
    book.is_default[enough, slot] = False
    _put_card(scene, paid, paid_day[paid], balance=np.maximum(plan.statement - total, 0), minimum=plan.minimum)
    if month.is_complete:
        behind = np.flatnonzero(book.overdue_since[:, slot] < NEVER)
        book.is_default[behind, slot] = month.last - book.overdue_since[behind, slot] > DEFAULT_AFTER_DAYS
        _put_card(scene, behind, month.last, balance=np.maximum(plan.statement - total, 0), minimum=plan.minimum)


def _put_card(scene: Scene, who: Ints, day: Ints | int, *, balance: Ints, minimum: Ints) -> None:
    on = np.broadcast_to(np.asarray(day), (who.size,))
    since = scene.book.overdue_since[who, c.CARD]
    dpd = np.where(since < on, on - np.minimum(since, on), 0)
    put_cards(scene.outbox, scene.people, scene.book, who, day=on, balance=balance[who], minimum=minimum[who], dpd=dpd)
