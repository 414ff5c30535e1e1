"""A bank's history taken in at once: one run for a range of business dates, not a run per night. Started by hand.

Give `first` and `last`, the business dates of the delivered history, and `features_first` and `features_last`, between
which month-ends get features, segments and labels. A history with a gap is one run for each covered period.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from dags.lib import policy, tasks

DATES = ("first", "last", "features_first", "features_last")

with DAG(
    "kequn_history",
    doc_md=__doc__,
    schedule=None,
    params={name: Param(type="string", format="date", title=name) for name in DATES},
    **policy.rules("manual", "core", "features"),
):
    seal = tasks.ingest("--from {{ params.first }} --to {{ params.last }}")
    month_ends = "--from {{ params.features_first }} --to {{ params.features_last }} --month-ends"
    features = tasks.job("features", f"features {month_ends}")
    segments = tasks.job("segments", f"segments {month_ends}")
    labels = tasks.job("labels", f"labels {month_ends}")
    seal >> features >> [segments, labels]
