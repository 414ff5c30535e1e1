"""Customer features and segments as of a business date, once the core tables are ready for it.

Publishes one row per open customer and feature group, then one segment per customer and scheme. Idempotent: a date that
is run again appends revisions only where values differ.
"""

from __future__ import annotations

from airflow.sdk import DAG

from dags.lib import assets, policy, tasks

with DAG("kequn_features", doc_md=__doc__, schedule=policy.after(assets.CORE_READY), **policy.rules("nightly", "features")):
    features = tasks.job("features", f"features --as-of {tasks.AS_OF}")
    segments = tasks.job("segments", f"segments --as-of {tasks.AS_OF}", outlets=[assets.FEATURES_READY])
    features >> segments
