"""Weekly housekeeping: small files packed, files that no version needs removed, daily feature rows past their time dropped.

Publishes nothing and changes no answer: month-ends stay, and so does what was known when.
"""

from __future__ import annotations

from airflow.sdk import DAG

from conf import settings as conf
from dags.lib import policy, tasks

with DAG(
    "kequn_maintenance", doc_md=__doc__, schedule=policy.every(conf.load().schedule.weekly), **policy.producer("weekly", "maintenance")
):
    tasks.job("maintain", f"maintain --as-of {tasks.AS_OF}")
