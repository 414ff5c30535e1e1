"""Archive the classes that a Spark session with Delta loads, so that every later JVM maps them instead of loading them.

`python -m jobs.class_archive`, once at set-up: half of the processor time of a short job is the loading of classes. The
archive belongs to this Java and these jars; the JVM passes over one that does not fit, and set-up makes it anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conf import settings as conf
from jobs import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


LIKE_INGEST = """
select *, sum(cast(is_kept as int)) over (partition by part order by day) as image, collect_list(day) over (partition by part) as starts
from (
  select /*+ broadcast(named) */ rows.*, named.word, cast(conv(substr(sha2(concat('k|', rows.text), 256), 1, 15), 16, 10) as bigint) as key,
    try_cast(case when text rlike '^-?[0-9]{1,16}(\\.[0-9]{1,2})?$' then replace(text, ',', '.') end as decimal(20,2)) as amount,
    to_utc_timestamp(try_to_timestamp(concat(day, ' 10:00:00'), 'yyyy-MM-dd HH:mm:ss'), 'Asia/Shanghai') as at,
    xxhash64(rows.text, day) as row_hash, lag(rows.text) over (partition by rows.part order by day) is null as is_kept,
    filter(array(1, 2, 3), x -> x > rows.part) as some, aggregate(array(1, 2), 0, (a, x) -> a + x) as folded,
    to_json(struct(rows.text as text, day)) as record, concat_ws(',', array_compact(array(rows.text, null))) as broken
  from rows left join (select part, max(text) as word from rows group by part) named on rows.part = named.part
)
"""


def archive() -> Path:
    """Run a session through the usual kinds of reading and writing and keep its classes. Returns the archive's path."""
    place = session.class_archive()
    draft = place.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as home:
        settings = conf.load("local", variables={"KEQUN_HOME": home})
        options = f"{settings.spark.options.get(session.JAVA_OPTIONS, '')} -XX:ArchiveClassesAtExit={draft} -Xlog:disable"
        spark = session.build(settings, name="class archive", more={session.JAVA_OPTIONS: options})
        _exercise(spark, f"{home}/table")
        _end(spark)
    draft.replace(place)
    return place


def _exercise(spark: SparkSession, place: str) -> None:
    """Write, window, aggregate, join and merge a few rows."""
    from delta.tables import DeltaTable

    rows = spark.sql("select id, id % 3 as part, cast(id as string) as text, date '2026-01-01' + cast(id as int) as day from range(10)")
    rows.write.format("delta").partitionBy("part").save(place)
    ranked = "select *, row_number() over (partition by part order by id) as nth, sum(id) over (partition by part) as total from rows"
    rows.createOrReplaceTempView("rows")
    spark.sql(ranked).join(spark.read.format("delta").load(place), on="id", how="left").groupBy("nth").count().collect()
    table = DeltaTable.forPath(spark, place)
    merge = table.alias("t").merge(rows.withColumn("text", rows.day.cast("string")).alias("s"), "t.id = s.id")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    # What conforming, checking and merging are made of.
    made = spark.sql(LIKE_INGEST).localCheckpoint()
    made.groupBy("part").agg({"image": "max", "starts": "count"}).collect()
    made.write.format("delta").mode("append").option("txnAppId", "archive").option("txnVersion", "0").save(f"{place}-ranked")
    spark.read.format("delta").load(f"{place}-ranked").where("part in (1, 2)").join(made, on="id", how="left_anti").count()
    rows.where("part = 1").write.format("delta").mode("overwrite").option("replaceWhere", "part = 1").save(place)
    spark.createDataFrame([(1, "a")], "id int, text string").write.mode("overwrite").json(f"{place}-json")
    spark.read.schema("id int, text string").json(f"{place}-json").toPandas()
    rows.write.mode("overwrite").csv(f"{place}-csv")


def _end(spark: SparkSession) -> None:
    """Stop Spark and wait for the JVM, which writes the archive when it exits."""
    gateway = spark.sparkContext._gateway  # noqa: SLF001 the only way to the process
    spark.stop()
    assert gateway is not None
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=300)


if __name__ == "__main__":
    print(f"classes archived in {archive()}")
