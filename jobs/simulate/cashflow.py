"""Income and spending of a month: salaries, pensions, rent, bills, purchases, cash, transfers, gifts."""

from __future__ import annotations

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import NEVER, Bools, Floats, Ints, cents, chance, choice, lognormal, rounded
from jobs.simulate.scene import Scene, fade_progress
from jobs.simulate.seasons import days_to_new_year, gift_weights

MERCHANTS_A_GROUP = 400
MIN_SWEEP_CNY = 1_500
QUARTER_ENDS = (3, 6, 9, 12)


def add_cashflow(scene: Scene) -> None:
    """Every move of a customer's current account that needs no other account of the bank."""
    _income(scene)
    _bills(scene)
    _purchases(scene)
    _cash(scene)
    _transfers(scene)
    _gifts(scene)
    _bank_entries(scene)


def income_arrives(scene: Scene) -> Ints:
    """Customers whose salary or pension still comes here: those who leave move it halfway through their fade, most of them."""
    people, month = scene.people, scene.month
    leaving = np.where(people.departure == c.FADES, (people.fade_day + people.silent_day) // 2, people.silent_day)
    faithful = (people.mobile % 5 == 0) & (people.closes == 0)
    here = (people.open_day + 20 < month.first) & (people.archetype != c.PROSPECT) & (people.dormant_since >= NEVER)
    return np.flatnonzero(here & (people.has_salary | people.has_pension) & ((month.first < leaving) | faithful))


def _income(scene: Scene) -> None:
    people, month = scene.people, scene.month
    who = income_arrives(scene)
    kind = np.where(people.has_pension[who], c.PENSION, c.SALARY)
    bonus = 1 + (days_to_new_year(month).min() < 0) * (np.abs(days_to_new_year(month)).min() < 16) * people.has_salary[who] * 0.9
    raised = 1.04 ** (month.year - 2022)
    amount = cents(people.income[who] * raised * bonus * (1 + 0.015 * scene.rng.standard_normal(who.size)))
    day = month.day(people.pay_day[who] + (scene.rng.random(who.size) < 0.12))
    scene.moves.add(customer=who, day=day, second=scene.rng.integers(8 * 3600, 11 * 3600, who.size), amount=amount, type=kind,
                    by=c.THIRD_PARTY, counterparty=10_000_000 + people.employer[who])  # fmt: skip
    others = ~(people.has_salary | people.has_pension)
    rate = np.where(others, 0.75, 0.12)
    who, day = scene.happenings(rate, weights=np.ones(month.days))
    size = np.where(others[who], 1.0, 0.25) * people.income[who]
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), amount=cents(lognormal(scene.rng, size, 0.4, who.size)),
                    type=c.TRANSFER, by=c.THIRD_PARTY, counterparty=_friends(scene, who), bank=scene.rng.integers(0, 9, who.size))  # fmt: skip


def _bills(scene: Scene) -> None:
    people, month, rng = scene.people, scene.month, scene.rng
    here = (people.open_day + 25 < month.first) & (people.archetype != c.PROSPECT) & (scene.activity > 0.3)
    who = np.flatnonzero(here & (people.rent > 0))
    by = np.where(people.id_serial[who] % 2 == 0, c.CUSTOMER, c.BANK)
    channel = np.where(by == c.CUSTOMER, scene.channels(who, remote_only=True), -1)
    day = month.day(people.pay_day[who] % 9 + 2)
    by = np.where(scene.awake(who, day), by, c.BANK)
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), amount=-cents(people.rent[who]), type=c.RENT, by=by,
                    channel=np.where(by == c.CUSTOMER, channel, -1), counterparty=20_000_000 + people.mobile[who] % 900_000)  # fmt: skip
    who = np.flatnonzero(here & people.has_utility)
    season = 1.4 if month.month in (1, 2, 7, 8) else 1.0
    scene.moves.add(customer=who, day=month.day(12 + people.id_serial[who] % 12), second=7 * 3600, type=c.UTILITY, by=c.BANK,
                    amount=-cents(lognormal(rng, 160 * season, 0.35, who.size)), counterparty=30_000_001)  # fmt: skip
    due = month.month % 3 == people.id_serial % 3
    who = np.flatnonzero(here & people.has_insurance & due)
    scene.moves.add(customer=who, day=month.day(18), second=7 * 3600 + 600, type=c.INSURANCE, by=c.BANK,
                    amount=-cents(people.income[who] * 0.09), counterparty=30_000_002)  # fmt: skip
    if month.month in (2, 9):
        who = np.flatnonzero(here & people.has_tuition)
        day = scene.days(who.size)
        awake = scene.awake(who, day)
        scene.moves.add(customer=who[awake], day=day[awake], second=scene.seconds(int(awake.sum()), office=True), type=c.TUITION,
                        channel=c.APP, amount=-rounded(people.income[who[awake]] * 0.8, 100), counterparty=30_000_003)  # fmt: skip


def _purchases(scene: Scene) -> None:
    people, rng, book = scene.people, scene.rng, scene.book
    who, day = scene.happenings(people.purchases)
    group = choice(rng, c.MCC_SHARE, who.size)
    online = choice(rng, c.MCC_SHARE, who.size)
    big_day = np.isin(day - scene.month.first, np.flatnonzero(scene.weights > 2.2)) & chance(rng, 0.6, who.size)
    group = np.where(big_day, c.ONLINE_SHOP, np.where(scene.activity[who] < 0.4, online, group))
    level = 55 * (people.income[who] / 6000) ** 0.65
    amount = cents(np.maximum(lognormal(rng, level * np.array(c.MCC_TICKET)[group], 0.85, who.size), 1))
    on_card = book.is_open[who, c.CARD] & (book.opened[who, c.CARD] < day) & chance(rng, 0.62, who.size)
    amount = np.where(on_card, amount * 5 // 2, amount)  # what is dear is bought on credit
    abroad = (group == c.TRAVEL) & chance(rng, np.array([0, 0.02, 0.04, 0.25, 0.4])[people.archetype[who]], who.size)
    merchant = group * 10_000 + rng.zipf(1.35, who.size) % MERCHANTS_A_GROUP
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), slot=np.where(on_card, c.CARD, c.DEMAND), amount=-amount,
                    type=c.PURCHASE, channel=scene.channels(who, remote_only=True), mcc=group, merchant=merchant,
                    counterparty=40_000_000 + merchant, abroad=abroad)  # fmt: skip
    back = chance(rng, 0.012, who.size)
    scene.moves.add(customer=who[back], day=day[back] + 3, second=9 * 3600, amount=amount[back], type=c.REFUND, by=c.THIRD_PARTY,
                    mcc=group[back], merchant=merchant[back], counterparty=40_000_000 + merchant[back])  # fmt: skip


def _cash(scene: Scene) -> None:
    people, rng = scene.people, scene.rng
    who, day = scene.happenings(0.42 * (1.15 - scene.digital))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), type=c.CASH_WITHDRAWAL,
                    channel=np.where(chance(rng, 0.6, who.size), c.ATM, c.BRANCH),
                    amount=-rounded(lognormal(rng, 900 * (people.income[who] / 8000) ** 0.5, 0.7, who.size), 100))  # fmt: skip
    who, day = scene.happenings(0.2 * (1.15 - scene.digital))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size, office=True), type=c.CASH_DEPOSIT,
                    channel=np.where(chance(rng, 0.3, who.size), c.ATM, c.BRANCH),
                    amount=rounded(np.minimum(lognormal(rng, people.income[who] * 0.4, 0.8, who.size), 39_000), 100))  # fmt: skip


def wanted_wealth(scene: Scene) -> Floats:
    """What a customer means to hold at this bank in all, CNY: the planted trend."""
    drift = np.array([0.0, 0.2, -0.4])[scene.people.trend] * scene.month.elapsed_years
    return np.asarray(scene.people.wealth_target * np.exp(drift), dtype=np.float64)


def demand_target(scene: Scene) -> Floats:
    """What a customer likes to keep at hand, CNY: a share of the wanted wealth, and drains away in a fade."""
    share = np.array([0, 0.8, 0.45, 0.16, 0.08])[scene.people.archetype]
    drained = 1 - 0.92 * fade_progress(scene.people, scene.month.last)
    return np.asarray(wanted_wealth(scene) * share * drained, dtype=np.float64)


def has_enough(scene: Scene) -> Bools:
    """Who holds more than wanted: such customers move money to other banks sooner and tie up less of it."""
    return np.asarray(scene.book.balance[:, : c.CARD].sum(axis=1) / 100 > wanted_wealth(scene))


def _transfers(scene: Scene) -> None:
    """What is above the wanted balance goes to other banks, what is short comes from there; and small sums between people."""
    people, rng, book = scene.people, scene.rng, scene.book
    excess = book.balance[:, c.DEMAND] / 100 - demand_target(scene) * rng.uniform(0.7, 1.3, people.size)
    fading = fade_progress(people, scene.month.last) > 0
    leak = np.array([0, 0.5, 0.42, 0.16, 0.12])[people.archetype]
    leak = np.where(has_enough(scene), np.maximum(leak, 0.7), leak)
    rate = np.where(excess > MIN_SWEEP_CNY, np.where(fading, 1.1, leak), 0.0)
    who, day = scene.happenings(rate, weights=np.ones(scene.month.days))
    amount = np.maximum(excess[who] * rng.uniform(0.3, 0.8, who.size), 100)
    abroad = chance(rng, np.array([0, 0, 0.005, 0.03, 0.06])[people.archetype[who]], who.size)
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), amount=-rounded(amount, 100), type=c.TRANSFER,
                    channel=scene.channels(who), bank=np.where(abroad, c.BANK_ABROAD, rng.integers(0, 9, who.size)), abroad=abroad,
                    counterparty=50_000_000 + (people.first_customer + who))  # fmt: skip
    short = np.where((excess < -MIN_SWEEP_CNY) & (people.trend != c.SHRINKING) & ~fading, 0.3, 0.0)
    who, day = scene.happenings(short, weights=np.ones(scene.month.days))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), type=c.TRANSFER, by=c.THIRD_PARTY, bank=rng.integers(0, 9, who.size),
                    amount=rounded(np.maximum(-excess[who] * rng.uniform(0.3, 0.9, who.size), 100), 100),
                    counterparty=50_000_000 + (people.first_customer + who))  # fmt: skip
    gap = wanted_wealth(scene) - book.balance[:, : c.CARD].sum(axis=1) / 100
    brings = (gap > 0.5 * wanted_wealth(scene)) & (people.trend != c.SHRINKING) & ~fading & (people.archetype >= c.MASS)
    who, day = scene.happenings(np.where(brings, 0.15, 0.0), weights=np.ones(scene.month.days))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), type=c.TRANSFER, by=c.THIRD_PARTY, bank=rng.integers(0, 9, who.size),
                    amount=rounded(gap[who] * rng.uniform(0.2, 0.9, who.size), 1000),
                    counterparty=50_000_000 + (people.first_customer + who))  # fmt: skip
    who, day = scene.happenings(np.where(people.archetype > 0, 0.22, 0.0))
    scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), type=c.TRANSFER, channel=scene.channels(who, remote_only=True),
                    amount=-rounded(lognormal(rng, 260 * (people.income[who] / 6000) ** 0.5, 0.8, who.size), 10),
                    counterparty=_friends(scene, who), bank=np.where(chance(rng, 0.5, who.size), rng.integers(0, 9, who.size), -1))  # fmt: skip


def _friends(scene: Scene, who: Ints) -> Ints:
    """A handful of people each customer knows."""
    return np.asarray(60_000_000 + (scene.people.mobile[who] % 700_000) * 8 + scene.rng.integers(0, 8, who.size), dtype=np.int64)


def _gifts(scene: Scene) -> None:
    weights = gift_weights(scene.month)
    rate = np.full(scene.people.size, 5.0)
    for sign, by in ((-1, c.CUSTOMER), (1, c.THIRD_PARTY)):
        who, day = scene.happenings(rate, weights=weights)
        lucky = np.array([66, 88, 100, 166, 188, 200, 600, 666, 888])[scene.rng.integers(0, 9, who.size)]
        channel = np.full(who.size, c.WECHAT) if by == c.CUSTOMER else np.full(who.size, -1)
        scene.moves.add(customer=who, day=day, second=scene.seconds(who.size), amount=sign * lucky * 100, type=c.TRANSFER, by=by,
                        channel=channel, counterparty=_friends(scene, who))  # fmt: skip


def _bank_entries(scene: Scene) -> None:
    """Interest of current accounts on the 20th of the last month of a quarter, and yearly or quarterly fees."""
    people, month, book = scene.people, scene.month, scene.book
    if month.month not in QUARTER_ENDS:
        return
    for slot in (c.DEMAND, c.FOREIGN, c.WALLET):
        interest = book.balance[:, slot] * book.rate[:, slot] // 4_000_000
        who = np.flatnonzero(book.is_open[:, slot] & (interest > 0))
        scene.moves.add(customer=who, slot=slot, day=month.day(20), second=1800, amount=interest[who], type=c.INTEREST, by=c.BANK)
    who = np.flatnonzero(book.is_open[:, c.DEMAND] & (people.id_serial % 4 == 0))
    scene.moves.add(customer=who, day=month.day(22), second=1900, amount=-300, type=c.FEE, by=c.BANK)
    managed = book.balance[:, c.WEALTH] // 1_000
    who = np.flatnonzero(managed > 0)
    scene.moves.add(customer=who, day=month.day(22), second=2000, amount=-managed[who], type=c.FEE, by=c.BANK)
