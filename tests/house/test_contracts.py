"""The catalogue of tables is itself under test: every table is described, owned, keyed, and readable by everybody."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from expectations import contracts
from expectations.contracts.types import Table

MODULES = [importlib.import_module(f"expectations.contracts.{module.name}") for module in pkgutil.iter_modules(contracts.__path__)]
TABLES = {table.full_name: table for module in MODULES for table in getattr(module, "TABLES", ())}


def test_there_are_tables() -> None:
    assert len(TABLES) > 20


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_table_is_described(table: Table) -> None:
    assert table.title
    assert any("\u4e00" <= letter <= "\u9fff" for letter in table.title_zh), "a title in Chinese"
    assert table.grain
    assert table.owner
    assert table.key
    assert [column.name for column in table.all_columns if not column.description] == []


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_rule_ids_are_unique_within_a_table(table: Table) -> None:
    ids = [rule.id for rule in table.row_rules]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_identities_stay_in_restricted_tables(table: Table) -> None:
    personal = {"full_name", "id_number", "mobile", "source_id"}
    assert table.restricted or not personal & set(table.column_names)
