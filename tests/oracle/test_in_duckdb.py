"""The catalogue in DuckDB against the same catalogue in Spark: any bank, any dates, every feature of every customer.

Partials and everything else that is no double exactly, doubles to 1e-9 relative. Few examples in CI, many by `make oracle`.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import catalogue, dialect, engine, in_duckdb, margin, seen, spine
from features.catalogue import SOURCES
from features.in_duckdb import features_of
from features.sources.transaction import TRANSACTION
from tests.fixtures import independent
from tests.fixtures.bank import CONTRACTS, Bank
from tests.fixtures.examples import examples
from tests.fixtures.random_bank import LAST, RandomBank

DATES = (date(2024, 1, 31), date(2024, 2, 13), date(2024, 2, 29), LAST)
NAMES = tuple(catalogue.FEATURES)
CLOSE = 1e-9


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


def expect_what_plain_sql_tells(bank: Bank, rows: list[dict[str, Any]]) -> None:
    """Both ways above run the same text: here nothing is shared."""
    with duckdb.connect() as connection:
        for name in independent.TABLES:
            connection.register(name, bank.frame(name).toArrow())
        for day in {row["as_of_date"] for row in rows}:
            told = {row["customer_key"]: row for row in rows if row["as_of_date"] == day}
            assert independent.differing(independent.features(connection, day), told) == {}, day


def compare(bank: Bank, dates: list[date]) -> list[dict[str, Any]]:
    """The rows that were compared: of everybody on the dates, then of some customers on dates of their own."""
    expected = [row.asDict() for row in sorted(engine.features_of(bank.core, dates).collect())]
    ours = InDuckDB(bank)
    expect_what_plain_sql_tells(bank, expected)
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


BANKS = st.integers(0, 10**9).map(Random)
SOME = st.lists(st.sampled_from(DATES), min_size=1, max_size=4, unique=True).map(sorted)


@pytest.mark.parametrize("seed", [12, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(13, 21))])
def test_every_feature_of_a_lively_bank(spark, seed):
    bank = RandomBank(spark, Random(seed), people=60)
    rows = compare(bank, sorted(DATES))
    # Equal nulls and zeros would say little: every feature has values here.
    idle = {name for name in NAMES if not any(row[name] for row in rows)}
    assert sorted(idle) == []


@examples(1, 60)
@given(random=BANKS, dates=SOME)
def test_any_bank_on_any_dates(spark, random, dates):
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
    columns += [f"cast(1 as bigint) as {item.told}" for source in SOURCES for item in source.wanted_by(sqls)]
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
