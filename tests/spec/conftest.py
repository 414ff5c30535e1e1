"""A bank in a few lines: small tables as text, features and labels out, no Delta. Amounts in units, 1 customer by default."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from expectations.contracts import core
from features import engine, margin, spine, tiles
from features.catalogue import GROUPS, LABELS
from features.spec import Source

DAY = date(2020, 1, 1)
LONG_AGO = datetime(2020, 1, 1)
DEFAULTS: dict[str, dict[str, Any]] = {
    "customers": {"customer_key": 1, "opened_on": DAY, "status": "active", "valid_from": DAY},
    "account_parties": {"account_key": 1, "customer_key": 1, "role": "owner", "held_from": DAY, "valid_from": DAY},
    "accounts": {
        "account_key": 1, "product_code": "D01", "currency": "CNY", "opened_on": DAY, "opening_channel": "branch", "status": "active", "valid_from": DAY,
    },
    "products": {"valid_from": DAY, "is_asset": True},
    "rates": {"valid_from": DAY},
    "transactions": {
        "transaction_id": "t", "account_key": 1, "customer_key": 1, "occurred_at": LONG_AGO, "direction": "out", "currency": "CNY", "type": "purchase",
        "is_customer_initiated": True, "is_cross_border": False, "amount_base_minor": 100, "amount_minor": 100,
    },
    "balances": {"account_key": 1, "customer_key": 1, "currency": "CNY", "balance_minor": 0},
    "channel_events": {"event_id": "e", "customer_key": 1, "occurred_at": LONG_AGO, "channel": "app", "event_type": "login"},
    "credit_accounts": {
        "credit_account_id": "L1", "account_key": 9, "customer_key": 1, "kind": "loan", "product_code": "L01", "currency": "CNY", "opened_on": DAY,
        "status": "active",
    },
    "credit_instalments": {"credit_account_id": "L1", "customer_key": 1, "due_minor": 10000},
    "deposit_plans": {
        "plan_id": "P1", "account_key": 8, "customer_key": 1, "instalment_minor": 50000, "currency": "CNY", "status": "active", "started_on": DAY,
    },
    "deposit_instalments": {"plan_id": "P1", "customer_key": 1, "due_minor": 50000},
    "merges": {"valid_from": DAY},
}  # fmt: skip
CONTRACTS = {
    "customers": core.CUSTOMER, "account_parties": core.ACCOUNT_PARTY, "accounts": core.ACCOUNT, "products": core.PRODUCT, "rates": core.RATE,
    "transactions": core.TRANSACTION, "balances": core.BALANCE_DAILY, "channel_events": core.CHANNEL_EVENT, "credit_accounts": core.CREDIT_ACCOUNT,
    "credit_instalments": core.CREDIT_INSTALMENT, "deposit_plans": core.DEPOSIT_PLAN, "deposit_instalments": core.DEPOSIT_INSTALMENT,
    "merges": core.CUSTOMER_MERGE,
}  # fmt: skip
PRODUCTS = """
    product_code | family        | is_asset
    D01          | demand        | true
    T12          | term          | true
    W01          | wealth        | true
    C01          | credit_card   | false
    L01          | consumer_loan | false
"""
READERS: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat, "bigint": int, "int": int, "boolean": lambda text: text == "true", "timestamp": datetime.fromisoformat, "string": str,
}  # fmt: skip
# Columns of the text tables in units: read into minor units.
IN_UNITS = {
    "amount": "amount_base_minor", "balance": "balance_base_minor", "owed": "balance_minor", "limit": "limit_minor", "paid": "paid_minor", "due": "due_minor",
    "minimum": "minimum_payment_minor", "last_payment": "last_payment_minor",
}  # fmt: skip


def parsed(table: str, text: str) -> list[dict[str, Any]]:
    """Rows of a text table: columns of the contract, or in units; empty cells are the default."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    types = {column.name: column.type for column in CONTRACTS[table].all_columns}
    rows = []
    for cells in lines[1:]:
        row = dict(DEFAULTS[table])
        for name, cell in zip(lines[0], cells, strict=True):
            if cell == "-":
                row[name] = None
            elif cell and name in IN_UNITS:
                row[IN_UNITS[name]] = round(float(cell) * 100)
            elif cell:
                row[name] = READERS[types[name]](cell)
        rows.append(row)
    return rows


class Bank:
    """Give it tables by name, ask for features or labels: {(customer, date): row}."""

    def __init__(self, spark: SparkSession, given: dict[str, str]) -> None:
        self.spark = spark
        self.rows = {name: parsed(name, text) for name, text in ({"products": PRODUCTS} | given).items()}

    def frame(self, table: str) -> DataFrame:
        contract = CONTRACTS[table]
        columns = [c for c in contract.all_columns if c.name not in {"month", "row_hash"}]
        ddl = ", ".join(f"{c.name} {c.type}" for c in columns)
        rows = self.rows.get(table, [DEFAULTS[table]] if table in {"customers"} else [])
        return self.spark.createDataFrame([tuple(row.get(c.name) for c in columns) for row in rows], ddl)

    @property
    def rates(self) -> list[margin.Rate]:
        names = ("kind", "code", "value_ppm", "valid_from", "valid_to")
        return [margin.Rate(**{name: row.get(name) for name in names}) for row in self.rows.get("rates", [])]

    def tiles(self, source: Source) -> DataFrame:
        products = [(row["product_code"], row["family"]) for row in self.rows["products"]]
        prices = tiles.price_frame(self.spark, margin.prices(products, self.rates))
        if source.name == "transaction":
            return tiles.transaction_tiles(self.frame("transactions"))
        if source.name == "channel":
            return tiles.channel_tiles(self.frame("channel_events"), tiles.unit_cost_frame(self.spark, self.rates))
        if source.name == "balance":
            assets = tiles.account_products(self.frame("accounts"), self.frame("products"))
            return tiles.balance_tiles(self.frame("balances"), assets, prices)
        if source.name == "credit":
            return tiles.credit_tiles(self.frame("credit_accounts"), prices)
        return tiles.instalment_tiles(self.frame("credit_instalments" if source.name == "loan_instalment" else "deposit_instalments"), source)

    @property
    def core(self) -> engine.Core:
        merges = [spine.Merged(**{name: row[name] for name in ("customer_key", "survivor_key", "merged_on")}) for row in self.rows.get("merges", [])]
        return engine.Core(
            customers=self.frame("customers"), account_parties=self.frame("account_parties"), accounts=self.frame("accounts"),
            products=self.frame("products"), deposit_plans=self.frame("deposit_plans"), tiles=self.tiles,
            owners=spine.ownership_frame(self.spark, merges),
        )  # fmt: skip

    def features(self, group: str, *dates: str) -> dict[tuple[int, str], dict[str, Any]]:
        groups = [known for known in GROUPS if known.name == group]
        found = engine.features_of(self.core, [date.fromisoformat(day) for day in dates], groups).collect()
        return {(row["customer_key"], str(row["as_of_date"])): {k.partition("__")[2]: v for k, v in row.asDict().items() if "__" in k} for row in found}

    def labels(self, name: str, *dates: str, loaded: str) -> dict[tuple[int, str], dict[str, Any]]:
        label = next(known for known in LABELS if known.name == name)
        found = engine.labels_of(self.core, label, [date.fromisoformat(day) for day in dates], last_loaded=date.fromisoformat(loaded))
        return {(row["customer_key"], str(row["as_of_date"])): row.asDict() for row in found.collect()}


@pytest.fixture
def bank(spark: SparkSession) -> Callable[..., Bank]:
    """bank(transactions="day | ..."): a bank that holds these rows."""
    return lambda **given: Bank(spark, given)


@pytest.fixture
def one(bank: Callable[..., Bank]) -> Callable[..., dict[str, Any]]:
    """one(group, date, **tables): the features of customer 1 as of the date."""
    return lambda group, day, **given: bank(**given).features(group, day)[1, day]
