"""A block of customers through all months: the unit of work. Its rows go to spill files, one a month, so that memory does not grow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.book import opening_book
from jobs.simulate.cashflow import add_cashflow
from jobs.simulate.channels import channel_events
from jobs.simulate.columns import FEED_COLUMNS, Outbox, Rows, picked
from jobs.simulate.credit import CreditPlan, add_credit, settle_credit
from jobs.simulate.draws import BIRTH, Ints, generator
from jobs.simulate.lifecycle import before_leaving, change_registers, close_leavers, deliver_opening, final_payments, join
from jobs.simulate.merchants import add_settlements
from jobs.simulate.moves import affordable, counter_legs, posted
from jobs.simulate.planted import add_campaign, add_patterns
from jobs.simulate.population import BLOCK, draw_population
from jobs.simulate.savings import SavingsPlan, add_savings, settle_savings
from jobs.simulate.scene import Scene, draw_scene
from jobs.simulate.seasons import Month
from jobs.simulate.truth import write_truth

# A register row of a day replaces an earlier one of the same day and key.
KEYS = {
    "customers": ("day", "customer"), "accounts": ("day", "account"), "account_parties": ("day", "account", "customer", "role"),
    "consents": ("day", "customer", "purpose"), "loans": ("day", "account"), "cards": ("day", "account"),
    "instalments": ("day", "account", "number"), "deposit_plans": ("day", "account"), "deposit_instalments": ("day", "account", "number"),
    "contacts": ("day", "campaign", "customer"),
}  # fmt: skip
SERIALS_A_BLOCK = 1_000_000


@dataclass(frozen=True, kw_only=True)
class BlockOrder:
    """What a worker needs to simulate one block."""

    block: int
    size: int
    seed: int
    months: tuple[Month, ...]
    history_end: int
    spill: Path
    truth: Path


def spill_path(spill: Path, *, block: int, month: int) -> Path:
    """Where a block leaves the rows of a month."""
    return spill / f"{month:04d}" / f"{block:06d}.npz"


def simulate_block(order: BlockOrder) -> int:
    """Simulate the block and write its spill and truth files; returns the number of customers."""
    start = order.months[0].delivered_from
    birth = generator(seed=order.seed, block=order.block, purpose=BIRTH)
    people = draw_population(birth, first_customer=order.block * BLOCK, size=order.size, start=start, end=order.history_end)
    write_truth(order.truth / f"{order.block:06d}.parquet", people)
    book = opening_book(birth, people, order.months[0], online_share=0.25)
    for month in order.months:
        outbox = Outbox()
        rng = generator(seed=order.seed, block=order.block, purpose=month.year * 12 + month.month)
        scene = draw_scene(rng, people=people, book=book, month=month, outbox=outbox)
        simulate_month(scene, block=order.block)
        _spill(outbox, spill_path(order.spill, block=order.block, month=month.index))
    return order.size


def simulate_month(scene: Scene, *, block: int) -> None:
    """One month of a block: people act, money moves, registers follow."""
    if scene.month.index == 0:
        deliver_opening(scene)
    join(scene)
    change_registers(scene)
    add_cashflow(scene)
    savings = add_savings(scene)
    credit = add_credit(scene)
    add_campaign(scene, savings)
    add_patterns(scene)
    add_settlements(scene)
    _post(scene, savings, credit, block=block)


def _post(scene: Scene, savings: SavingsPlan, credit: CreditPlan, *, block: int) -> None:
    book = scene.book
    opening, opening_state = book.balance.copy(), _first_day_state(scene)
    own, legs, current, counter = _moved(scene, opening)
    closing = _closing(opening, (own, legs, current, counter))
    final = final_payments(scene, closing, scene.leaving_day)
    numbers, currency = book.numbers(scene.people), book.currency.copy()
    moved, day_ends = posted((own, legs, current, counter, final), opening=opening)
    book.balance = _closing(closing, (final,))
    settle_savings(scene, savings, current)
    settle_credit(scene, credit, current, book.balance)
    close_leavers(scene, scene.leaving_day)
    _put_transactions(scene, moved, numbers=numbers, currency=currency, block=block)
    _put_balances(scene, day_ends, numbers=numbers, currency=currency, opening=opening, opening_state=opening_state)
    _put_events(scene, moved, block=block)


def _moved(scene: Scene, opening: Ints) -> tuple[Rows, Rows, Rows, Rows]:
    """What really happens: moves of other accounts, their legs on current accounts, moves of those, and their legs in turn."""
    book = scene.book
    rows = scene.moves.rows()
    open_both = book.is_open[rows["customer"], rows["slot"]] & ((rows["to_slot"] < 0) | book.is_open[rows["customer"], rows["to_slot"]])
    rows = before_leaving(picked(rows, open_both & (rows["amount"] != 0)), scene.leaving_day)
    current = rows["slot"] == c.DEMAND
    own = picked(rows, ~current)
    own = picked(own, affordable(own, opening=opening, floor=book.floor))
    legs = counter_legs(own)
    wanted = picked(rows, current)
    both = {name: np.concatenate([legs[name], wanted[name]]) for name in wanted}
    happens = affordable(both, opening=opening, floor=book.floor)[legs["day"].size :]
    paid = picked(wanted, happens)
    return own, legs, paid, counter_legs(paid)


def _closing(opening: Ints, parts: tuple[Rows, ...]) -> Ints:
    closing = opening.copy()
    for rows in parts:
        np.add.at(closing, (rows["customer"], rows["slot"]), rows["amount"])
    return closing


def _first_day_state(scene: Scene) -> Ints | None:
    """Positions of the accounts open before the first day of history; only that day delivers all balances."""
    if scene.month.index > 0:
        return None
    before = scene.book.is_open & (scene.book.opened < scene.month.delivered_from)
    return np.flatnonzero(before.reshape(-1))


def _put_transactions(scene: Scene, moved: Rows, *, numbers: Ints, currency: Ints, block: int) -> None:
    order = np.lexsort((moved["second"], moved["day"]))
    rows = picked(moved, order)
    where = (rows["customer"], rows["slot"])
    names = ("day", "second", "amount", "type", "channel", "by", "counterparty", "bank", "mcc", "merchant", "abroad")
    scene.outbox.put("transactions", account=numbers[where], currency=currency[where], serial=_serials(scene, order.size, block),
                     **{name: rows[name] for name in names})  # fmt: skip


def _serials(scene: Scene, size: int, block: int) -> Ints:
    month = scene.month.year * 100 + scene.month.month
    return np.asarray((month * 1_000_000 + block) * SERIALS_A_BLOCK + np.arange(size), dtype=np.int64)


def _put_balances(scene: Scene, day_ends: Rows, *, numbers: Ints, currency: Ints, opening: Ints, opening_state: Ints | None) -> None:
    flat = day_ends["customer"] * c.SLOTS + day_ends["slot"]
    numbers, currency = numbers.reshape(-1), currency.reshape(-1)
    scene.outbox.put("balances", day=day_ends["day"], account=numbers[flat], currency=currency[flat], balance=day_ends["balance"])
    month = scene.month
    if opening_state is not None:
        still = np.setdiff1d(opening_state, flat[day_ends["day"] == month.delivered_from])
        scene.outbox.put("balances", day=np.full(still.size, month.delivered_from), account=numbers[still], currency=currency[still],
                         balance=opening.reshape(-1)[still])  # fmt: skip
    if month.is_complete:
        still = np.setdiff1d(np.flatnonzero(scene.book.is_open.reshape(-1)), flat[day_ends["day"] == month.last])
        scene.outbox.put("balances", day=np.full(still.size, month.last), account=numbers[still], currency=currency[still],
                         balance=scene.book.balance.reshape(-1)[still])  # fmt: skip


def _put_events(scene: Scene, moved: Rows, *, block: int) -> None:
    rows = channel_events(scene, moved)
    rows = picked(rows, np.lexsort((rows["second"], rows["day"])))
    people = scene.people
    merged = rows["day"] >= people.merge_day[rows["customer"]]
    customer = np.where(merged, people.merged_into[rows["customer"]], rows["customer"])
    scene.outbox.put(
        "channel_events", **{**rows, "customer": people.first_customer + customer, "serial": _serials(scene, customer.size, block)}
    )


def _spill(outbox: Outbox, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    feeds = {feed: _latest(outbox.rows(feed), KEYS.get(feed)) for feed in FEED_COLUMNS}
    np.savez(path, allow_pickle=False, **{f"{feed}.{name}": values for feed, rows in feeds.items() for name, values in rows.items()})


def _latest(rows: Rows, key: tuple[str, ...] | None) -> Rows:
    """The last row put for each key; rows without a key are facts and all stay."""
    if key is None or rows["day"].size == 0:
        return rows
    order = np.lexsort((np.arange(rows["day"].size), *(rows[name] for name in reversed(key))))
    keys = np.stack([rows[name][order] for name in key])
    last = np.ones(order.size, dtype=bool)
    last[:-1] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return picked(rows, np.sort(order[last]))
