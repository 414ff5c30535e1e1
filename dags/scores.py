"""Every customer put into segments and scored by the champions as of a business date, once features are ready for it.

Segments, churn and value side by side, joined by `scored`. Without a champion a score ends with a warning and the night
goes on without that model.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, chain

from dags.lib import assets, policy, tasks

with DAG("kequn_scores", doc_md=__doc__, schedule=policy.after(assets.FEATURES_READY), **policy.rules("nightly", "scores")):
    segments = tasks.job("segments", f"segments --as-of {tasks.AS_OF}")
    scores = [tasks.job(model, f"score --model {model} --as-of {tasks.AS_OF}") for model in ("churn", "value")]
    chain([segments, *scores], EmptyOperator(task_id="scored", outlets=[assets.SCORES_READY]))
