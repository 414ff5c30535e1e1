"""The only place that builds a SparkSession."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from conf.settings import Settings

DELTA_JARS = ("delta-spark_4.2_2.13-4.4.0.jar", "delta-storage-4.4.0.jar")

# What gives results their meaning, or keeps every reader able to read; sizes are conf (spark.yml).
FIXED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    # Deletion vectors would lock out readers without them (design: every reader can read).
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    # Local snapshots are small: the default of 50 tasks for each costs seconds a write.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Wide feature plans: generated code beyond 100 fields would fall back to row at a time interpretation.
    "spark.sql.codegen.maxFields": "2000",
}


def delta_jars() -> list[str]:
    """Paths of Delta's jars, fetched once at set-up. Raises ConfigurationError when they are not there."""
    folder = Path(sys.prefix) / "jars"
    missing = [name for name in DELTA_JARS if not (folder / name).exists()]
    if missing:
        raise ConfigurationError(f"Delta's jars {missing} are not in [{folder}]; run `make setup`")
    return [str(folder / name) for name in DELTA_JARS]


def build(settings: Settings, *, name: str) -> SparkSession:
    """The session of this process: Delta, UTC, ANSI; sizes from settings."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = settings.spark
    sizes = {
        "spark.master": spark.master,
        "spark.app.name": f"kequn {name}",
        "spark.driver.memory": spark.driver_memory,
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.sql.files.maxPartitionBytes": f"{spark.max_partition_mb}m",
        "spark.jars": ",".join(delta_jars()),
        "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
    }
    builder = SparkSession.builder
    for key, value in {**FIXED, **sizes, **spark.options}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
