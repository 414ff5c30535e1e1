"""Rows that find no place in memory: on disk for a block, and removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from conf.settings import Settings
from jobs import staging
from jobs.errors import ConfigurationError


def test_staged_rows_are_the_frame_s_and_go_with_the_block(spark, settings: Settings) -> None:
    frame = spark.sql(
        "select 1L as id, date'2026-01-31' as day, cast('NaN' as double) as share, cast(null as string) as said union all select 2L, null, -0.0D, ''"
    )
    with staging.kept(frame, settings, size=staging.BYTES_IN_MEMORY + 1) as rows:
        assert rows.schema.simpleString() == frame.schema.simpleString()
        assert sorted(map(repr, rows.collect())) == sorted(map(repr, frame.collect()))
        assert [path.is_dir() for path in Path(staging.folder(settings)).iterdir()] == [True]
    assert list(Path(staging.folder(settings)).iterdir()) == []


def test_where_nothing_can_be_staged_the_place_is_told(spark, settings: Settings) -> None:
    place = Path(staging.folder(settings))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    with (
        pytest.raises(ConfigurationError, match=r"_staging/.* can't be written; check paths.warehouse"),
        staging.staged(spark.range(1), settings),
    ):
        pass


def test_what_killed_runs_staged_is_removed_in_time(spark, settings: Settings) -> None:
    assert staging.forget(spark, settings) == []
    killed, running = (Path(staging.folder(settings)) / name for name in ("killed", "running"))
    for folder in (killed, running):
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_bytes(b"rows")
    long_ago = time.time() - 3600 * (staging.HOURS_KEPT + 1)
    os.utime(killed, (long_ago, long_ago))
    assert [place.rpartition("/")[2] for place in staging.forget(spark, settings)] == ["killed"]
    assert [path.name for path in Path(staging.folder(settings)).iterdir()] == ["running"]
