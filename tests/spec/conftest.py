"""Spec pages: small tables in, features and labels out.

The page of a group shows a bank (`BANK`) and, by customer, the values of the group's features at it on a day (`WORKED`, `DAY`), worked out by
hand. What else the page tests are borders: the day that is just in and the one that is just out, and what is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.fixtures.bank import Bank


@pytest.fixture
def bank(spark: SparkSession) -> Callable[..., Bank]:
    """A bank that holds the rows of the given text tables."""
    return lambda **given: Bank(spark, given)


@pytest.fixture
def one(bank: Callable[..., Bank]) -> Callable[..., dict[str, Any]]:
    """The features of customer 1 in a group as of a date, at a bank that holds the given text tables."""
    return lambda group, day, **given: bank(**given).features(group, day)[1, day]


@pytest.fixture(scope="module")
def told(spark: SparkSession, request: pytest.FixtureRequest) -> dict[int, dict[str, Any]]:
    """What the engine tells of the page's worked values, by customer; the page has its group's name."""
    page = request.module
    rows = Bank(spark, page.BANK).features(page.__name__.rpartition("test_")[2], page.DAY)
    return {customer: {name: rows[customer, page.DAY][name] for name in values} for customer, values in page.WORKED.items()}
