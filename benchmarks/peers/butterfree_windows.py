"""Butterfree's rolling windows over events, for every customer and day; runs in Butterfree's own environment (`make bench-peers`).

argv: folder, memory of the JVM, first and last as-of date, window sizes in days. The folder holds events.parquet (customer_key, ts, values). For each line on stdin one
pass; its seconds and what was shuffled as JSON on stdout. The rows of the first go to the folder's butterfree.parquet, with the as-of date that a window's end stands for.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import sessions
from butterfree.clients import SparkClient
from butterfree.constants import DataType
from butterfree.transform.aggregated_feature_set import AggregatedFeatureSet
from butterfree.transform.features import Feature, KeyFeature, TimestampFeature
from butterfree.transform.transformations import AggregatedTransform
from butterfree.transform.utils import Function
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SPARK = {
    "spark.master": "local[2]", "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4",
    "spark.driver.host": "127.0.0.1", "spark.ui.showConsoleProgress": "false",
}  # fmt: skip


def main() -> None:
    folder, memory, first, last = Path(sys.argv[1]), sys.argv[2], date.fromisoformat(sys.argv[3]), date.fromisoformat(sys.argv[4])
    windows = [f"{days} days" for days in sys.argv[5:]]
    builder = SparkSession.builder.config("spark.driver.memory", memory)
    for name, value in SPARK.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    client = SparkClient()
    events = spark.read.parquet(str(folder / "events.parquet"))
    values = [name for name in events.columns if name not in {"customer_key", "ts"}]
    for _ in sys.stdin:
        features = [
            Feature(name=name, description=name, from_column=name, transformation=AggregatedTransform(functions=[Function(F.sum, DataType.BIGINT)]))
            for name in values
        ]  # fmt: skip
        made = AggregatedFeatureSet(
            name="rolling", entity="customer", description="rolling sums", features=features,
            keys=[KeyFeature(name="customer_key", description="customer", dtype=DataType.BIGINT)],
            timestamp=TimestampFeature(from_column="ts"), deduplicate_rows=False,  # a row that says what the one before says is a row
        ).with_windows(definitions=windows)  # fmt: skip
        before, began = sessions.shuffled(spark), time.perf_counter()
        # A window ends at midnight after the as-of date. Construction ends with a count of what it cached.
        rows = made.construct(events, client, start_date=str(first + timedelta(days=1)), end_date=str(last + timedelta(days=1)))
        seconds = time.perf_counter() - began
        told = json.dumps({"seconds": seconds, "bytes_shuffled": sessions.shuffled(spark) - before})
        if not (folder / "butterfree.parquet").exists():
            rows.withColumn("as_of_date", F.date_sub(F.to_date("timestamp"), 1)).write.parquet(str(folder / "butterfree.parquet"))
        spark.catalog.clearCache()
        print(told, flush=True)


if __name__ == "__main__":
    main()
