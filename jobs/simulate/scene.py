"""A block in one month: who is how active, on which days and hours things happen, by which channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.simulate import catalogue as c
from jobs.simulate.book import Book
from jobs.simulate.columns import Outbox
from jobs.simulate.draws import NEVER, Bools, Floats, Generator, Ints, chance, choice
from jobs.simulate.moves import Moves
from jobs.simulate.population import Population
from jobs.simulate.seasons import Month, spending_weights

HOUR_SHARE = (6, 3, 2, 1, 1, 2, 6, 15, 32, 45, 50, 52, 58, 44, 40, 42, 44, 48, 54, 56, 54, 46, 30, 14)
OFFICE_HOURS = (0,) * 9 + (20, 24, 18, 8, 12, 18, 18, 12) + (0,) * 7
CUT_OFF_HOUR = 23
CLOSES_AFTER_DAYS = 20  # of silence
SPARED = 0.15  # what is left of a fading customer's activity on the last day


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the generators of a month share. `activity` is 1 for a customer as lively as ever, 0 for a silent one."""

    rng: Generator
    people: Population
    book: Book
    month: Month
    activity: Floats
    digital: Floats
    weights: Floats
    leaving_day: Ints
    moves: Moves
    outbox: Outbox

    @property
    def everyone(self) -> Ints:
        """Positions of all customers of the block."""
        return np.arange(self.people.size)

    def chance(self, probability: npt.ArrayLike) -> Bools:
        """A draw for each customer of the block."""
        return chance(self.rng, probability, self.people.size)

    def days(self, size: int, *, weights: Floats | None = None) -> Ints:
        """Business dates of the month, by the season's weights unless told otherwise."""
        shares = self.weights if weights is None else weights
        return self.month.first + choice(self.rng, shares, size)

    def seconds(self, size: int, *, office: bool = False) -> Ints:
        """Local time in seconds from midnight of the business date; after the cut-off it is the evening before."""
        hour = choice(self.rng, OFFICE_HOURS if office else HOUR_SHARE, size)
        hour = np.where(hour >= CUT_OFF_HOUR, hour - 24, hour)
        return np.asarray(hour * 3600 + self.rng.integers(0, 3600, size), dtype=np.int64)

    def channels(self, who: Ints, *, remote_only: bool = False) -> Ints:
        """Channel that these customers use: digital ones more every year."""
        online = np.array([c.APP, c.WECHAT, c.WEB])[choice(self.rng, (0.64, 0.26, 0.1), who.size)]
        counter = np.array([c.BRANCH, c.ATM, c.CALL])[choice(self.rng, (0.62, 0.3, 0.08), who.size)]
        return np.where(chance(self.rng, self.digital[who], who.size) | remote_only, online, counter)

    def awake(self, who: Ints, day: Ints) -> Bools:
        """Whether the customer is a customer and not silent on the day."""
        people = self.people
        silent = (day >= people.silent_day[who]) & (day < people.return_day[who])
        asleep = day >= people.dormant_since[who]
        return np.asarray((day > people.open_day[who]) & ~silent & ~asleep & (people.archetype[who] != c.PROSPECT))

    def happenings(self, rate: Floats, *, weights: Floats | None = None) -> tuple[Ints, Ints]:
        """Customers and days of things that customers do themselves, at a monthly rate of `rate` times activity."""
        expected = rate * self.activity * float(np.mean(self.weights if weights is None else weights))
        who = np.repeat(self.everyone, self.rng.poisson(expected))
        day = self.days(who.size, weights=weights)
        kept = self.awake(who, day)
        return who[kept], day[kept]


def draw_scene(rng: Generator, *, people: Population, book: Book, month: Month, outbox: Outbox) -> Scene:
    """The month's scene; starts quiet spells, so it changes the book."""
    _start_pauses(rng, people, book, month)
    moves = Moves(size=people.size, day_from=month.delivered_from, day_to=month.delivered_to)
    return Scene(
        rng=rng, people=people, book=book, month=month, activity=activity(people, book, month), digital=digital_share(people, month),
        weights=spending_weights(month), leaving_day=leavers(people, book, month), moves=moves, outbox=outbox,
    )  # fmt: skip


def leavers(people: Population, book: Book, month: Month) -> Ints:
    """Day on which each customer closes everything this month, NEVER for the others. Nobody leaves with a credit contract."""
    day = people.silent_day + CLOSES_AFTER_DAYS
    indebted = book.is_open[:, [c.LOAN, c.MORTGAGE, c.CARD]].any(axis=1)
    leaves = people.closes & ~indebted & book.is_open[:, c.DEMAND] & (people.merge_day >= NEVER)
    due = leaves & (day >= month.delivered_from) & (day <= month.delivered_to)
    return np.where(due, day, NEVER)


def fade_progress(people: Population, day: float) -> Floats:
    """0 before a customer's fade begins, 1 on the day of silence and after."""
    length = np.maximum(people.silent_day - people.fade_day, 1)
    progress = np.clip((day - people.fade_day) / length, 0, 1)
    return np.where(day >= people.silent_day, 1.0, np.where(people.fade_day < NEVER, progress, 0.0))


def activity(people: Population, book: Book, month: Month) -> Floats:
    """Share of the usual activity in the month, by customer."""
    middle = (month.first + month.last) / 2
    level = 1 - (1 - SPARED) * np.where(middle < people.silent_day, fade_progress(people, middle), 0.0)
    gone = (month.first >= people.silent_day) & (month.last < people.return_day)
    level = np.where(gone, 0.0, np.where(month.last >= people.return_day, 0.7, level))
    level = np.where(month.first < book.pause_until[:, c.DEMAND], level * 0.04, level)
    present = (people.open_day <= month.last) & (people.archetype != c.PROSPECT) & (people.dormant_since >= month.first)
    return np.where(present, level, 0.0)


def digital_share(people: Population, month: Month) -> Floats:
    """Probability of going online instead of to a branch: rises every year for everybody, for the young from higher up."""
    years = month.year + (month.month - 1) / 12 - 2022
    return np.asarray(1 / (1 + np.exp(-(people.digital_bias - 0.7 + 0.45 * years))), dtype=np.float64)


def _start_pauses(rng: Generator, people: Population, book: Book, month: Month) -> None:
    """Quiet spells of one to four months that end by themselves: what makes leaving hard to tell."""
    pauses = chance(rng, 0.011, people.size)
    until = month.first + rng.integers(30, 125, people.size)
    book.pause_until[:, c.DEMAND] = np.where(pauses, np.maximum(until, book.pause_until[:, c.DEMAND]), book.pause_until[:, c.DEMAND])
