"""Feast's historical retrieval over exported feature rows; runs in Feast's own environment (`make bench-peers`).

argv: folder, engine (spark or duckdb), confs of a Spark session as JSON. The folder holds labels.parquet (keys, event_timestamp) and one <view>.parquet per
view (keys, event_timestamp, created, features); keys are customer_key and, in some, date_key. For each line on stdin one retrieval; its seconds (and what Spark shuffled) as JSON on stdout. The rows of the
first go to the folder's feast.parquet.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import sessions

VIEWS = "f_"
# Of a date without stored rows those of the date before are taken; a row counts from the end of its date.
MAX_AGE = timedelta(days=2)


def store(folder: Path, engine: str) -> tuple[Any, list[str]]:
    """Feast's store over the folder's views, and all their features by full name."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, types
    from feast.value_type import ValueType

    if engine == "spark":
        from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource as Source
    else:
        Source = FileSource  # noqa: N806
    config = RepoConfig(
        project="bench", provider="local", registry=str(folder / f"registry_{engine}.db"), entity_key_serialization_version=3,
        offline_store={"type": engine}, online_store=None,
    )  # fmt: skip
    keys = [name for name in pq.read_schema(folder / "labels.parquet").names if name.endswith("_key")]
    entities = [Entity(name=name.removesuffix("_key"), join_keys=[name], value_type=ValueType.INT64) for name in keys]
    views = []
    for path in sorted(folder.glob(f"{VIEWS}*.parquet")):
        names = [name for name in pq.read_schema(path).names if name not in {*keys, "event_timestamp", "created"}]
        of = {"timestamp_field": "event_timestamp", "created_timestamp_column": "created", "name": f"{path.stem}_source"}
        source = Source(path=str(path), file_format="parquet", **of) if engine == "spark" else Source(path=str(path), **of)
        schema = [*(Field(name=name, dtype=types.Int64) for name in keys), *(Field(name=name, dtype=types.Float64) for name in names)]
        views.append(FeatureView(name=path.stem, entities=entities, ttl=MAX_AGE, schema=schema, source=source))
    made = FeatureStore(config=config)
    made.apply([*entities, *views])
    return made, [f"{view.name}:{field.name}" for view in views for field in view.features]


def main() -> None:
    folder, engine, confs = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    spark = None
    if engine == "spark":
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for name, value in json.loads(confs).items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
    feast, features = store(folder, engine)
    labels = pd.read_parquet(folder / "labels.parquet")
    labels["event_timestamp"] = pd.to_datetime(labels["event_timestamp"], utc=True)
    for _ in sys.stdin:
        before, began = sessions.shuffled(spark) if spark else 0, time.perf_counter()
        job = feast.get_historical_features(entity_df=labels, features=features)
        if engine == "spark":
            job.to_spark_df().write.format("noop").mode("overwrite").save()
        else:
            job.to_arrow()
        told: dict[str, Any] = {"seconds": time.perf_counter() - began}
        if spark:
            told["bytes_shuffled"] = sessions.shuffled(spark) - before
        if not (folder / "feast.parquet").exists():
            pq.write_table(job.to_arrow(), folder / "feast.parquet")
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
