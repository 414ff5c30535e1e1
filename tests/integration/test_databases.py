"""A source system's database by JDBC, here Derby in memory: its rows land, an unchanged one changes nothing, what fails says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from conf import settings as conf
from conf import sources
from expectations.contracts import core
from jobs import tables
from jobs.context import JobContext, JobReport
from jobs.errors import ConfigurationError, DataRejectedError, InputNotReadyError
from jobs.ingest.job import ingest

DAY, NEXT = date(2025, 12, 30), date(2025, 12, 31)
ADDRESS = "jdbc:derby:memory:ledger;user=kequn;password=hush"
MAPPING: dict[str, Any] = {
    "source": "bank", "title": "Ledger", "title_zh": "总账", "time_zone": "Asia/Shanghai", "cut_off": "23:00", "base_currency": "CNY",
    "calendar": "every_day", "date_format": "yyyy-MM-dd", "time_format": "yyyy-MM-dd HH:mm:ss", "history": [{"from": DAY, "to": NEXT}],
    "tables": {
        "product": {
            "jdbc": {
                "url": "LEDGER_URL", "query": "select code, family, title, is_asset, valid_on from product where valid_on between '{since}' and '{until}'",
                "options": {"driver": "org.apache.derby.iapi.jdbc.AutoloadedDriver"},
            },
            "columns": ["code", "family", "title", "is_asset", "valid_on"],
        }
    },
    "feeds": {
        "products": {
            "group": "reference", "format": "csv", "columns": ["code", "family", "title", "is_asset"],
            "bulk": {"rows": "select * from product", "delivered_for": "cast(valid_on as date)", "of": ["product"]},
            "targets": {
                "core.product": {
                    "columns": {
                        "product_code": "code", "family": "family", "title_en": "title", "title_zh": "title", "is_asset": "try_cast(is_asset as boolean)",
                    }
                }
            },
        }
    },
}  # fmt: skip


@pytest.fixture
def say(spark: SparkSession) -> Iterator[Callable[[str], None]]:
    """Says SQL to a database of its own, which holds two products."""
    manager = spark._jvm.java.sql.DriverManager  # type: ignore[union-attr]
    spark._jvm.java.lang.Class.forName("org.apache.derby.iapi.jdbc.AutoloadedDriver")  # type: ignore[union-attr]
    connection = manager.getConnection(f"{ADDRESS};create=true")
    statement = connection.createStatement()

    def execute(sql: str) -> None:
        statement.execute(sql)

    execute("create table product (code varchar(20), family varchar(20), title varchar(40), is_asset boolean, valid_on date)")
    execute(
        f"insert into product values ('SAVE-1', 'demand', 'Savings', true, '{DAY}'), ('LOAN-1', 'consumer_loan', 'Loan', false, '{DAY}')"
    )
    yield execute
    execute("drop table product")
    connection.close()


@pytest.fixture(autouse=True)
def mapping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, Any]], None]:
    """Sets the source's mapping; the address of its database is known."""
    folder = tmp_path / "conf"
    shutil.copytree(conf.CONF, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    for load in (sources.load, sources.calendar):
        monkeypatch.setitem(load.__kwdefaults__, "folder", folder)
    monkeypatch.setenv("LEDGER_URL", ADDRESS)

    def write(content: dict[str, Any]) -> None:
        (folder / "sources" / "bank.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    write(MAPPING)
    return write


def run(context_for: Callable[..., JobContext], day: date, **more: Any) -> JobReport:
    return ingest(context_for("ingest", day, scope="reference", **more))


def products(context: JobContext) -> list[tuple[Any, ...]]:
    found = tables.current(tables.read(context, core.PRODUCT), core.PRODUCT)
    return sorted(map(tuple, found.select("product_code", "family", "title_en", "is_asset").collect()))


def test_rows_of_a_database_land_once(context_for: Callable[..., JobContext], context: JobContext, say: Callable[[str], None]) -> None:
    assert run(context_for, DAY).rows["inserted"] == 2
    assert products(context) == [("LOAN-1", "consumer_loan", "Loan", False), ("SAVE-1", "demand", "Savings", True)]
    again = run(context_for, DAY, generation=2).rows
    assert (again["rows_in"], again["unchanged"], again["inserted"]) == (2, 2, 0)
    # Only what is dated is asked for: the next day's row, not all of them again.
    say(f"insert into product values ('SAVE-1', 'demand', 'Savings plus', true, '{NEXT}')")
    assert run(context_for, NEXT).rows["rows_in"] == 1
    assert products(context)[1] == ("SAVE-1", "demand", "Savings plus", True)


def test_a_database_that_does_not_answer_is_asked_again_later(
    context_for: Callable[..., JobContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_URL", "jdbc:derby:memory:nowhere;user=kequn;password=hush")
    with pytest.raises(InputNotReadyError, match=r"Table \[product\] of \[LEDGER_URL\] can't be read: .*connect to the database") as told:
        run(context_for, DAY)
    assert "hush" not in str(told.value)


def test_an_address_that_is_not_set(context_for: Callable[..., JobContext], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEDGER_URL")
    with pytest.raises(ConfigurationError, match=r"\[LEDGER_URL\] is not set; .* table \[product\]"):
        run(context_for, DAY)


def test_other_columns_than_the_mappings(
    context_for: Callable[..., JobContext], say: Callable[[str], None], mapping: Callable[[dict[str, Any]], None]
) -> None:
    product = MAPPING["tables"]["product"]
    mapping(
        {**MAPPING, "tables": {"product": {**product, "jdbc": {**product["jdbc"], "query": "select code, family, title from product"}}}}
    )
    with pytest.raises(DataRejectedError, match=r"\[product\]: columns differ \(missing \['is_asset', 'valid_on'\], extra \[\]\)"):
        run(context_for, DAY)


def test_a_table_is_in_files_or_in_a_database(mapping: Callable[[dict[str, Any]], None]) -> None:
    mapping({**MAPPING, "tables": {"product": {**MAPPING["tables"]["product"], "files": ["product.csv"]}}})
    with pytest.raises(conf.SettingsError, match=r"\[tables.product\] .*names either `files` or `jdbc`"):
        sources.load("bank")
