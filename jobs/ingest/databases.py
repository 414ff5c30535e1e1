"""Tables of a source system's database, read by JDBC: the rows that a query gives for the dates that are asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError, InputNotReadyError
from jobs.ingest.files import different_columns
from jobs.ingest.refusal import Breach, DeliveryRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame, SparkSession

    from conf.sources import BulkTable, Jdbc


def read(spark: SparkSession, name: str, table: BulkTable, days: Sequence[date]) -> DataFrame:
    """Grain: row of the table's query; every column as text, by name.

    Raises ConfigurationError where the address is not set, InputNotReadyError where the database does not answer, DeliveryRejectedError
    for other columns than the mapping's. None of them tells the address: it may hold a password.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F

    assert table.jdbc is not None
    query = table.jdbc.query.replace("{since}", str(days[0])).replace("{until}", str(days[-1]))
    options = {**table.jdbc.options, "url": _address(name, table.jdbc), "dbtable": f"({query}) asked"}
    try:
        frame = spark.read.format("jdbc").options(**options).load()
    except (PySparkException, Py4JJavaError) as error:
        raise InputNotReadyError(
            f"Table [{name}] of [{table.jdbc.url}] can't be read: {_cause(error, options['url'])}. Asked: [{query}]"
        ) from None
    # Databases write names in capitals or small letters, as they please.
    problems = different_columns(sorted(column.lower() for column in frame.columns), sorted(column.lower() for column in table.columns))
    if problems:
        breaches = [Breach(rule=rule, said=f"[{name}]: {said}") for rule, said in problems]
        raise DeliveryRejectedError("; ".join(one.said for one in breaches), breaches)
    return frame.select(*(F.col(column).cast("string").alias(column) for column in table.columns))


def _address(name: str, jdbc: Jdbc) -> str:
    address = os.environ.get(jdbc.url)
    if not address:
        raise ConfigurationError(
            f"[{jdbc.url}] is not set; the environment variable holds the JDBC address that table [{name}] is read from"
        )
    return address


def _cause(error: Exception, address: str) -> str:
    """The first lines that say why, without the address."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return " ".join(lines[:2]).replace(address, "…")
