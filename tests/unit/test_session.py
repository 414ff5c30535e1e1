"""The session: what it spares PySpark."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from jobs import session


@pytest.mark.parametrize("name", session.LOOKED_UP_ONCE)
def test_the_jvm_is_asked_once_what_a_name_stands_for(spark: SparkSession, name: str) -> None:
    jvm = spark.sparkContext._jvm
    assert getattr(jvm, name) is getattr(jvm, name)
