"""Churn and value are trained again once a month; the data scientist reads the runs in MLflow.

The last month-end is the last date whose data may be used; the run starts hours after the night that brought it. Labels
whose outcome became complete come first. A model that does not pass its gate leaves the champion where it is: the task
ends with a warning.
"""

from __future__ import annotations

from airflow.sdk import DAG

from conf import settings as conf
from dags.lib import policy, tasks

with DAG("kequn_models", doc_md=__doc__, schedule=policy.every(conf.load().schedule.monthly), **policy.producer("monthly", "models")):
    labels = tasks.job("labels", f"labels --from {tasks.LABELS_SINCE} --to {tasks.MONTH_END} --month-ends")
    for model in ("churn", "value"):
        labels >> tasks.job(f"train_{model}", f"train --model {model} --as-of {tasks.MONTH_END}")
