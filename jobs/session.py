"""The only place that builds a SparkSession."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from conf.settings import Settings

DELTA_JARS = ("delta-spark_4.2_2.13-4.4.0.jar", "delta-storage-4.4.0.jar")

JAVA_OPTIONS = "spark.driver.extraJavaOptions"

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
    # Choosing a compression for a cached column costs more than the memory it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # Files are listed by the driver: a Spark job would take longer.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000",
    # Who called what, told to the JVM for every column made: three messages each, of which no error of ours speaks.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Each sort, join and aggregate of a stage takes a page at least: with the default (32 MB of a small driver) a wide plan
    # was refused memory that it did not need. And below half a region of the JVM's heap: of a heap of 10 GB a page of 4 MB took a region of 8 MB, and a
    # night of 200,000 customers that sorts everybody's tiles ran out of memory with half of it free.
    "spark.buffer.pageSize": "2m",
    # The JVM leaves methods of more than 8,000 bytes to its interpreter. Where all operators of a stage, compiled as one, would come to such, each is
    # compiled by itself: day tiles of a month of 200,000 customers took 9 s instead of 20.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # A wide plan has two hundred generated classes. Of the default's hundred none would still be there when it is run again, by a
    # warm JVM the night after.
    "spark.sql.codegen.cache.maxEntries": "1000",
    # What nobody looks at, without a UI: the texts and graphs of a thousand plans that were run.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.ui.retainedExecutions": "10",
    "spark.ui.retainedJobs": "10",
    "spark.ui.retainedStages": "10",
    "spark.ui.retainedTasks": "1000",
}


# What PySpark asks of the JVM by name for every column and list of columns. A name without its package is sought in eight of
# them, in each of 277 jars.
LOOKED_UP_ONCE = ("PythonUtils", "PythonSQLUtils", "org.apache.spark.sql.functions")


def delta_jars() -> list[str]:
    """Paths of Delta's jars, fetched once at set-up. Raises ConfigurationError when they are not there."""
    folder = Path(sys.prefix) / "jars"
    missing = [name for name in DELTA_JARS if not (folder / name).exists()]
    if missing:
        raise ConfigurationError(f"Delta's jars {missing} are not in [{folder}]; run `make setup`")
    return [str(folder / name) for name in DELTA_JARS]


def class_archive() -> Path:
    """Where `python -m jobs.class_archive` keeps the JVM's loaded classes."""
    return Path(sys.prefix) / "jars" / "classes.jsa"


def java_options(options: Mapping[str, str]) -> str:
    """The JVM's flags: those of conf, and the class archive where there is one, which halves what a start costs.

    An archive that does not fit (another JVM, another class path) is passed over by the JVM; it would say so on stdout.
    """
    given = options.get(JAVA_OPTIONS, "")
    archive = f"-XX:SharedArchiveFile={class_archive()} -Xlog:disable -Xlog:all=error:stderr" if class_archive().exists() else ""
    return " ".join(part for part in (given, archive) if part)


def jvm_confs(settings: Settings) -> dict[str, str]:
    """What has to be known when the JVM starts, and can't be changed in a running one."""
    return {
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.jars": ",".join(delta_jars()),
        JAVA_OPTIONS: java_options(settings.spark.options),
    }


def _silence_query_contexts() -> None:
    """PySpark logs every refused query with its stack trace: thirty thousand characters before the sentence that tells what is wrong."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def _look_up_once(spark: SparkSession) -> None:
    """PySpark does not remember what a name of the JVM stands for; to find it again was a fifteenth of its work on a small night."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001 the only way to it
    for name in LOOKED_UP_ONCE:
        setattr(jvm, name, getattr(jvm, name))


def build(settings: Settings, *, name: str, more: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process: Delta, UTC, ANSI; sizes from settings; `more` confs where a caller measures or archives."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = settings.spark
    sizes = {
        "spark.master": spark.master,
        "spark.app.name": f"kequn {name}",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.sql.files.maxPartitionBytes": f"{spark.max_partition_mb}m",
        "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
    }
    _silence_query_contexts()
    builder = SparkSession.builder
    for key, value in {**FIXED, **sizes, **spark.options, **jvm_confs(settings), **(more or {})}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    _look_up_once(session)
    return session
