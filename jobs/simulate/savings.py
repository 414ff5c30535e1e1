"""Term deposits, wealth products, recurring deposits, foreign currency and app wallets: how they begin, move and end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.book import PRODUCT_MONTHS, matures_after, open_foreign, open_plan
from jobs.simulate.cashflow import demand_target, has_enough
from jobs.simulate.columns import Rows
from jobs.simulate.draws import NEVER, Bools, Ints, rounded
from jobs.simulate.rates import minor_per_cny_cent
from jobs.simulate.register import put_accounts, put_opening, put_plans
from jobs.simulate.scene import Scene, fade_progress
from jobs.simulate.schedule import first_payment_day, put_due, put_paid

TERM_SLOTS = (c.TERM, c.CERTIFICATE)
BROKEN_AFTER = 3  # unpaid instalments that end a recurring deposit


@dataclass(kw_only=True)
class SavingsPlan:
    """What was set in motion this month and needs to be written down once the money has moved."""

    openings: list[tuple[int, Ints, Ints]] = field(default_factory=list)  # slot, customers, days
    endings: list[tuple[int, Ints, Ints, Ints]] = field(default_factory=list)  # slot, customers, days, plan status
    renewals: list[tuple[int, Ints, Ints]] = field(default_factory=list)
    due: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))


def add_savings(scene: Scene) -> SavingsPlan:
    """Moves into and out of a customer's own savings."""
    plan = SavingsPlan()
    for slot in TERM_SLOTS:
        _end_terms(scene, plan, slot)
    _invest(scene, plan)
    _wealth(scene)
    _foreign(scene, plan)
    _wallet(scene, plan)
    _recurring(scene, plan)
    return plan


def _within(scene: Scene, day: Ints) -> Bools:
    return np.asarray((day >= scene.month.delivered_from) & (day <= scene.month.delivered_to))


def pay_out(scene: Scene, plan: SavingsPlan, slot: int, who: Ints, day: Ints, *, interest: Ints, status: Ints) -> None:
    """Close accounts: interest is credited, everything goes to the current account."""
    scene.moves.add(customer=who, slot=slot, day=day, second=600, amount=interest, type=c.INTEREST, by=c.BANK)
    scene.moves.add(customer=who, slot=slot, day=day, second=700, amount=-(scene.book.balance[who, slot] + interest), type=c.TRANSFER,
                    by=c.BANK, to_slot=c.DEMAND)  # fmt: skip
    plan.endings.append((slot, who, day, status))


def _end_terms(scene: Scene, plan: SavingsPlan, slot: int) -> None:
    book, people = scene.book, scene.people
    matures = book.matures[:, slot]
    held = book.is_open[:, slot] & (scene.leaving_day >= NEVER)
    ripe = held & _within(scene, matures)
    interest = book.balance[:, slot] * book.rate[:, slot] * book.months[:, slot] // 12_000_000
    fading = fade_progress(people, scene.month.last) > 0
    rolls = ripe & ~fading & (scene.activity > 0) & scene.chance(np.where(has_enough(scene), 0.3, 0.72))
    who = np.flatnonzero(rolls)
    scene.moves.add(customer=who, slot=slot, day=matures[who], second=600, amount=interest[who], type=c.INTEREST, by=c.BANK)
    plan.renewals.append((slot, who, matures[who].copy()))
    who = np.flatnonzero(ripe & ~rolls)
    pay_out(scene, plan, slot, who, matures[who].copy(), interest=interest[who], status=np.zeros(who.size, np.int64))
    breaks = held & ~ripe & fading & (scene.activity > 0) & scene.chance(0.22)
    day = scene.days(people.size)
    who = np.flatnonzero(breaks & _within(scene, day) & scene.awake(scene.everyone, day))
    pay_out(scene, plan, slot, who, day[who], interest=book.balance[who, slot] * 0, status=np.zeros(who.size, np.int64))


def _invest(scene: Scene, plan: SavingsPlan) -> None:
    """Money above what is kept at hand goes into the first free term deposit, else into wealth products."""
    book, people, rng = scene.book, scene.people, scene.rng
    excess = book.balance[:, c.DEMAND] / 100 - 1.25 * demand_target(scene)
    steady = (
        (fade_progress(people, scene.month.last) == 0) & (scene.activity > 0.5) & (excess > np.maximum(8_000, demand_target(scene) * 0.2))
    )
    day = scene.days(people.size)
    steady &= scene.awake(scene.everyone, day) & book.is_open[:, c.DEMAND]
    eager = np.array([0, 0.06, 0.22, 0.4, 0.45])[people.archetype]
    steady &= scene.chance(np.where(has_enough(scene), 0.2 * eager, eager))
    amount = rounded(np.maximum(excess, 1_000) * rng.uniform(0.5, 0.95, people.size), 1000)
    likes_wealth = scene.chance(np.array([0, 0.25, 0.3, 0.5, 0.6])[people.archetype])
    slot = np.where(
        likes_wealth, c.WEALTH, np.where(book.can_open(c.TERM), c.TERM, np.where(book.can_open(c.CERTIFICATE), c.CERTIFICATE, c.WEALTH))
    )
    who = np.flatnonzero(steady)
    for target in (c.TERM, c.CERTIFICATE, c.WEALTH):
        chosen = who[slot[who] == target]
        invest(scene, plan, chosen, target, day=day[chosen], amount=amount[chosen])


def invest(scene: Scene, plan: SavingsPlan, who: Ints, slot: int, *, day: Ints, amount: Ints) -> None:
    """Put money from the current account into a savings slot, opening it where it is not."""
    book, rng = scene.book, scene.rng
    ready = ~book.is_open[who, slot] | (book.opened[who, slot] <= day)
    who, day, amount = who[ready], day[ready], amount[ready]
    fresh = who[~book.is_open[who, slot]]
    codes = ("W01", "W02", "W03") if slot == c.WEALTH else ("T03", "T12", "T36")
    product = np.array([c.PRODUCT_INDEX[code] for code in codes])[rng.integers(0, 3, fresh.size)]
    via = scene.channels(who)
    opened_on = day[~book.is_open[who, slot]]
    book.open(fresh, slot, product=product, day=opened_on, via=via[~book.is_open[who, slot]])
    if slot != c.WEALTH:
        book.matures[fresh, slot] = matures_after(opened_on, PRODUCT_MONTHS[product])
    plan.openings.append((slot, fresh, opened_on))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), amount=-amount, channel=via, to_slot=slot,
                    type=c.WEALTH_BUY if slot == c.WEALTH else c.TRANSFER)  # fmt: skip


def _wealth(scene: Scene) -> None:
    book, people, rng = scene.book, scene.people, scene.rng
    earned = book.balance[:, c.WEALTH] * book.rate[:, c.WEALTH] // 12_000_000
    who = np.flatnonzero(book.is_open[:, c.WEALTH] & (earned > 0))
    scene.moves.add(customer=who, slot=c.WEALTH, day=scene.month.day(25), second=1200, amount=earned[who], type=c.INTEREST, by=c.BANK)
    fading = fade_progress(people, scene.month.last) > 0
    rate = np.where(fading, 0.5, np.where(has_enough(scene), 0.12, 0.04)) * (book.balance[:, c.WEALTH] > 0)
    who, day = scene.happenings(rate, weights=np.ones(scene.month.days))
    amount = (book.balance[who, c.WEALTH] * rng.uniform(0.2, 0.9, who.size) // 10_000).astype(np.int64) * 10_000
    kept = amount > 0
    scene.moves.add(customer=who[kept], slot=c.WEALTH, day=day[kept], second=scene.seconds(int(kept.sum()), office=True), amount=-amount[kept],
                    type=c.WEALTH_SELL, channel=scene.channels(who[kept]), to_slot=c.DEMAND)  # fmt: skip


def _foreign(scene: Scene, plan: SavingsPlan) -> None:
    book, people, rng = scene.book, scene.people, scene.rng
    opens = book.can_open(c.FOREIGN) & book.is_open[:, c.DEMAND] & (scene.activity > 0.5)
    opens &= scene.chance(np.array([0, 0.0004, 0.0006, 0.003, 0.008])[people.archetype])
    day = scene.days(people.size)
    who = np.flatnonzero(opens & scene.awake(scene.everyone, day))
    open_foreign(rng, book, who, day=day[who])
    plan.openings.append((c.FOREIGN, who, day[who]))
    again, again_day = scene.happenings(np.where(book.is_open[:, c.FOREIGN], 0.12, 0.0))
    _convert(scene, np.concatenate([who, again]), np.concatenate([day[who], again_day]))
    who, day_out = scene.happenings(np.where(book.is_open[:, c.FOREIGN] & (book.balance[:, c.FOREIGN] > 0), 0.05, 0.0))
    units = (book.balance[who, c.FOREIGN] * 0.3).astype(np.int64)
    kept = units > 0
    who, day_out, units = who[kept], day_out[kept], units[kept]
    worth = np.rint(units / minor_per_cny_cent(scene.month)[book.currency[who, c.FOREIGN]])
    scene.moves.add(customer=who, slot=c.FOREIGN, day=day_out, second=scene.seconds(who.size, office=True), amount=-units, type=c.FX,
                    channel=scene.channels(who), to_slot=c.DEMAND, to_amount=worth, abroad=1)  # fmt: skip


def _convert(scene: Scene, who: Ints, day: Ints) -> None:
    later = day >= scene.book.opened[who, c.FOREIGN]
    who, day = who[later], day[later]
    paid = rounded(np.maximum(scene.people.income[who] * scene.rng.uniform(0.05, 0.6, who.size), 100), 100)
    units = np.rint(paid * minor_per_cny_cent(scene.month)[scene.book.currency[who, c.FOREIGN]])
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), amount=-paid, type=c.FX, channel=scene.channels(who),
                    to_slot=c.FOREIGN, to_amount=units)  # fmt: skip


def _wallet(scene: Scene, plan: SavingsPlan) -> None:
    book, rng = scene.book, scene.rng
    day = scene.days(scene.people.size)
    opens = book.can_open(c.WALLET) & book.is_open[:, c.DEMAND] & (scene.activity > 0.5) & scene.chance(0.008 * scene.digital)
    who = np.flatnonzero(opens & scene.awake(scene.everyone, day))
    book.open(who, c.WALLET, product=np.full(who.size, c.PRODUCT_INDEX["D03"]), day=day[who], via=np.full(who.size, c.APP))
    plan.openings.append((c.WALLET, who, day[who]))
    again, again_day = scene.happenings(np.where(book.is_open[:, c.WALLET], 0.15, 0.0))
    later = again_day > book.opened[again, c.WALLET]
    both, days = np.concatenate([who, again[later]]), np.concatenate([day[who], again_day[later]])
    scene.moves.add(customer=both, day=days, second=scene.seconds(both.size), type=c.TRANSFER, channel=c.APP, to_slot=c.WALLET,
                    amount=-rounded(rng.uniform(50, 900, both.size), 50))  # fmt: skip


def _recurring(scene: Scene, plan: SavingsPlan) -> None:
    """Instalments fall due on a fixed day. Missed ones are made up next month by most; too many missed end the plan."""
    book, people, slot = scene.book, scene.people, c.RECURRING
    held = book.is_open[:, slot] & (book.opened[:, slot] < scene.month.first) & (scene.leaving_day >= NEVER)
    ripe = held & _within(scene, book.matures[:, slot])
    interest = book.balance[:, slot] * book.rate[:, slot] * book.months[:, slot] // 24_000_000
    fading = fade_progress(people, scene.month.last) > 0
    book.rolls_over[:, slot] |= ripe & ~fading & scene.chance(0.45)
    who = np.flatnonzero(ripe)
    pay_out(
        scene, plan, slot, who, book.matures[who, slot].copy(), interest=interest[who], status=np.where(book.rolls_over[who, slot], 2, 1)
    )
    unpaid = book.due_number[:, slot] - book.paid_number[:, slot]
    day = scene.month.day(book.due_dom[:, slot])
    breaks = held & ~ripe & _within(scene, day) & ((unpaid >= BROKEN_AFTER) | (fading & scene.chance(0.15)))
    who = np.flatnonzero(breaks)
    pay_out(scene, plan, slot, who, day[who].astype(np.int64), interest=who * 0, status=np.full(who.size, 3))
    plan.due = held & ~ripe & ~breaks & _within(scene, day) & (book.due_number[:, slot] < book.months[:, slot])
    distressed = (day >= people.distress_from) & (day < people.distress_to)
    missed = scene.chance(np.where(fading | (scene.activity < 0.3), 0.4, np.where(unpaid > 0, 0.3, 0.04))) | distressed
    who = np.flatnonzero(plan.due & ~missed)
    scene.moves.add(customer=who, day=day[who], second=7 * 3600, amount=-(unpaid[who] + 1) * book.instalment[who, slot],
                    type=c.PLAN_INSTALMENT, by=c.BANK, to_slot=slot)  # fmt: skip
    _begin_plans(scene, plan)


def _begin_plans(scene: Scene, plan: SavingsPlan) -> None:
    book, people, slot = scene.book, scene.people, c.RECURRING
    wants = book.rolls_over[:, slot] | (scene.chance(np.array([0, 0.004, 0.005, 0.003, 0.001])[people.archetype]) & (scene.activity > 0.5))
    day = scene.days(people.size)
    who = np.flatnonzero(wants & book.can_open(slot) & book.is_open[:, c.DEMAND] & scene.awake(scene.everyone, day))
    open_plan(scene.rng, book, people, who, day=day[who])
    book.rolls_over[who, slot] = False
    plan.openings.append((slot, who, day[who]))
    scene.moves.add(customer=who, day=day[who], second=scene.seconds(who.size, office=True), amount=-book.instalment[who, slot],
                    type=c.PLAN_INSTALMENT, channel=scene.channels(who), to_slot=slot)  # fmt: skip


def settle_savings(scene: Scene, plan: SavingsPlan, kept: Rows) -> None:
    """Write down what became of the month's plans: `kept` are the moves that could be afforded."""
    _settle_recurring(scene, plan, kept)
    for slot, who, day in plan.openings:
        funded = np.isin(who, kept["customer"][(kept["to_slot"] == slot) & (kept["slot"] == c.DEMAND)])
        _undo(scene, who[~funded], slot)
        put_opening(scene.outbox, scene.people, scene.book, who[funded], slot, day=day[funded])
        if slot == c.RECURRING:
            _first_instalment(scene, who[funded], day[funded])
    for slot, who, day in plan.renewals:
        scene.book.matures[who, slot] = matures_after(day, scene.book.months[who, slot])
        put_accounts(scene.outbox, scene.people, scene.book, who, slot, day=day)
    for slot, who, day, status in plan.endings:
        put_accounts(scene.outbox, scene.people, scene.book, who, slot, day=day, closed=True)
        if slot == c.RECURRING:
            put_plans(scene.outbox, scene.people, scene.book, who, day=day, status=status)
        scene.book.is_open[who, slot] = False


def _undo(scene: Scene, who: Ints, slot: int) -> None:
    scene.book.is_open[who, slot] = False
    scene.book.generation[who, slot] -= 1


def _first_instalment(scene: Scene, who: Ints, day: Ints) -> None:
    book = scene.book
    book.due_number[who, c.RECURRING] = book.paid_number[who, c.RECURRING] = 1
    put_plans(scene.outbox, scene.people, book, who, day=day)
    amount = book.instalment[who, c.RECURRING]
    scene.outbox.put("deposit_instalments", day=day, account=book.numbers(scene.people)[who, c.RECURRING], number=1, due_day=day, due=amount,
                     paid_day=day, paid=amount)  # fmt: skip


def _settle_recurring(scene: Scene, plan: SavingsPlan, kept: Rows) -> None:
    book, slot = scene.book, c.RECURRING
    day = scene.month.day(book.due_dom[:, slot]).astype(np.int64)
    paid_day = first_payment_day(kept, slot=slot, size=scene.people.size)
    book.due_number[:, slot] += plan.due
    put_due(scene, "deposit_instalments", np.flatnonzero(plan.due & (paid_day != day)), slot, day=day)
    put_paid(scene, "deposit_instalments", np.flatnonzero(plan.due & (paid_day == day)), slot, paid_day=paid_day,
             total=(book.due_number - book.paid_number)[:, slot] * book.instalment[:, slot])  # fmt: skip
