"""What every DAG of the house has in common: owner, tags, retries, limits, how late is late."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    CronPartitionTimetable,
    DeadlineAlert,
    DeadlineReference,
    PartitionedAssetTimetable,
    StartOfDayMapper,
    SyncCallback,
)

from conf import settings as conf
from dags.lib.assets import OWNER

if TYPE_CHECKING:
    from airflow.sdk import Asset

KEY_FORMAT = "%Y-%m-%d"
LATE_FILE = "late.jsonl"


def report_late(**about: Any) -> None:
    """Told by the scheduler when a run is not done in time: one line in the reports' folder and one in the log."""
    run = about["context"]["dag_run"]
    line = json.dumps({"dag": run["dag_id"], "run": run["dag_run_id"], "key": run.get("partition_key"), "minutes": about["minutes"]})
    logging.getLogger(__name__).error("late: %s", line)
    reports = conf.load().reports
    reports.mkdir(parents=True, exist_ok=True)
    with (reports / LATE_FILE).open("a", encoding="utf-8") as late:
        late.write(line + "\n")


def rules(*tags: str) -> dict[str, Any]:
    """The arguments that every DAG is made with. Runs of one DAG follow one another: tables keep the order of dates."""
    schedule = conf.load().schedule
    return {
        "tags": ["kequn", *tags],
        "start_date": datetime.fromisoformat(schedule.start_date).replace(tzinfo=UTC),
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,  # a paused consumer loses events
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(minutes=schedule.deadline_minutes),
            callback=SyncCallback(report_late, kwargs={"minutes": schedule.deadline_minutes}),
        ),
        "default_args": {
            "owner": OWNER,
            "retries": schedule.retries,
            "retry_delay": timedelta(seconds=schedule.retry_delay_seconds),
            "execution_timeout": timedelta(minutes=schedule.task_timeout_minutes),
        },
    }  # fmt: skip


def producer(*tags: str) -> dict[str, Any]:
    """The same for a DAG that makes its own runs. Where the profile's schedule is not active an end in the past keeps it
    from that, and dates are posted.
    """
    schedule = conf.load().schedule
    ends = {} if schedule.active else {"end_date": datetime.fromisoformat(schedule.start_date).replace(tzinfo=UTC)}
    return {**rules(*tags), **ends}


def every(cron: str, *, offset: int = 0) -> CronPartitionTimetable:
    """A producer's schedule: the tick's date is the partition key; offset -1: of the tick before, when the day is over."""
    return CronPartitionTimetable(cron, timezone="UTC", run_offset=offset, key_format=KEY_FORMAT)


def after(asset: Asset) -> PartitionedAssetTimetable:
    """A consumer's schedule: once per business date for which the asset was sent. The mapper makes bad keys refused."""
    return PartitionedAssetTimetable(assets=asset, default_partition_mapper=StartOfDayMapper(input_format=KEY_FORMAT))
