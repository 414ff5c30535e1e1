"""Customer features as of a business date, once the core tables are ready for it.

Publishes one row per open customer and feature group. Idempotent: a date that is run again appends revisions only where
values differ.
"""

from __future__ import annotations

from airflow.sdk import DAG

from dags.lib import assets, policy, tasks

with DAG("kequn_features", doc_md=__doc__, schedule=policy.after(assets.CORE_READY), **policy.rules("nightly", "features")):
    tasks.job("features", f"features --as-of {tasks.AS_OF}", outlets=[assets.FEATURES_READY])
