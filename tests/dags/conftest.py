"""Airflow's own home for these tests, set before anything imports it; the DAGs of the house, parsed once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="kequn-airflow-"))


def parse() -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=DAGS, bundle_path=DAGS, bundle_name="dags-folder")


@pytest.fixture(scope="session")
def bag() -> DagBag:
    return parse()
