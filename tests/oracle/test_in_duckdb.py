"""The catalogue in DuckDB against the same catalogue in Spark: any bank, any dates, every feature of every customer.

Partials and everything else that is no double exactly, doubles to 1e-9 relative. Few examples in CI, more with
`pytest -m full tests/oracle/test_in_duckdb.py`.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import catalogue, dialect, engine, in_duckdb, margin, seen, spine
from features.catalogue import SOURCES
from features.in_duckdb import features_of
from features.sources.channel import CHANNELS, FUNCTIONS
from features.sources.transaction import MCC_GROUPS, TRANSACTION
from tests.fixtures.bank import CONTRACTS, DEFAULTS, Bank

FIRST, LAST = date(2023, 1, 1), date(2024, 5, 31)  # an end of February with a leap day
DATES = (date(2024, 1, 31), date(2024, 2, 13), date(2024, 2, 29), LAST)
NAMES = tuple(catalogue.FEATURES)
CLOSE = 1e-9
TYPES = (
    "salary", "pension", "transfer", "cash_deposit", "cash_withdrawal", "rent", "utility", "insurance", "tuition", "loan_payment", "fee",
    "wealth_buy", "wealth_sell", "standing_order", *("purchase",) * 8, *("settlement",) * 3,
)  # fmt: skip
PRODUCTS = {
    "D01": "demand",
    "T12": "term",
    "R12": "recurring",
    "W01": "wealth",
    "C01": "credit_card",
    "L01": "consumer_loan",
    "M01": "mortgage",
}


class RandomBank(Bank):
    """Some customers, with whatever they do; some merge, some leave, accounts change hands."""

    def __init__(self, spark: Any, random: Random, *, people: int) -> None:
        """people: so many customers; what they do grows with them."""
        super().__init__(spark, {})
        self.random = random
        customers = range(1, people + 1)
        busy = customers[: 1 + people * 3 // 4]  # the others are asleep, though some hold accounts
        self.rows = {
            "products": [self.row("products", product_code=code, family=family, is_asset=code[0] in "DTRW") for code, family in PRODUCTS.items()],
            "rates": self.some_rates(), "customers": [self.customer(key) for key in customers], "merges": self.merger(len(customers)),
            "transactions": [self.transaction(busy) for _ in range(60 * people)],
            "channel_events": [self.event(customers) for _ in range(30 * people)],
        } | self.contracts(customers[: 1 + people * 9 // 10])  # fmt: skip

    def row(self, table: str, **given: Any) -> dict[str, Any]:
        return DEFAULTS[table] | given

    def day(self, since: date = FIRST) -> date:
        days = [since + timedelta(days=nth) for nth in range((LAST - since).days + 5)]
        # Ties: days on the edges of months and windows come often.
        return self.random.choice([*days, *[day for day in days if day.day in {1, 28, 29, 30, 31}]])

    def maybe(self, value: Any) -> Any:
        return self.random.choice([None, value])

    def some_rates(self) -> list[dict[str, Any]]:
        told = [
            ("transfer", "demand", 20000),
            ("client", "D01", 3333),
            ("client", "L01", 55555),
            ("transfer", "L01", 21000),
            ("loss", "consumer_loan", 7777),
        ]
        costs = [("unit_cost", channel, 10000 + nth) for nth, channel in enumerate(CHANNELS)]
        return [self.row("rates", kind=kind, code=code, value_ppm=ppm) for kind, code, ppm in told + costs] + [
            self.row("rates", kind="transfer", code="term", value_ppm=15000, valid_from=date(2023, 6, 1), valid_to=date(2024, 2, 1))
        ]

    def customer(self, key: int) -> dict[str, Any]:
        month = date(1950 + 7 * (key % 8), self.random.randint(1, 12), 1)
        born = self.random.choice([None, month, month + timedelta(days=27), date(1996, 2, 29)])
        return self.row(
            "customers", customer_key=key, birth_date=born, closed_on=self.random.choice([None, None, self.day()]),
            opened_on=self.random.choice([date(2020, 2, 29), self.day()]), kyc_risk=self.maybe(self.random.randint(1, 5)), region=self.maybe("上海"),
            occupation=self.maybe("clerk"), acquisition_channel=self.maybe("app"), is_employee=self.maybe(True),
            household_key=self.maybe(key // 2), preapproved_limit_minor=self.maybe(10**6),
        )  # fmt: skip

    def merger(self, people: int) -> list[dict[str, Any]]:
        first, second = self.random.sample(range(1, people + 2), 2)
        return self.random.choice([[], [{"customer_key": first, "survivor_key": second, "merged_on": self.day(), "valid_from": FIRST}]])

    def transaction(self, people: range) -> dict[str, Any]:
        kind = self.random.choice(TYPES)
        return self.row(
            "transactions", customer_key=self.random.choice([*people, None]), business_date=self.day(), type=kind, mcc_group=self.random.choice([*MCC_GROUPS, "odd", None]),
            direction=self.random.choice(["in", "out"]), amount_base_minor=self.random.choice([1, 999, 100_00, 4_500_000, self.random.randint(0, 10**11)]),
            is_customer_initiated=self.random.random() < 0.7, local_hour=self.maybe(self.random.randint(0, 23)), channel=self.maybe("app"),
            counterparty_bank=self.maybe("other"), counterparty_key=self.maybe(self.random.randint(1, 400)), is_cross_border=self.random.random() < 0.2,
        )  # fmt: skip

    def event(self, people: range) -> dict[str, Any]:
        kind = self.random.choice(["login", "view", "push_sent", "push_opened", "complaint", "enquiry", "device_change"])
        return self.row(
            "channel_events", customer_key=self.random.choice(people), business_date=self.day(), channel=self.random.choice(CHANNELS), event_type=kind,
            function=self.random.choice([*FUNCTIONS, None]),
        )  # fmt: skip

    def contracts(self, people: range) -> dict[str, list[dict[str, Any]]]:
        names = ("accounts", "account_parties", "balances", "credit_accounts", "credit_instalments", "deposit_plans", "deposit_instalments")
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for key in range(4 * len(people)):
            code, owner, opened = self.random.choice(list(PRODUCTS)), self.random.choice(people), self.day()
            closed = self.random.choice([None, None, self.day(opened)])
            account = self.row(
                "accounts", account_key=key, product_code=code, opened_on=opened, closed_on=closed, matures_on=self.maybe(self.day()), status="closed" if closed else "active",
                currency=self.random.choice(["CNY", "USD"]), opening_channel=self.random.choice(["app", "branch"]), valid_from=opened,
            )  # fmt: skip
            found["accounts"] += self.rolled_over(account) if code == "T12" else [account]
            given_on = self.random.choice([None, None, self.day(opened)])
            found["account_parties"].append(
                self.row("account_parties", account_key=key, customer_key=owner, held_from=opened, held_to=given_on, valid_from=opened)
            )
            if given_on:
                heir = {"customer_key": self.random.choice(people), "held_from": given_on + timedelta(days=1), "valid_from": given_on}
                found["account_parties"].append(
                    self.row("account_parties", account_key=key, role=self.random.choice(["owner", "joint"]), **heir)
                )
            self.levels(found, key, code, owner, opened)
            if code == "R12":
                self.plan(found, key, owner, opened)
        return found

    def rolled_over(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        """The account's image, and one of a later maturity from the first one's day on."""
        first, next_ = sorted([self.day(account["opened_on"]), self.day(account["opened_on"])])
        if first <= account["opened_on"] or next_ == first or account["closed_on"]:
            return [account]
        return [account | {"matures_on": first, "valid_to": first}, account | {"matures_on": next_, "valid_from": first}]

    def levels(self, found: dict[str, list[dict[str, Any]]], key: int, code: str, owner: int, opened: date) -> None:
        days = sorted({self.day(opened) for _ in range(self.random.randint(0, 8))})
        for day in days:
            minor = self.random.choice([0, 50, 9_999, 123_456, self.random.randint(-(10**6), 10**10)])
            if code[0] in "DTRW":
                found["balances"].append(
                    self.row("balances", account_key=key, customer_key=owner, business_date=day, balance_base_minor=minor)
                )
                continue
            found["credit_accounts"].append(self.row(
                "credit_accounts", credit_account_id=f"L{key}", account_key=key, customer_key=owner, business_date=day, kind="card" if code == "C01" else "loan",
                product_code=code, balance_minor=abs(minor), limit_minor=self.maybe(10**7), days_past_due=self.random.choice([None, 0, 5, 30, 61]),
                minimum_payment_minor=self.maybe(1000), last_payment_minor=self.maybe(1500), status=self.random.choice(["active", "active", "default", "closed"]),
            ))  # fmt: skip
            self.instalments(found["credit_instalments"], "credit_instalments", owner, days)

    def plan(self, found: dict[str, list[dict[str, Any]]], key: int, owner: int, opened: date) -> None:
        ended = self.maybe(self.day(opened))
        found["deposit_plans"].append(self.row(
            "deposit_plans", plan_id=f"P{key}", customer_key=owner, started_on=opened, matures_on=self.maybe(self.day(opened)), closed_on=ended,
            planned_months=self.maybe(12), status=self.random.choice(["rolled_over", "broken"]) if ended else "active",
        ))  # fmt: skip
        self.instalments(found["deposit_instalments"], "deposit_instalments", owner, [self.day(opened) for _ in range(6)])

    def instalments(self, rows: list[dict[str, Any]], table: str, owner: int, days: list[date]) -> None:
        for due in days:
            paid = self.random.choice([None, due + timedelta(days=self.random.randint(-20, 60))])
            paid_minor = self.random.choice([10_000, 12_345]) if paid else None
            rows.append(self.row(table, customer_key=owner, due_on=due, paid_on=paid, paid_minor=paid_minor))


class InDuckDB:
    """The bank's tables in DuckDB: tiles that are stored in a deployment are Spark's, the others are made here."""

    def __init__(self, bank: Bank) -> None:
        self.bank, self.connection = bank, duckdb.connect()
        for statement in dialect.macros():
            self.connection.execute(statement)
        for name in CONTRACTS:
            self.connection.register(name, bank.frame(name).toArrow())
        products = [(row["product_code"], row["family"]) for row in bank.rows["products"]]
        self.connection.register("prices", in_duckdb.price_table(margin.prices(products, bank.rates)))
        merges = [
            spine.Merged(**{name: row[name] for name in ("customer_key", "survivor_key", "merged_on")})
            for row in bank.rows.get("merges", [])
        ]
        self.owners = in_duckdb.ownership_table(merges)
        if self.owners is not None:
            self.connection.register("owners", self.owners)

    def tiles(self, source: Any) -> str:
        if source.is_stored:
            self.connection.register(f"tile_{source.name}", self.bank.tiles(source).toArrow())
            return f"tile_{source.name}"
        facts = {
            "core.credit_account": "credit_accounts",
            "core.credit_instalment": "credit_instalments",
            "core.deposit_instalment": "deposit_instalments",
        }
        return in_duckdb.unstored_tiles(source, facts[source.reads], "prices")

    @property
    def core(self) -> in_duckdb.Core:
        names = ("customers", "account_parties", "accounts", "products", "deposit_plans")
        return in_duckdb.Core(**{name: name for name in names}, tiles=self.tiles, owners=None if self.owners is None else "owners")  # type: ignore[arg-type]

    def features(self, asked: pa.Table, *, each: bool) -> list[dict[str, Any]]:
        self.connection.register("asked", asked)
        return features_of(self.connection, self.core, NAMES, "asked", each=each).to_pylist()


def expect_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Row for row; doubles to CLOSE, everything else exactly."""
    assert [(row["customer_key"], row["as_of_date"]) for row in found] == [(row["customer_key"], row["as_of_date"]) for row in expected]
    for ours, spark in zip(found, expected, strict=True):
        differ = {
            name: (ours[name], value) for name, value in spark.items()
            if not (math.isclose(ours[name], value, rel_tol=CLOSE, abs_tol=1e-12) if isinstance(value, float) and isinstance(ours[name], float) else (ours[name] == value and type(ours[name]) is type(value)))
        }  # fmt: skip
        assert not differ, (ours["customer_key"], ours["as_of_date"], differ)


def compare(bank: Bank, dates: list[date]) -> list[dict[str, Any]]:
    """The rows that were compared: of everybody on the dates, then of some customers on dates of their own."""
    expected = [row.asDict() for row in sorted(engine.features_of(bank.core, dates).collect())]
    ours = InDuckDB(bank)
    expect_equal(ours.features(pa.table({"as_of_date": pa.array(dates, pa.date32())}), each=False), expected)
    few = [row for nth, row in enumerate(expected) if nth % 3 == 0]
    keys = {name: [row[name] for row in few] for name in ("customer_key", "as_of_date")}
    asked = pa.table(
        {
            "customer_key": pa.array([*keys["customer_key"], 999], pa.int64()),
            "as_of_date": pa.array([*keys["as_of_date"], LAST], pa.date32()),
        }
    )
    expect_equal(ours.features(asked, each=True), few)
    return expected


def few(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip


BANKS = st.integers(0, 10**9).map(Random)
SOME = st.lists(st.sampled_from(DATES), min_size=1, max_size=4, unique=True).map(sorted)


def test_every_feature_of_a_lively_bank(spark):
    bank = RandomBank(spark, Random(11), people=60)
    rows = compare(bank, sorted(DATES))
    # Equal nulls and zeros would say little: every feature has values here.
    idle = {name for name in NAMES if not any(row[name] for row in rows)}
    assert sorted(idle) == []


@few(1)
@given(random=BANKS, dates=SOME)
def test_any_bank_on_any_dates(spark, random, dates):
    compare(RandomBank(spark, random, people=random.randint(2, 5)), dates)


@pytest.mark.full
@few(60)
@given(random=BANKS, dates=SOME)
def test_many_banks_on_any_dates(spark, random, dates):
    compare(RandomBank(spark, random, people=random.randint(2, 5)), dates)


def test_day_tiles_are_the_same_text(spark):
    """Also of the sources whose tiles Spark stores: bits, weekdays, ends of months."""
    bank = RandomBank(spark, Random(3), people=5)
    ours = InDuckDB(bank)
    found = ours.connection.sql(dialect.in_duckdb(f"select * from {seen.day_tiles('transactions', TRANSACTION)} t order by all")).fetchall()
    expected = (
        bank.tiles(TRANSACTION).selectExpr("customer_key", "business_date", *(column.name for column in TRANSACTION.columns)).collect()
    )
    assert sorted(found, key=repr) == sorted((tuple(row) for row in expected), key=repr)
    assert len(found) > 50


def test_no_cast_rounds():
    """Spark cuts a double that is cast to an integer, DuckDB rounds it: no feature may be told by that."""
    connection = duckdb.connect()
    for statement in dialect.macros():
        connection.execute(statement)
    attributes = {
        "birth_date": "date",
        "opened_on": "date",
        "kyc_risk": "int",
        "is_employee": "boolean",
        "household_size": "bigint",
        "preapproved_limit_minor": "bigint",
    }
    columns = [f"cast(null as {attributes.get(name, 'string')}) as customer_{name}" for name in seen.CUSTOMER_ATTRIBUTES]
    sqls = tuple(feature.sql for _, feature in catalogue.FEATURES.values())
    columns += [f"cast(1 as bigint) as {item.column}" for source in SOURCES for item in source.wanted_by(sqls)]
    integers = {name: feature.sql for name, (_, feature) in catalogue.FEATURES.items() if feature.type in {"int", "bigint"}}
    kinds = ", ".join(f"typeof({dialect.in_duckdb(sql)}) as {name}" for name, sql in integers.items())
    (told,) = (
        connection.sql(f"select {kinds} from (select date '2024-02-29' as as_of_date, {', '.join(columns)})").to_arrow_table().to_pylist()
    )
    assert {name: kind for name, kind in told.items() if kind not in {"INTEGER", "BIGINT", "HUGEINT"}} == {}


@pytest.mark.parametrize(
    ("birth", "day"),
    [(datetime(1996, 2, 29), date(2024, 2, 28)), (datetime(1996, 2, 29), date(2023, 2, 28)), (datetime(2000, 1, 31), date(2024, 2, 29)), (datetime(2000, 5, 31), date(2024, 4, 30))],
)  # fmt: skip
def test_ages_around_ends_of_months(spark, birth, day):
    connection = duckdb.connect()
    for statement in dialect.macros():
        connection.execute(statement)
    text = f"select months_between(date '{day}', date '{birth.date()}')"
    assert connection.sql(text).fetchall()[0][0] == pytest.approx(spark.sql(text).first()[0], abs=1e-8)
