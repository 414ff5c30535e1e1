"""Expressions of a mapping that Spark refuses: which one, why, and never the secret of the pseudonyms."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import settings as conf
from jobs.errors import ConfigurationError
from jobs.ingest import conform, landing, plan, reading
from tests.fixtures import landing as landed
from tests.fixtures.context import context_of

DAY = date(2026, 1, 31)
SECRET = "the-bank's-own-secret"
(PRODUCTS,) = (target for target in plan.targets(plan.read_mapping("bank"), "reference") if target.feed_name == "products")


@pytest.fixture
def delivered(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The context and the rows of a delivery of one product."""
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path)})
    monkeypatch.setenv(settings.source.key_secret, SECRET)
    landed.deliver(settings.landing, "products", DAY, [{"product_code": "D01", "family": "demand"}])
    found = landing.discover(settings.landing, feeds=["products"], days=[DAY], waivers=[])["products"]
    context = context_of(spark, settings)
    return context, reading.landed(context, PRODUCTS.feed, found)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("case when raw__family then", r"PARSE_SYNTAX_ERROR"),
        ("raw__famly", r"UNRESOLVED_COLUMN.*`famly`"),
        ("no_such_function(raw__family)", r"UNRESOLVED_ROUTINE.*`no_such_function`"),
    ],
)
def test_a_broken_expression_is_told_with_its_cause(delivered: Any, capfd: pytest.CaptureFixture[str], sql: str, reason: str) -> None:
    context, rows = delivered
    broken = replace(
        PRODUCTS,
        columns={**PRODUCTS.columns, "family": replace(PRODUCTS.columns["family"], sql=sql)},
        written={**PRODUCTS.written, "family": sql},
    )
    with pytest.raises(
        ConfigurationError, match=rf"column \[family\] can't be computed by \[.*\]: .*{reason}.*There are the delivered columns"
    ) as told:
        conform.conform(context, rows, broken)
    out, err = capfd.readouterr()
    assert len(out + err) < 2000, "a sentence, not a stack trace"
    assert SECRET not in f"{told.value} {told.value.__cause__} {out} {err}"


def test_no_plan_spells_the_secret(delivered: Any) -> None:
    _, rows = delivered
    assert [row["secret__"] for row in rows.collect()] == [SECRET]
    assert SECRET not in rows._jdf.queryExecution().toString()
