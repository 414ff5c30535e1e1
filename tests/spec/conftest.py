"""Spec pages: small tables in, features and labels out."""

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
