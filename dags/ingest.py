"""Feeds of a business date become core tables.

Reference data first (owners, currencies and rates come from it), then channel, transactions and credit side by side;
`seal` joins them and says that the core tables are ready for the date. Starts when the day is over. A missing feed is
tried again; a rejected one stops the night and wakes the data engineer on duty.
"""

from __future__ import annotations

from airflow.sdk import DAG

from conf import settings as conf
from dags.lib import assets, policy, tasks

with DAG(
    "kequn_ingest", doc_md=__doc__, schedule=policy.every(conf.load().schedule.nightly, offset=-1), **policy.producer("nightly", "core")
):
    tasks.ingest(f"--as-of {tasks.AS_OF}", outlets=(assets.CORE_READY,))
