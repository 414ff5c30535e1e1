"""Who banks here: the traits of a block of customers, drawn once and never changed. The truth is read from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import NEVER, Bools, Floats, Generator, Ints, chance, choice, lognormal

BLOCK = 2_000  # customers simulated together; part of what a seed means
DAYS_A_MONTH = 30.44


# Traits on their way into a Population: it is built in steps, each of which looks at the ones before.
Traits = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Population:
    """Traits of a block's customers, an entry each. Days count from 1970-01-01, money is CNY, rates are a month."""

    first_customer: int
    archetype: Ints
    gender: Ints
    surname: Ints
    given_one: Ints
    given_two: Ints
    mobile: Ints
    id_serial: Ints
    birth_day: Ints
    open_day: Ints
    branch: Ints
    occupation: Ints
    kyc_risk: Ints
    acquisition: Ints
    household: Ints
    is_employee: Bools
    preapproved: Ints  # loan limit, CNY; -1: none
    merchant: Ints
    income: Floats
    has_salary: Bools
    has_pension: Bools
    pay_day: Ints
    employer: Ints
    rent: Floats
    has_utility: Bools
    has_insurance: Bools
    has_tuition: Bools
    purchases: Floats
    logins: Floats
    digital_bias: Floats
    wealth_target: Floats
    trend: Ints
    departure: Ints
    fade_day: Ints
    silent_day: Ints
    return_day: Ints
    closes: Bools
    dormant_since: Ints
    distress_from: Ints
    distress_to: Ints
    pays_late: Bools
    revolves: Bools
    pattern: Ints
    pattern_day: Ints
    uplift: Ints
    takes_offers: Floats
    merged_into: Ints
    merge_day: Ints
    joint_with: Ints
    joint_role: Ints
    takes_over: Ints  # day on which a joint holder becomes the owner of the partner's account
    marketing: Bools

    @property
    def size(self) -> int:
        """Customers in the block."""
        return int(self.archetype.size)


def draw_population(rng: Generator, *, first_customer: int, size: int, start: int, end: int) -> Population:
    """A block of customers, some of whom join between the days `start` and `end`."""
    people = _people(rng, size=size, start=start, end=end)
    people["first_customer"] = first_customer
    people |= _money(rng, people)
    people |= _departure(rng, people, start=start, end=end)
    people |= _trouble(rng, people, start=start, end=end)
    people |= _relations(rng, people, first_customer=first_customer, start=start, end=end)
    people |= _business(people)
    return Population(**people)


def _people(rng: Generator, *, size: int, start: int, end: int) -> Traits:
    archetype = choice(rng, c.ARCHETYPE_SHARE, size)
    youngest = np.array([18, 18, 24, 30, 38])[archetype]
    spread = np.array([50, 14, 46, 40, 35])[archetype]
    age = youngest + spread * rng.beta(1.6, 1.9, size)
    joins = chance(rng, 0.32, size)
    before = start - 30 - (rng.random(size) ** 1.3 * 4300).astype(np.int64)
    open_day = np.where(joins, rng.integers(start + 1, max(end - 5, start + 2), size), before)
    birth_day = (open_day - age * 365.25).astype(np.int64)
    age_now = (start - birth_day) / 365.25
    occupation = choice(rng, (0.28, 0.24, 0.08, 0.17, 0.14, 0.09), size)
    occupation = np.where((age_now < 23) & chance(rng, 0.6, size), c.STUDENT, occupation)
    occupation = np.where(age_now > 58, c.RETIRED, occupation)
    city = choice(rng, c.CITY_SHARE, size)
    return {
        "archetype": archetype, "gender": rng.integers(0, 2, size), "surname": rng.integers(0, len(c.SURNAMES), size),
        "given_one": rng.integers(0, len(c.GIVEN), size), "given_two": rng.integers(-len(c.GIVEN) // 3, len(c.GIVEN), size),
        "mobile": 13_000_000_000 + rng.integers(0, 6_999_999_999, size), "id_serial": rng.integers(1, 999, size), "birth_day": birth_day,
        "open_day": open_day, "branch": city * 100 + rng.integers(1, c.BRANCHES_PER_CITY + 1, size), "occupation": occupation,
        "kyc_risk": 1 + choice(rng, (0.62, 0.27, 0.08, 0.025, 0.005), size), "is_employee": chance(rng, 0.008, size),
        "acquisition": choice(rng, (0.42, 0.24, 0.12, 0.16, 0.06), size),
    }  # fmt: skip


def _money(rng: Generator, people: Traits) -> Traits:
    archetype, birth, opened = (np.asarray(people[name]) for name in ("archetype", "birth_day", "open_day"))
    size = archetype.size
    age = (opened - birth) / 365.25
    retired = np.asarray(people["occupation"]) == c.RETIRED
    income = lognormal(rng, np.array([3000, 4200, 8200, 26_000, 90_000])[archetype], 0.38, size)
    income = np.where(retired, income * 0.55, income)
    has_salary = chance(rng, np.array([0.0, 0.42, 0.5, 0.5, 0.3])[archetype], size) & ~retired
    purchases = rng.gamma(1.1, np.array([0, 2.0, 1.9, 2.3, 2.0])[archetype] / 1.1, size)
    wealth = lognormal(
        rng, np.array([0, 6_000, 48_000, 900_000, 9_500_000])[archetype], np.array([0, 0.9, 1.1, 0.55, 0.45])[archetype], size
    )
    return {
        "income": income, "has_salary": has_salary, "has_pension": retired & chance(rng, 0.75, size),
        "pay_day": np.array([5, 8, 10, 15, 20, 25])[choice(rng, (0.15, 0.1, 0.35, 0.25, 0.05, 0.1), size)],
        "employer": rng.zipf(1.6, size) % 4_000, "rent": np.where(chance(rng, 0.17, size) & ~retired, income * rng.uniform(0.18, 0.35, size), 0.0),
        "has_utility": chance(rng, 0.22, size), "has_insurance": chance(rng, 0.08, size), "has_tuition": chance(rng, 0.05, size),
        "purchases": purchases * np.where(has_salary | retired, 1.25, 0.8), "logins": purchases * 0.8 + rng.gamma(1.2, 0.65, size),
        "digital_bias": 1.6 - (age - 25) / 14 + rng.standard_normal(size) * 1.1, "wealth_target": wealth,
        "trend": choice(rng, (0.68, 0.19, 0.13), size), "marketing": chance(rng, 0.72, size),
    }  # fmt: skip


def _departure(rng: Generator, people: Traits, *, start: int, end: int) -> Traits:
    """Who leaves and when. The monthly hazard depends on traits, so that churn can be learnt before the fade as well as from it."""
    archetype, opened, salaried = (np.asarray(people[name]) for name in ("archetype", "open_day", "has_salary"))
    size = archetype.size
    hazard = np.array([0.0, 0.022, 0.014, 0.009, 0.007])[archetype]
    hazard = hazard * np.where(salaried, 0.55, 1.3) * np.where(np.asarray(people["trend"]) == c.SHRINKING, 1.9, 1.0)
    hazard = hazard * np.where(np.asarray(people["purchases"]) < 0.8, 1.4, 0.9)
    wait = rng.exponential(1, size) / np.maximum(hazard, 1e-9) * DAYS_A_MONTH
    silent = np.maximum(opened + 60, start - 120) + np.minimum(wait, NEVER / 4).astype(np.int64)
    leaves = silent < end + 150
    abrupt = leaves & chance(rng, 0.15, size)
    fade = silent - (rng.uniform(3, 6, size) * DAYS_A_MONTH).astype(np.int64)
    dormant = ~leaves & (opened < start) & chance(rng, np.array([0, 0.14, 0.1, 0.04, 0.02])[archetype], size)
    returns = leaves & chance(rng, 0.12, size)
    return {
        "departure": np.where(leaves, np.where(abrupt, c.ABRUPT, c.FADES), c.STAYS), "fade_day": np.where(leaves & ~abrupt, fade, NEVER),
        "silent_day": np.where(leaves, silent, NEVER), "closes": leaves & ~returns & chance(rng, 0.35, size),
        "return_day": np.where(returns, silent + rng.integers(150, 420, size), NEVER),
        "dormant_since": np.where(dormant, start - rng.integers(30, 700, size), NEVER),
    }  # fmt: skip


def _trouble(rng: Generator, people: Traits, *, start: int, end: int) -> Traits:
    size = np.asarray(people["archetype"]).size
    distressed = chance(rng, 0.035, size)
    distress_from = rng.integers(start, end + 1, size)
    pattern = choice(rng, (0.995, 0.002, 0.002, 0.001), size)
    archetype, opened = np.asarray(people["archetype"]), np.asarray(people["open_day"])
    pattern = np.where((archetype == c.PROSPECT) | (opened >= start - 400), c.NO_PATTERN, pattern)
    woken = pattern == c.REACTIVATED  # asleep since long before, until the pattern's day
    stays = pattern > 0
    never = {name: np.where(stays, NEVER, np.asarray(people[name])) for name in ("fade_day", "silent_day", "return_day")}
    people["departure"] = np.where(stays, c.STAYS, np.asarray(people["departure"]))
    people["dormant_since"] = np.where(woken, start - 300, np.asarray(people["dormant_since"]))
    people |= never
    people["closes"] = np.asarray(people["closes"]) & ~stays
    return {
        "distress_from": np.where(distressed, distress_from, NEVER), "distress_to": distress_from + rng.integers(60, 330, size),
        "pays_late": chance(rng, 0.08, size), "revolves": chance(rng, 0.3, size), "pattern": pattern,
        "pattern_day": np.where(pattern > 0, rng.integers(start + 20, max(end - 20, start + 21), size), NEVER),
        "uplift": choice(rng, (0.55, 0.25, 0.12, 0.08), size), "takes_offers": rng.beta(1.5, 12, size),
    }  # fmt: skip


def _relations(rng: Generator, people: Traits, *, first_customer: int, start: int, end: int) -> Traits:
    """Households, joint accounts and doubled customers: a customer's neighbour in the block is the partner."""
    archetype, opened = np.asarray(people["archetype"]), np.asarray(people["open_day"])
    size = archetype.size
    positions = np.arange(size)
    partner = np.where(positions > 0, positions - 1, -1)
    shares = chance(rng, 0.22, size) & (partner >= 0)
    household = np.where(shares, first_customer + partner, first_customer + positions)
    joint = shares & chance(rng, 0.3, size) & (archetype != c.PROSPECT)
    doubled = (partner >= 0) & ~joint & (archetype != c.PROSPECT) & (archetype[partner] != c.PROSPECT) & chance(rng, 0.006, size)
    doubled &= ~np.roll(doubled, 1)  # the survivor is not merged itself
    merge_day = np.maximum(rng.integers(start + 10, max(end, start + 11), size), np.maximum(opened, opened[partner]) + 40)
    takes_over = np.maximum(rng.integers(start + 30, max(end, start + 31), size), np.maximum(opened, opened[partner]) + 30)
    return {
        "takes_over": np.where(joint & chance(rng, 0.05, size), takes_over, NEVER), "household": household, "joint_with": np.where(joint, partner, -1),
        "joint_role": np.where(chance(rng, 0.7, size), c.JOINT, c.AUTH),
        "merged_into": np.where(doubled, partner, -1), "merge_day": np.where(doubled, merge_day, NEVER),
    }  # fmt: skip


def _business(people: Traits) -> Traits:
    """Who is a small merchant, and whom the bank offers a loan before it is asked for. Follows from other traits: nothing is drawn."""
    archetype, serial, mobile = (np.asarray(people[name]) for name in ("archetype", "id_serial", "mobile"))
    sells = (
        (np.asarray(people["occupation"]) == c.SELF_EMPLOYED) & (serial % 40 == 7) & (archetype != c.PROSPECT) & (archetype != c.PRIVATE)
    )
    sells &= (np.asarray(people["pattern"]) == c.NO_PATTERN) & (np.asarray(people["dormant_since"]) >= NEVER)
    earns = np.asarray(people["has_salary"]) & (archetype >= c.MASS)
    offered = np.rint(np.asarray(people["income"]) * 5 / 1000).astype(np.int64) * 1000
    return {
        "merchant": np.where(sells, np.where(serial % 3 == 0, c.CASH_OUT, c.HONEST), c.NO_MERCHANT),
        "preapproved": np.where(earns & (mobile % 7 < 2), offered, -1),
    }  # fmt: skip
