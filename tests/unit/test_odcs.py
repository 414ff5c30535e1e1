"""The generated contracts are valid ODCS v3.1.0 and say what the tables say."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from conf import settings as conf
from expectations.contracts import mart, odcs
from jobs import maintain, writes_commit

ONLY_IN_3_2 = {"context", "enum", "semanticType", "map"}


def _standard() -> Draft201909Validator:
    schema = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    return Draft201909Validator(json.loads(schema))


def _names(found: object) -> set[str]:
    if isinstance(found, dict):
        return set(found) | {name for value in found.values() for name in _names(value)}
    if isinstance(found, list):
        return {name for value in found for name in _names(value)}
    return set()


@pytest.fixture(params=mart.CONTRACTS, ids=lambda contract: contract.table.name)
def contract(request: pytest.FixtureRequest) -> odcs.Contract:
    found: odcs.Contract = request.param
    return found


@pytest.fixture
def document(contract: odcs.Contract) -> dict[str, Any]:
    return odcs.document(contract)


def test_keeps_the_standards_schema(document: dict[str, Any]) -> None:
    assert [error.message for error in _standard().iter_errors(document)] == []
    assert OpenDataContractStandard(**document).apiVersion == "v3.1.0"


def test_uses_nothing_that_came_after_3_1(document: dict[str, Any]) -> None:
    assert not _names(document) & ONLY_IN_3_2


def test_a_misspelt_key_is_seen(document: dict[str, Any]) -> None:
    """The validation above is able to fail."""
    assert list(_standard().iter_errors({**document, "slaPropertys": []}))


def test_every_stored_column_is_promised_in_order(contract: odcs.Contract, document: dict[str, Any]) -> None:
    properties = document["schema"][0]["properties"]
    assert [found["name"] for found in properties] == list(contract.table.column_names)
    assert [found["name"] for found in properties if found.get("primaryKey")] == list(contract.table.key)
    assert {found["name"] for found in properties if found.get("required")} == {
        c.name for c in contract.table.all_columns if not c.nullable
    }


def test_every_business_rule_is_a_quality_check(contract: odcs.Contract, document: dict[str, Any]) -> None:
    names = {check.get("name") for check in document["schema"][0]["quality"]}
    assert {rule.id for rule in contract.table.rules} <= names


def test_what_is_promised_of_earlier_versions_is_what_is_kept(contract: odcs.Contract, document: dict[str, Any]) -> None:
    (days,) = [promise["value"] for promise in document["slaProperties"] if promise["property"] == "retention"]
    assert maintain.vacuum_hours(conf.load("ci"), contract.table) >= 24 * days
    properties = writes_commit.configuration(contract.table)
    assert {properties[f"delta.{name}RetentionDuration"] for name in ("log", "deletedFile")} == {f"interval {days} days"}


def test_a_contract_without_a_time_for_earlier_versions_is_refused(contract: odcs.Contract) -> None:
    with pytest.raises(ValueError, match=rf"\[{contract.table.full_name}\].*history_days"):
        replace(contract, table=replace(contract.table, history_days=None))


def test_every_published_table_has_a_contract() -> None:
    assert [contract.table for contract in mart.CONTRACTS] == list(mart.TABLES)
