"""Day tiles against a twin in plain Python that walks over facts one by one: every column of every source, by a rule written here.

A rule is what the column's description promises. Events are counted by day; levels of balances are walked day by day, a change being the
difference of two days.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from math import cos, pi, sin
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from expectations.contracts import core
from features import margin, tiles
from features.catalogue import SOURCES
from features.sources.balance import BALANCE
from features.sources.channel import CHANNEL
from features.sources.credit import CREDIT
from features.sources.instalment import LOAN_INSTALMENT, PLAN_INSTALMENT
from features.sources.transaction import TRANSACTION
from tests.fixtures.examples import examples
from tests.fixtures.random_bank import FIRST, LAST, RandomBank

Row = dict[str, Any]
Rule = Callable[[list[Row]], int | None]
Tiles = dict[tuple[Any, date], dict[str, int | None]]
NEVER = date.max


def count(when: Callable[[Row], Any]) -> Rule:
    return lambda rows: sum(bool(when(row)) for row in rows)


def total(of: str, when: Callable[[Row], Any]) -> Rule:
    return lambda rows: sum(row[of] or 0 for row in rows if when(row))


def bits(order: Sequence[str], of: str, when: Callable[[Row], Any] = lambda row: True) -> Rule:
    """A bit for each of the names that occurs; null where none does."""
    return lambda rows: sum({1 << order.index(row[of]) for row in rows if when(row) and row[of] in order}) or None


# --- transactions -------------------------------------------------------------------------------------------------

MONEY = "amount_base_minor"
SHOPS = (
    "grocery", "dining", "transport", "fuel", "travel", "apparel", "electronics", "medical", "education", "entertainment", "online_shop", "home",
    "beauty", "telecom", "government",
)  # fmt: skip
EDGES = (10, 20, 50, 100, 150, 200, 300, 500, 800, 1000, 1500, 2000, 3000, 5000, 10000, 20000, 50000, 200000)


def made(row: Row) -> bool:
    return bool(row["is_customer_initiated"])


def spent(row: Row) -> bool:
    return made(row) and row["direction"] == "out"


def bought(row: Row) -> bool:
    return row["type"] == "purchase" and row["direction"] == "out"


def moved(direction: str) -> Callable[[Row], bool]:
    return lambda row: row["type"] in {"transfer", "standing_order"} and row["direction"] == direction


def of_type(*types: str, direction: str = "") -> Callable[[Row], bool]:
    return lambda row: row["type"] in types and direction in {"", row["direction"]}


def units(row: Row) -> int:
    return int(min(row[MONEY] // 100, 10_000_000))


def at_hours(first: int, after: int) -> Callable[[Row], bool]:
    return lambda row: made(row) and row["local_hour"] is not None and first <= row["local_hour"] < after


def other_end(row: Row) -> str:
    """Who is there; nobody at a counter, or of fees and interest."""
    if row["merchant_key"] is not None or row["type"] == "purchase":
        return "merchant"
    if row["counterparty_bank"] is not None:
        return "other_bank"
    if row["counterparty_key"] is not None:
        return "same_bank"
    own = {
        "transfer",
        "standing_order",
        "wealth_buy",
        "wealth_sell",
        "plan_instalment",
        "loan_drawdown",
        "loan_payment",
        "card_payment",
        "fx",
    }
    return "own" if row["type"] in own else ""


def counterparties(word: int) -> Rule:
    """Of 252 buckets, by the key's rest, 63 in a word."""
    return lambda rows: sum({
        1 << row["counterparty_key"] % 252 % 63 for row in rows
        if row["type"] in {"transfer", "standing_order"} and row["counterparty_key"] is not None and row["counterparty_key"] % 252 // 63 == word
    }) or None  # fmt: skip


CHANNELS = ("app", "web", "wechat", "branch", "atm", "call_centre")
_salary, _settled = of_type("salary", "pension", direction="in"), of_type("settlement", direction="in")
TRANSACTIONS: dict[str, Rule] = {
    "initiated_count": count(made), "initiated_out_count": count(spent), "initiated_out": total(MONEY, spent),
    "largest_out": lambda rows: max((row[MONEY] for row in rows if spent(row)), default=None),
    "ticket_units": lambda rows: sum(units(row) for row in rows if spent(row)),
    "ticket_squares": lambda rows: sum(units(row) ** 2 for row in rows if spent(row)),
    **{f"tickets_up_to_{edge}": count(lambda row, edge=edge: spent(row) and row[MONEY] <= 100 * edge) for edge in EDGES},
    **{direction: total(MONEY, lambda row, of=direction: row["direction"] == of) for direction in ("out", "in")},
    **{f"{direction}_count": count(lambda row, of=direction: row["direction"] == of) for direction in ("out", "in")},
    "income_count": count(_salary), "income": total(MONEY, _salary), "purchase_count": count(bought), "purchase": total(MONEY, bought),
    "cash_count": count(of_type("cash_deposit", "cash_withdrawal")), "cash_in": total(MONEY, of_type("cash_deposit")),
    "cash_out": total(MONEY, of_type("cash_withdrawal")),
    "split_cash_count": count(lambda row: row["type"] == "cash_deposit" and 40_000_00 <= row[MONEY] < 50_000_00),
    "online_count": count(lambda row: made(row) and row["channel"] in {"app", "web", "wechat"}),
    "cross_border_count": count(lambda row: row["is_cross_border"]),
    **{f"{bill}_count": count(of_type(bill)) for bill in ("rent", "utility", "insurance", "tuition")},
    "other_bank_out": total(MONEY, lambda row: moved("out")(row) and row["counterparty_bank"] is not None),
    "transfer_out": total(MONEY, moved("out")), "transfer_in": total(MONEY, moved("in")),
    "p2p_in": total(MONEY, lambda row: moved("in")(row) and row["counterparty_key"] is not None),
    **{kind: total(MONEY, of_type(kind)) for kind in ("wealth_buy", "wealth_sell", "loan_payment")}, "fee": total(MONEY, of_type("fee", direction="out")),
    "weekend_count": count(lambda row: made(row) and row["business_date"].weekday() >= 5),
    "month_end_count": count(lambda row: made(row) and (row["business_date"] + timedelta(days=3)).month != row["business_date"].month),
    "night_count": count(at_hours(0, 6)), **{f"hour_{hour:02d}_count": count(at_hours(hour, hour + 4)) for hour in range(0, 24, 4)},
    **{f"{name}_count": count(lambda row, day=day: made(row) and row["business_date"].weekday() == day)
       for day, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))},
    **{f"mcc_{shop}_count": count(lambda row, shop=shop: bought(row) and row["mcc_group"] == shop) for shop in SHOPS},
    "mcc_other_count": count(lambda row: bought(row) and row["mcc_group"] not in SHOPS),
    **{f"mcc_{shop}": total(MONEY, lambda row, shop=shop: bought(row) and row["mcc_group"] == shop) for shop in SHOPS},
    "settled": total(MONEY, _settled), "settled_count": count(_settled),
    "odd_settled_count": count(lambda row: _settled(row) and (row[MONEY] % 100_00 == 0 or (row["local_hour"] is not None and row["local_hour"] < 6))),
    "taken_back": total(MONEY, of_type("settlement", direction="out")),
    **{f"counterparties_{word}": counterparties(word) for word in range(4)}, "mcc_groups": bits(SHOPS, "mcc_group", bought),
    "moved_count": count(lambda row: row["type"] != "interest"), "bills": total(MONEY, of_type("rent", "utility", "insurance", "tuition", direction="out")),
    **{f"channel_{channel}_count": count(lambda row, of=channel: made(row) and row["channel"] == of) for channel in CHANNELS},
    **{f"channel_{channel}": total(MONEY, lambda row, of=channel: made(row) and row["channel"] == of) for channel in CHANNELS},
    "cny_count": count(lambda row: row["currency"] == "CNY"), "other_currency_count": count(lambda row: row["currency"] not in {"CNY", None}),
    "cny": total(MONEY, lambda row: row["currency"] == "CNY"),
    **{f"with_{end}_count": count(lambda row, of=end: other_end(row) == of) for end in ("merchant", "other_bank", "same_bank", "own")},
    **{f"with_{end}": total(MONEY, lambda row, of=end: other_end(row) == of) for end in ("merchant", "other_bank", "same_bank", "own")},
}  # fmt: skip
# Of a month what its days come to; of active days which ones they were.
MONTHS: dict[str, Rule] = {
    "initiated_count": TRANSACTIONS["initiated_count"], "out": TRANSACTIONS["out"], "largest_out": TRANSACTIONS["largest_out"],
    "active_days": lambda rows: sum({1 << row["business_date"].day - 1 for row in rows if made(row)}) or None,
}  # fmt: skip

# --- channel events, instalments, contracts -----------------------------------------------------------------------

PAGES = (
    "home", "balance", "statement", "transfer", "pay", "wealth", "deposit", "loan", "card", "points", "settings", "close_account", "cash", "queue",
    "fraud", "fee",
)  # fmt: skip


def visits(row: Row) -> bool:
    return row["event_type"] not in {"push_sent", "push_opened"}


def logs_in(*channels: str) -> Callable[[Row], bool]:
    return lambda row: row["event_type"] == "login" and row["channel"] in channels


CHANNEL_EVENTS: dict[str, Rule] = {
    "visit_count": count(visits), "login_count": count(logs_in("app", "web", "wechat")), "mobile_login_count": count(logs_in("app", "wechat")),
    **{f"{channel}_count": count(lambda row, of=channel: row["channel"] == of and visits(row)) for channel in CHANNELS},
    **{f"{kind}_count": count(lambda row, of=kind: row["event_type"] == of) for kind in ("push_sent", "push_opened", "complaint", "enquiry", "device_change")},
    "closing_count": count(lambda row: row["function"] == "close_account"), "functions": bits(PAGES, "function"),
    "cost_milli": total("cost_milli", lambda row: True),
}  # fmt: skip


def around(part: Callable[[float], float]) -> Rule:
    """Of the days of the month of payments, a month of 31 days being the circle."""
    return lambda rows: sum(round(1e6 * part((row["paid_on"].day - 1) * (2 * pi / 31))) for row in rows if not row["is_due"])


INSTALMENTS: dict[str, Rule] = {
    "due_count": count(lambda row: row["is_due"]), "due": total("due_minor", lambda row: row["is_due"]),
    "missed_count": count(lambda row: row["is_due"] and (row["paid_on"] or NEVER) > row["due_on"]),
    "paid_count": count(lambda row: not row["is_due"]), "paid": total("paid_minor", lambda row: not row["is_due"]),
    "late_days": lambda rows: sum((row["paid_on"] - row["due_on"]).days for row in rows if not row["is_due"]),
    "cos_millionths": around(cos), "sin_millionths": around(sin), "early_count": count(lambda row: not row["is_due"] and row["paid_on"] < row["due_on"]),
}  # fmt: skip


def of_contract(of: str, *, kind: str = "") -> Rule:
    return lambda rows: max((row[of] or 0) if row["status"] != "closed" and kind in {"", row["kind"]} else 0 for row in rows)


def earned(of: str) -> Rule:
    """Thousandths of a minor unit a year, cut toward zero, of what a running contract owes."""
    return lambda rows: max(cut((row["balance_minor"] or 0) * row[of]) if row["status"] != "closed" else 0 for row in rows)


def cut(ppm: int) -> int:
    return abs(ppm) // 1000 * (1 if ppm >= 0 else -1)


CONTRACTS: dict[str, Rule] = {
    "is_open": of_contract("one"), "card_limit": of_contract("limit_minor", kind="card"), "card_debt": of_contract("balance_minor", kind="card"),
    "loan_debt": of_contract("balance_minor", kind="loan"), "loan_count": of_contract("one", kind="loan"), "card_count": of_contract("one", kind="card"),
    "debt": of_contract("balance_minor"), "dpd": of_contract("days_past_due"), "minimum": of_contract("minimum_payment_minor"),
    "paid": of_contract("last_payment_minor"), "is_default": lambda rows: max(int(row["status"] == "default") for row in rows),
    "spread_milli": earned("spread_ppm"), "loss_milli": earned("loss_ppm"),
}  # fmt: skip

# --- the twin -----------------------------------------------------------------------------------------------------


def in_force(rows: Sequence[Any], day: date) -> Any:
    return next((row for row in rows if row.since <= day < (row.until or NEVER)), None)


def facts(bank: RandomBank, source: str) -> Iterator[Row]:
    """The source's facts, with what the day's prices make of them."""
    prices = defaultdict(list)
    for price in margin.prices([(row["product_code"], row["family"]) for row in bank.rows["products"]], bank.rates):
        prices[price.product_code].append(price)
    cost = {rate.code: rate.value_ppm for rate in bank.rates if rate.kind == "unit_cost"}
    for row in bank.rows[source]:
        if source.endswith("_instalments"):
            yield row | {"is_due": True, "business_date": row["due_on"]}
            if row["paid_on"]:
                yield row | {"is_due": False, "business_date": row["paid_on"]}
        elif source == "channel_events":
            yield row | {"cost_milli": cost[row["channel"]] * 100 * 1000 // 1_000_000}
        elif source == "transactions":
            yield dict.fromkeys(column.name for column in core.TRANSACTION.columns) | row
        else:
            code = row.get("product_code") or next(
                one["product_code"] for one in bank.rows["accounts"] if one["account_key"] == row["account_key"]
            )
            price = in_force(prices[code], row["business_date"])
            yield row | {
                "one": 1,
                "product_code": code,
                "spread_ppm": price.spread_ppm if price else 0,
                "loss_ppm": price.loss_ppm if price else 0,
            }


def naive_events(bank: RandomBank, source: str, rules: dict[str, Rule], entity: str = "customer_key") -> Tiles:
    days: dict[tuple[Any, date], list[Row]] = defaultdict(list)
    for row in facts(bank, source):
        days[row[entity], row["business_date"]].append(row)
    return {key: {name: rule(rows) for name, rule in rules.items()} for key, rows in days.items()}


def naive_months(bank: RandomBank) -> Tiles:
    """By the first day after the month, as which it counts."""
    months: dict[tuple[Any, date], list[Row]] = defaultdict(list)
    for row in facts(bank, "transactions"):
        months[row["customer_key"], (row["business_date"].replace(day=1) + timedelta(days=31)).replace(day=1)].append(row)
    return {key: {name: rule(rows) for name, rule in MONTHS.items()} for key, rows in months.items()}


def naive_levels(bank: RandomBank) -> Tiles:
    """Levels of each customer on each day, and by how much they differ from those of the day before."""
    family = {row["product_code"]: row["family"] for row in bank.rows["products"]}
    balances, images = defaultdict(list), defaultdict(list)
    for row in sorted(facts(bank, "balances"), key=lambda row: row["business_date"]):
        balances[row["account_key"]].append(row)
    for row in sorted(bank.rows["accounts"], key=lambda row: row["valid_from"]):
        images[row["account_key"]].append(row)
    found: Tiles = {}
    before: dict[int, dict[str, int]] = {}
    for nth in range((LAST - FIRST).days + 500):
        day, levels = FIRST + timedelta(days=nth), defaultdict(lambda: dict.fromkeys((column.name for column in BALANCE.columns), 0))
        ended = defaultdict(lambda: {"term_matured": 0, "term_rolled": 0})
        for account, mine in balances.items():
            last = next((row for row in reversed(mine) if row["business_date"] <= day), None)
            if last is None:
                continue
            of, level = family[last["product_code"]], levels[last["customer_key"]]
            level["aum"] += last["balance_base_minor"]
            level[of] += last["balance_base_minor"]
            level["spread_milli"] += cut(last["balance_base_minor"] * last["spread_ppm"])
            if of == "term":
                level["maturing"] += last["balance_base_minor"] if matures(images[account], day) else 0
                for kind in ends(images[account], day):
                    ended[last["customer_key"]][kind] += 1
        nothing = dict.fromkeys((column.name for column in BALANCE.columns), 0)
        for key in levels.keys() | before.keys():
            now, then = levels.get(key, nothing), before.get(key, nothing)
            changes = {name: now[name] - then[name] for name in nothing} | ended[key]
            if any(changes.values()):
                found[key, day] = changes
        before = dict(levels)
    return found


def matures(images: list[Row], day: date) -> bool:
    """Whether what the register says on the day is that the term ends on it or within 30 days."""
    image = next((row for row in images if row["valid_from"] <= day < (row.get("valid_to") or NEVER)), None)
    return image is not None and not image["closed_on"] and image["matures_on"] is not None and 0 <= (image["matures_on"] - day).days <= 30


def ends(images: list[Row], day: date) -> list[str]:
    """A term ends when the register tells, at its maturity or later, a later one (rolled over), or that the account is closed."""
    for old, new in itertools.pairwise(images):
        if new["valid_from"] == day and old["matures_on"]:
            if not new["closed_on"] and new["matures_on"] and new["matures_on"] > old["matures_on"] and day >= old["matures_on"]:
                return ["term_matured", "term_rolled"]
            if new["closed_on"] and not old["closed_on"] and new["closed_on"] >= old["matures_on"]:
                return ["term_matured"]
    return []


TWINS: dict[str, Callable[[RandomBank], Tiles]] = {
    TRANSACTION.name: lambda bank: naive_events(bank, "transactions", TRANSACTIONS),
    f"{TRANSACTION.name}_month": naive_months,
    CHANNEL.name: lambda bank: naive_events(bank, "channel_events", CHANNEL_EVENTS),
    LOAN_INSTALMENT.name: lambda bank: naive_events(bank, "credit_instalments", INSTALMENTS),
    PLAN_INSTALMENT.name: lambda bank: naive_events(bank, "deposit_instalments", INSTALMENTS),
    CREDIT.name: lambda bank: naive_events(bank, "credit_accounts", CONTRACTS, "credit_account_id"),
    BALANCE.name: naive_levels,
}


@pytest.mark.parametrize("source", [source for source in SOURCES if source.columns], ids=lambda source: source.name)
@examples(2, 100, phases=[Phase.generate])
@given(random=st.integers(0, 10**9).map(Random))
def test_every_column_of_a_tile_equals_the_twin(spark, source, random):
    bank = RandomBank(spark, random, people=10)
    names = [column.name for column in source.columns]
    found = {(row[source.entity[0]], row["business_date"]): {name: row[name] for name in names} for row in bank.tiles(source).collect()}
    assert found
    assert found == TWINS[source.name](bank)


@examples(2, 100, phases=[Phase.generate])
@given(random=st.integers(0, 10**9).map(Random))
def test_changes_of_a_few_days_come_from_the_accounts_concerned(spark, random):
    bank = RandomBank(spark, random, people=10)
    twin = naive_levels(bank)
    first = random.choice(sorted(day for _, day in twin))
    last = first + timedelta(days=random.choice((0, 0, 6)))
    of_days = bank.frame("balances").where(f"business_date between date'{first}' and date'{last}'")
    concerned = {row[0] for row in tiles.concerned(of_days, bank.frame("accounts"), first, last).collect()}
    accounts = bank.rows["accounts"]
    assert 0 < len(concerned) < len({row["account_key"] for row in accounts})
    bank.rows |= {table: [row for row in bank.rows[table] if row["account_key"] in concerned] for table in ("balances", "accounts")}
    found = {
        (row["customer_key"], row["business_date"]): {column.name: row[column.name] for column in BALANCE.columns}
        for row in bank.tiles(BALANCE).where(f"business_date between date'{first}' and date'{last}'").collect()
    }
    assert found == {key: changes for key, changes in twin.items() if first <= key[1] <= last}
