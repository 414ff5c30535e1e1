"""A table's contract in the Open Data Contract Standard v3.1.0, as plain dicts; jobs.docs writes them as YAML.

Only fields of 3.1.0 are used. What the standard has no field for goes into customProperties.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expectations.contracts.types import Column, RowRule, Table, Write

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = "v3.1.0"
LOGICAL_TYPES = {
    "bigint": "integer", "int": "integer", "smallint": "integer", "double": "number", "float": "number", "decimal": "number",
    "string": "string", "boolean": "boolean", "date": "date", "timestamp": "timestamp", "array": "array",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What consumers of a published table are promised. version: additive changes raise the minor, renames the major.

    legends: column -> code -> what it stands for.
    """

    table: Table
    version: str
    purpose: str
    usage: str
    limitations: str
    status: str = "active"
    ready_by: str = "07:00"
    overlap_days: int = 90
    legends: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.table.history_days is None:
            raise ValueError(f"[{self.table.full_name}] is published; give its table history_days, how long earlier versions can be read")


def document(contract: Contract) -> dict[str, Any]:
    """The whole contract, keys in the order that a person reads them."""
    table = contract.table
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"kequn:{table.full_name}",
        "name": table.title,
        "version": contract.version,
        "status": contract.status,
        "domain": "customer-intelligence",
        "dataProduct": "kequn",
        "tags": [table.layer, table.title_zh],
        "description": {"purpose": contract.purpose, "usage": contract.usage, "limitations": contract.limitations},
        "schema": [_schema(contract)],
        "team": {"name": table.owner, "description": "Owns the table and answers for its meaning"},
        "roles": [{"role": f"{table.layer}_reader", "access": "read", "description": "Reads published marts; pseudonymous keys only"}],
        "slaDefaultElement": f"{table.name}.{table.key[0]}",
        "slaProperties": _sla(contract),
        "customProperties": [
            {"property": "titleZh", "value": table.title_zh},
            {"property": "writtenAs", "value": str(table.write)},
            {"property": "changeDataFeed", "value": table.change_feed},
            {"property": "readyMarker", "value": "newest row of ops.publish_log for the table; written last"},
            {"property": "renameOverlapDays", "value": contract.overlap_days},
        ],
    }


def _sla(contract: Contract) -> list[dict[str, Any]]:
    return [
        {"property": "frequency", "value": 1, "unit": "d", "driver": "operational"},
        {"property": "latency", "value": 1, "unit": "d", "description": "Tells about the business day before", "driver": "operational"},
        {"property": "timeOfAvailability", "value": contract.ready_by, "description": "In the bank's time zone", "driver": "operational"},
        {
            "property": "retention", "value": contract.table.history_days, "unit": "d", "driver": "regulatory",
            "description": "How long earlier versions and the change feed can be read",
        },
    ]  # fmt: skip


def _schema(contract: Contract) -> dict[str, Any]:
    table = contract.table
    return {
        "name": table.name,
        "physicalName": table.full_name,
        "logicalType": "object",
        "physicalType": "table",
        "businessName": table.title,
        "description": f"{table.title} ({table.title_zh}): one row per {table.grain}",
        "dataGranularityDescription": f"one row per {table.grain}",
        "properties": [_property(contract, column) for column in table.all_columns],
        "quality": _table_quality(table),
    }


def _property(contract: Contract, column: Column) -> dict[str, Any]:
    """One column; empty parts are left out."""
    table = contract.table
    is_key = column.name in table.key
    logical = LOGICAL_TYPES[column.type.split("(")[0].split("<")[0]]
    parts = {
        "name": column.name,
        "description": column.description,
        "logicalType": logical,
        "physicalType": column.type,
        "required": not column.nullable,
        "unique": is_key and len(table.key) == 1,
        "primaryKey": is_key,
        "primaryKeyPosition": table.key.index(column.name) + 1 if is_key else None,
        "partitioned": column.name in table.partition_by or None,
        "logicalTypeOptions": _limits(column),
        "classification": str(column.sensitivity),
        "items": {"name": "item", "logicalType": "string", "physicalType": "string"} if logical == "array" else None,
        "quality": _column_quality(column),
        "customProperties": _column_customs(contract, column),
    }
    return {name: value for name, value in parts.items() if value not in (None, {}, [])}


def _limits(column: Column) -> dict[str, int]:
    return {name: limit for name, limit in (("minimum", column.minimum), ("maximum", column.maximum)) if limit is not None}


def _column_quality(column: Column) -> list[dict[str, Any]]:
    checks: list[dict[str, Any]] = []
    if not column.nullable:
        checks.append({"metric": "nullValues", "mustBe": 0, "unit": "rows", "dimension": "completeness", "severity": "error"})
    if column.one_of:
        allowed = {"validValues": list(column.one_of)}
        checks.append(
            {"metric": "invalidValues", "arguments": allowed, "mustBe": 0, "unit": "rows", "dimension": "conformity", "severity": "error"}
        )
    return checks


def _column_customs(contract: Contract, column: Column) -> list[dict[str, Any]]:
    table = contract.table
    customs: list[dict[str, Any]] = [{"property": "unit", "value": column.unit}] if column.unit else []
    if column.name in contract.legends:
        customs.append({"property": "codes", "value": dict(contract.legends[column.name])})
    technical = column.name in {added.name for added in table.added_columns}
    if table.write is Write.CHANGED and not technical and column.name not in table.key:
        customs.append({"property": "changeRaisesUpdatedAt", "value": column.is_content})
    return customs


def _table_quality(table: Table) -> list[dict[str, Any]]:
    keys = {
        "metric": "duplicateValues", "arguments": {"properties": list(table.key)}, "mustBe": 0, "unit": "rows",
        "dimension": "uniqueness", "severity": "error", "description": "The key is unique",
    }  # fmt: skip
    return [keys, *(_business_rule(table, rule) for rule in table.rules)]


def _business_rule(table: Table, rule: RowRule) -> dict[str, Any]:
    return {
        "name": rule.id, "type": "sql", "description": rule.because, "dimension": "consistency", "severity": "error",
        "query": f"select count(*) from {table.full_name} where {rule.offends}", "mustBe": 0, "unit": "rows",
    }  # fmt: skip
