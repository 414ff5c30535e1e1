"""Reference rows as the bank's registers hold them: customers, accounts and who holds them, consents, loans and cards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jobs.simulate import catalogue as c
from jobs.simulate.book import Book
from jobs.simulate.columns import Outbox
from jobs.simulate.draws import NEVER, Ints
from jobs.simulate.population import Population

PREAPPROVED_AFTER_DAYS = 180  # of being a customer


def blank_never(day: Ints) -> Ints:
    """A day that does not come is left blank."""
    return np.where(day >= NEVER, -1, day)


def put_customers(outbox: Outbox, people: Population, who: Ints, *, day: npt.ArrayLike, closed: npt.ArrayLike = -1) -> None:
    """A row of the customer register as of the day; `closed` is the day the relationship ended, -1 while it lasts."""
    closed_on = np.broadcast_to(np.asarray(closed), (who.size,))
    on = np.broadcast_to(np.asarray(day), (who.size,))
    traits = ("surname", "given_one", "given_two", "id_serial", "mobile", "gender", "birth_day", "open_day", "branch", "occupation", "kyc_risk",
              "acquisition", "household", "is_employee")  # fmt: skip
    outbox.put(
        "customers", day=on, customer=people.first_customer + who, close_day=closed_on,
        preapproved=np.where(on >= people.open_day[who] + PREAPPROVED_AFTER_DAYS, people.preapproved[who], -1),
        status=np.where(closed_on >= 0, c.CLOSED, c.ACTIVE), **{name: getattr(people, name)[who] for name in traits},
    )  # fmt: skip


def put_accounts(outbox: Outbox, people: Population, book: Book, who: Ints, slot: int, *, day: npt.ArrayLike, closed: bool = False) -> None:
    """A row of the account register as of the day."""
    on = np.broadcast_to(np.asarray(day), (who.size,))
    status = np.full(who.size, c.CLOSED) if closed else np.where(book.is_dormant[who, slot], c.DORMANT, c.ACTIVE)
    outbox.put(
        "accounts", day=on, account=book.numbers(people)[who, slot], product=book.product[who, slot], currency=book.currency[who, slot],
        branch=people.branch[who], open_day=book.opened[who, slot], close_day=on if closed else -1, status=status,
        matures=blank_never(book.matures[who, slot]), rate=book.rate[who, slot], channel=book.via[who, slot],
    )  # fmt: skip


def put_opening(outbox: Outbox, people: Population, book: Book, who: Ints, slot: int, *, day: npt.ArrayLike) -> None:
    """A new account and its owner."""
    put_accounts(outbox, people, book, who, slot, day=day)
    outbox.put(
        "account_parties", day=np.broadcast_to(np.asarray(day), (who.size,)), account=book.numbers(people)[who, slot],
        customer=people.first_customer + who, role=c.OWNER, held_from=book.opened[who, slot], held_to=-1,
    )  # fmt: skip


def put_consents(outbox: Outbox, people: Population, who: Ints, *, day: npt.ArrayLike) -> None:
    """What the customers agreed to when they joined; one in ten was never asked."""
    asked = who[people.mobile[who] % 10 != 0]
    on = np.broadcast_to(np.asarray(day), (who.size,))[people.mobile[who] % 10 != 0]
    for purpose in range(len(c.PURPOSES)):
        granted = people.marketing[asked] & ((people.id_serial[asked] + purpose * 7) % 9 > 1)
        outbox.put("consents", day=on, customer=people.first_customer + asked, purpose=purpose, granted=granted | (purpose == 1))


def put_loans(outbox: Outbox, people: Population, book: Book, who: Ints, slot: int, *, day: Ints, dpd: npt.ArrayLike, status: npt.ArrayLike,
              outstanding: Ints) -> None:  # fmt: skip
    """A row for each loan that changed on the day."""
    outbox.put(
        "loans", day=day, account=book.numbers(people)[who, slot], product=book.product[who, slot], opened=book.opened[who, slot],
        matures=book.matures[who, slot], principal=book.principal[who, slot], outstanding=outstanding, rate=book.rate[who, slot], dpd=dpd,
        status=status,
    )  # fmt: skip


def put_cards(outbox: Outbox, people: Population, book: Book, who: Ints, *, day: npt.ArrayLike, balance: Ints, minimum: Ints,
              dpd: npt.ArrayLike) -> None:  # fmt: skip
    """A row for each card that changed on the day; `instalment` of a card is its last payment."""
    outbox.put(
        "cards", day=np.broadcast_to(np.asarray(day), (who.size,)), account=book.numbers(people)[who, c.CARD], product=book.product[who, c.CARD],
        opened=book.opened[who, c.CARD], limit=book.principal[who, c.CARD], balance=balance, minimum=minimum,
        paid=book.instalment[who, c.CARD], rate=book.rate[who, c.CARD], dpd=dpd, status=np.where(book.is_default[who, c.CARD], 2, 0),
    )  # fmt: skip


def put_plans(outbox: Outbox, people: Population, book: Book, who: Ints, *, day: npt.ArrayLike, status: npt.ArrayLike = 0) -> None:
    """A row for each recurring deposit that began or ended on the day."""
    on = np.broadcast_to(np.asarray(day), (who.size,))
    ended = np.broadcast_to(np.asarray(status), (who.size,))
    outbox.put(
        "deposit_plans", day=on, account=book.numbers(people)[who, c.RECURRING], start=book.opened[who, c.RECURRING],
        matures=book.matures[who, c.RECURRING], closed=np.where(ended > 0, on, -1), months=book.months[who, c.RECURRING],
        instalment=book.instalment[who, c.RECURRING], status=ended,
    )  # fmt: skip
