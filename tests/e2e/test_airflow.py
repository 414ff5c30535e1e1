"""The local Airflow as a person starts it, looks at it, asks it for dates and ends it; no job gets far without a good delivery."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from conf import settings as conf
from conf import sources
from jobs.scheduling import processes
from jobs.scheduling.services import House
from tests.fixtures.home import Home

KEQUN = (sys.executable, "-m", "jobs")
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def told(home: Home) -> Iterator[str]:
    """What `make up` said; everything is ended by `make down`."""
    assert "api-server     does not run" in home.make("status")
    said = home.make("up")
    yield said
    ended = home.make("down")
    assert all(name in ended for name in ("api-server", "dag-processor", "mlflow", "scheduler"))
    assert "runs as process" not in home.make("status")


def test_up_prints_addresses_that_answer(told: str) -> None:
    addresses = [word for line in told.splitlines() for word in line.split() if word.startswith("http://")]
    assert len(addresses) == 2
    for address in addresses:
        with OPENER.open(address, timeout=30) as page:
            assert page.status == 200


def _rejected(home: Home, *days: str) -> None:
    """Deliveries that end their ingest at once and for good: the manifests can't be read."""
    for feed, declared in sources.load("bank").feeds.items():
        for day in days if declared.group == "reference" else ():
            folder = home.path / "landing" / feed / f"business_date={day}"
            folder.mkdir(parents=True)
            (folder / "_manifest.json").write_text("{}", encoding="utf-8")


def test_a_backfill_runs_its_dates_one_after_the_other(home: Home, told: str) -> None:
    days = ["2025-12-01", "2025-12-02"]
    _rejected(home, *days)
    home.run(*KEQUN, "airflow", "backfill", "kequn_ingest", "--from", days[0], "--to", days[1])
    airflow = House(settings=conf.load("local", variables={"KEQUN_HOME": str(home.path)})).airflow

    def runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = airflow.call("GET", "/dags/kequn_ingest/dagRuns", limit=100, order_by="id")["dag_runs"]
        return found

    assert processes.wait_until(lambda: [run["state"] for run in runs()] == ["failed"] * len(days), seconds=300), runs()
    assert [(run["partition_key"], run["run_type"]) for run in runs()] == [(day, "backfill") for day in days]
    assert all(earlier["end_date"] <= later["start_date"] for earlier, later in pairwise(runs()))


def test_a_missing_date_is_found_and_asked_for(home: Home, told: str) -> None:
    dates = ("--from", "2026-01-30", "--to", "2026-01-31")
    found = home.run(*KEQUN, "airflow", "missing", *dates)
    assert [line.split() for line in found.splitlines()] == [
        ["2026-01-30", "kequn_ingest", "absent"],
        ["2026-01-31", "kequn_ingest", "absent"],
    ]
    home.run(*KEQUN, "airflow", "post", "kequn_ingest", "2026-01-30")
    asked = home.run(*KEQUN, "airflow", "missing", *dates, "--trigger")
    assert [line.split("->")[0].split()[0] for line in asked.splitlines() if "asked for" in line] == ["2026-01-31"]
    status = home.make("status")
    assert all(f"kequn_ingest       2026-01-{day}" in status for day in (30, 31))
