"""The accounts of a block: what each customer holds, owes and has agreed, as of the last simulated day."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import NEVER, Bools, Generator, Ints, cents, chance, choice, lognormal, rounded
from jobs.simulate.population import Population
from jobs.simulate.seasons import Month

PRODUCT_RATE_PPM = np.array([round(product.client * 1_000_000) for product in c.PRODUCTS])
PRODUCT_MONTHS = np.array([product.months for product in c.PRODUCTS])
MONTH_DAYS = 30.44


@dataclass(kw_only=True)
class Book:
    """State by (customer, slot). Money is minor units of the account's currency, a day of NEVER means not."""

    is_open: Bools
    generation: Ints
    product: Ints
    currency: Ints
    balance: Ints
    floor: Ints
    opened: Ints
    matures: Ints
    rate: Ints
    via: Ints
    principal: Ints  # loans and mortgages
    instalment: Ints  # loans, mortgages and recurring deposits
    months: Ints
    due_number: Ints  # instalments that have fallen due
    paid_number: Ints  # instalments paid, in order
    overdue_since: Ints
    due_dom: Ints  # day of the month on which things fall due
    statement: Ints  # cards: debt at the last statement
    carried: Ints  # cards: what of the statement before was not paid
    is_default: Bools
    is_dormant: Bools
    rolls_over: Bools  # recurring deposits: a new plan follows
    pause_until: Ints  # by customer in slot 0: a quiet spell that is no departure
    device: Ints  # by customer in slot 0: which telephone

    @classmethod
    def empty(cls, size: int) -> Book:
        """No accounts."""
        book = {field.name: np.zeros((size, c.SLOTS), dtype=np.int64) for field in fields(cls)}
        flags = {name: np.zeros((size, c.SLOTS), dtype=bool) for name in ("is_open", "is_default", "is_dormant", "rolls_over")}
        never = {name: np.full((size, c.SLOTS), NEVER) for name in ("matures", "overdue_since")}
        return cls(**{**book, **flags, **never, "generation": np.full((size, c.SLOTS), -1)})

    def numbers(self, people: Population) -> Ints:
        """The account numbers now in each slot."""
        customer = people.first_customer + np.arange(people.size)
        slot = np.arange(c.SLOTS)
        return np.asarray(customer[:, None] * 100 + slot[None, :] * 10 + np.maximum(self.generation, 0), dtype=np.int64)

    def open(self, who: Ints, slot: int, *, product: Ints, day: Ints, via: Ints) -> None:
        """Open the slot for these customers, as its next generation."""
        self.is_open[who, slot] = True
        self.generation[who, slot] = np.minimum(self.generation[who, slot] + 1, c.GENERATIONS - 1)
        self.product[who, slot] = product
        self.rate[who, slot] = PRODUCT_RATE_PPM[product]
        self.opened[who, slot] = day
        self.via[who, slot] = via
        self.months[who, slot] = PRODUCT_MONTHS[product]
        for counter in (self.due_number, self.paid_number, self.principal, self.statement, self.carried, self.floor, self.balance):
            counter[who, slot] = 0
        for until in (self.overdue_since, self.matures):
            until[who, slot] = NEVER
        self.is_default[who, slot] = self.is_dormant[who, slot] = False

    def can_open(self, slot: int) -> Bools:
        """Customers whose slot is free and has an account number left."""
        return np.asarray(~self.is_open[:, slot] & (self.generation[:, slot] < c.GENERATIONS - 1))


def matures_after(day: Ints, months: Ints) -> Ints:
    """Maturity of a contract of so many months."""
    return np.asarray(day + np.rint(months * MONTH_DAYS), dtype=np.int64)


def annuity(principal: Ints, rate_ppm: Ints, months: Ints) -> Ints:
    """Level monthly instalment in minor units."""
    monthly = np.maximum(rate_ppm, 1) / 12_000_000
    return np.asarray(np.ceil(principal * monthly / (1 - (1 + monthly) ** -np.maximum(months, 1))), dtype=np.int64)


def opening_book(rng: Generator, people: Population, first: Month, *, online_share: float) -> Book:
    """Accounts that exist before the first day of history."""
    book = Book.empty(people.size)
    here = (people.open_day < first.delivered_from) & (people.archetype != c.PROSPECT)
    _open_demand(rng, book, people, here, online_share=online_share)
    _open_savings(rng, book, people, here, start=first.delivered_from)
    _open_credit(rng, book, people, here, start=first.delivered_from)
    return book


def _open_demand(rng: Generator, book: Book, people: Population, here: Bools, *, online_share: float) -> None:
    who = np.flatnonzero(here)
    via = np.where(chance(rng, online_share, who.size), c.APP, c.BRANCH)
    book.open(who, c.DEMAND, product=np.full(who.size, c.PRODUCT_INDEX["D01"]), day=people.open_day[who], via=via)
    share = np.array([0, 0.8, 0.45, 0.16, 0.08])[people.archetype[who]]
    idle = np.where(people.dormant_since[who] < NEVER, 0.05, 1.0)
    book.balance[who, c.DEMAND] = cents(people.wealth_target[who] * share * idle * rng.uniform(0.2, 1.6, who.size) + 20)
    foreign = np.flatnonzero(here & chance(rng, np.array([0, 0.02, 0.03, 0.12, 0.3])[people.archetype], people.size))
    open_foreign(rng, book, foreign, day=people.open_day[foreign])
    currency = book.currency[foreign, c.FOREIGN]
    units = people.wealth_target[foreign] * 0.05 / np.array(c.CNY_PER_UNIT)[currency]
    book.balance[foreign, c.FOREIGN] = np.rint(units * 10.0 ** np.array(c.CURRENCY_DIGITS)[currency])


def open_foreign(rng: Generator, book: Book, who: Ints, *, day: Ints) -> None:
    """Open foreign currency accounts."""
    book.open(who, c.FOREIGN, product=np.full(who.size, c.PRODUCT_INDEX["D02"]), day=day, via=np.full(who.size, c.BRANCH))
    book.currency[who, c.FOREIGN] = 1 + choice(rng, (0.5, 0.25, 0.15, 0.1), who.size)


def _open_savings(rng: Generator, book: Book, people: Population, here: Bools, *, start: int) -> None:
    for slot, codes, share, part in (
        (c.TERM, ("T03", "T12", "T36"), (0, 0.05, 0.2, 0.5, 0.5), 0.5),
        (c.CERTIFICATE, ("T12", "T36"), (0, 0.0, 0.06, 0.3, 0.5), 0.3),
        (c.WEALTH, ("W01", "W02", "W03"), (0, 0.03, 0.1, 0.55, 0.8), 0.6),
    ):
        who = np.flatnonzero(here & chance(rng, np.array(share)[people.archetype], people.size))
        product = np.array([c.PRODUCT_INDEX[code] for code in codes])[rng.integers(0, len(codes), who.size)]
        since = np.minimum(
            (rng.random(who.size) * PRODUCT_MONTHS[product] * MONTH_DAYS).astype(np.int64) + 1, start - people.open_day[who] - 1
        )
        book.open(who, slot, product=product, day=start - since, via=np.full(who.size, c.BRANCH))
        book.balance[who, slot] = rounded(people.wealth_target[who] * part * rng.uniform(0.5, 1.5, who.size), 1000)
        if slot != c.WEALTH:
            book.matures[who, slot] = np.maximum(matures_after(book.opened[who, slot], book.months[who, slot]), start + 1)
    who = np.flatnonzero(here & chance(rng, np.array([0, 0.05, 0.08, 0.05, 0.02])[people.archetype], people.size))
    open_plan(rng, book, people, who, day=np.maximum(start - rng.integers(1, 300, who.size), people.open_day[who]))
    elapsed = np.minimum(((start - book.opened[who, c.RECURRING]) / MONTH_DAYS).astype(np.int64) + 1, book.months[who, c.RECURRING] - 1)
    book.due_number[who, c.RECURRING] = book.paid_number[who, c.RECURRING] = elapsed
    book.balance[who, c.RECURRING] = elapsed * book.instalment[who, c.RECURRING]


def open_plan(rng: Generator, book: Book, people: Population, who: Ints, *, day: Ints) -> None:
    """Open recurring deposits: the same instalment every month."""
    product = np.where(chance(rng, 0.7, who.size), c.PRODUCT_INDEX["R12"], c.PRODUCT_INDEX["R36"])
    book.open(who, c.RECURRING, product=product, day=day, via=np.full(who.size, c.APP))
    book.instalment[who, c.RECURRING] = rounded(np.maximum(people.income[who] * rng.uniform(0.04, 0.15, who.size), 100), 100)
    book.due_dom[who, c.RECURRING] = np.minimum(people.pay_day[who] + 2, 28)
    book.matures[who, c.RECURRING] = matures_after(day, book.months[who, c.RECURRING])


def _open_credit(rng: Generator, book: Book, people: Population, here: Bools, *, start: int) -> None:
    who = np.flatnonzero(here & chance(rng, np.array([0, 0.15, 0.24, 0.4, 0.4])[people.archetype], people.size))
    open_card(rng, book, people, who, day=np.maximum(start - rng.integers(30, 1500, who.size), people.open_day[who]))
    for slot, share in ((c.LOAN, (0, 0.05, 0.07, 0.05, 0.02)), (c.MORTGAGE, (0, 0.0, 0.06, 0.12, 0.05))):
        who = np.flatnonzero(here & chance(rng, np.array(share)[people.archetype] * (people.income > 2500), people.size))
        open_loan(rng, book, people, who, slot=slot, day=np.full(who.size, start))
        elapsed = (rng.random(who.size) * 0.7 * book.months[who, slot]).astype(np.int64) + 1
        elapsed = np.minimum(elapsed, np.maximum((start - people.open_day[who]) // 31, 1))
        _age_loan(book, who, slot, elapsed=elapsed, start=start)


def open_card(rng: Generator, book: Book, people: Population, who: Ints, *, day: Ints) -> None:
    """Open credit cards with a limit by income."""
    gold = people.income[who] > 15_000
    book.open(who, c.CARD, product=np.where(gold, c.PRODUCT_INDEX["C02"], c.PRODUCT_INDEX["C01"]), day=day, via=np.full(who.size, c.APP))
    limit = rounded(np.clip(people.income[who] * rng.uniform(0.5, 1.8, who.size), 3_000, 200_000), 1000)
    book.principal[who, c.CARD] = limit
    book.floor[who, c.CARD] = -limit
    book.due_dom[who, c.CARD] = 20


def open_loan(rng: Generator, book: Book, people: Population, who: Ints, *, slot: int, day: Ints) -> None:
    """Agree loans; the money itself is a move."""
    quick = chance(rng, 0.5, who.size)
    consumer = np.where(quick, c.PRODUCT_INDEX["L02"], c.PRODUCT_INDEX["L01"])
    product = np.full(who.size, c.PRODUCT_INDEX["M01"]) if slot == c.MORTGAGE else consumer
    book.open(who, slot, product=product, day=day, via=np.where(quick & (slot == c.LOAN), c.APP, c.BRANCH))
    times = lognormal(rng, 85.0 if slot == c.MORTGAGE else 4.0, 0.4, who.size)
    book.principal[who, slot] = rounded(np.clip(people.income[who] * times, 3_000, 8_000_000), 1000)
    book.instalment[who, slot] = annuity(book.principal[who, slot], book.rate[who, slot], book.months[who, slot])
    book.due_dom[who, slot] = np.minimum(people.pay_day[who] + rng.integers(1, 4, who.size), 28)
    book.matures[who, slot] = matures_after(day, book.months[who, slot])
    book.floor[who, slot] = -NEVER * 1000


def _age_loan(book: Book, who: Ints, slot: int, *, elapsed: Ints, start: int) -> None:
    """Bring loans to where `elapsed` punctual instalments leave them."""
    book.opened[who, slot] = start - 15 - np.rint(elapsed * MONTH_DAYS)
    book.matures[who, slot] = matures_after(book.opened[who, slot], book.months[who, slot])
    monthly = book.rate[who, slot] / 12_000_000
    left = book.principal[who, slot] * (1 + monthly) ** elapsed - book.instalment[who, slot] * ((1 + monthly) ** elapsed - 1) / monthly
    book.balance[who, slot] = -np.maximum(np.rint(left), 1000)
    book.due_number[who, slot] = book.paid_number[who, slot] = elapsed
