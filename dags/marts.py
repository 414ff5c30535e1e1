"""The nightly tables that other systems read, published as of a business date once scores are ready for it.

Rows change only where their content did; a table that came out too short is not published and wakes the data engineer on
duty. A date that is loaded again after later ones were published changes no mart. Then the page that shows the night.
"""

from __future__ import annotations

from airflow.sdk import DAG

from dags.lib import assets, policy, tasks

with DAG("kequn_marts", doc_md=__doc__, schedule=policy.after(assets.SCORES_READY), **policy.rules("nightly", "marts")):
    publish = tasks.job("publish", f"publish --as-of {tasks.AS_OF} --unless-past", outlets=[assets.MARTS_READY])
    report = tasks.job("report", f"report --from {tasks.AS_OF} --to {tasks.AS_OF}")
    publish >> report
