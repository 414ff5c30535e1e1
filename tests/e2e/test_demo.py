"""The README's commands, run as written on a small bank: real Airflow, real Spark, real MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from expectations.contracts.types import KNOWN
from jobs.errors import ChainBrokenError
from jobs.report_page import console
from tests.fixtures import independent
from tests.fixtures.bank import CONTRACTS
from tests.fixtures.home import ROOT, Home

# As many months and customers as the models need; `make demo` as written is three times as many customers.
SMALL = "--customers 1200 --months 48"
CLASSES = ("inserted", "updated", "unchanged", "duplicates", "quarantined")

pytestmark = pytest.mark.timeout(3000)


@dataclass(frozen=True)
class Ran:
    """A home in which `make demo` has run."""

    home: Path

    def make(self, *words: str) -> str:
        return Home(self.home).make(*words)

    def rows(self, table: str) -> list[dict[str, Any]]:
        return DeltaTable(str(self.home / "warehouse" / table)).to_pyarrow_dataset().to_table().to_pylist()

    def versions(self) -> dict[str, int]:
        logs = sorted((self.home / "warehouse").glob("*/*/_delta_log"))
        return {str(log.parent.relative_to(self.home)): DeltaTable(str(log.parent)).version() for log in logs}

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.home / "reports" / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    ran = Ran(tmp_path_factory.mktemp("bank"))
    ran.make("demo", f"DEMO_ARGS={SMALL}")
    return ran


def test_every_delivered_row_is_accounted_for(bank: Ran) -> None:
    """Manifests say what was delivered; ops.delivery must know each of these rows, once, as something."""
    delivered: Counter[str] = Counter()
    for manifest in (bank.home / "landing").glob("*/*/_manifest.json"):
        said = json.loads(manifest.read_text(encoding="utf-8"))
        delivered[said["feed"]] += said["rows"]
    counted: dict[tuple[str, str], int] = Counter()
    for row in bank.rows("ops/delivery"):
        assert row["rows_in"] == sum(row[name] for name in CLASSES), row
        counted[row["feed"], row["target"]] += row["rows_in"]
    assert sum(delivered.values()) > 0
    assert dict(counted) == {(feed, target): delivered[feed] for feed, target in counted}
    assert {feed for feed, _ in counted} >= {feed for feed, rows in delivered.items() if rows}
    assert {feed["feed"]: feed["rows_in"] for feed in bank.summary["delivered"]} == {feed: delivered[feed] for feed, _ in counted}
    assert bank.summary["rows"]["rows_in"] == sum(delivered.values())


def test_the_second_night_had_faults_and_went_on(bank: Ran) -> None:
    night = [row for row in bank.rows("ops/delivery") if str(row["business_date"]) == "2026-01-02"]
    assert sum(row["quarantined"] for row in night) > 0
    assert sum(row["updated"] for row in night) > 0


def test_late_rows_of_the_second_night_correct_earlier_features_as_by_a_rebuild(bank: Ran) -> None:
    night = next(run for run in bank.rows("ops/run") if run["job"] == "features" and run["partition"] == "2026-01-02")
    assert json.loads(night["figures"])["corrections"]["dates"] == ["2025-12-31", "2026-01-01"]
    corrected = sum(count for name, count in json.loads(night["rows"]).items() if name.endswith("stored dates revised"))
    assert corrected > 0
    told = Home(bank.home).run(sys.executable, "-m", "jobs", "features", "--as-of", "2025-12-31", "--force").splitlines()
    changed = {name: count for name, count in json.loads(told[-1])["rows"].items() if count and name.startswith("features.")}
    # Tiles and states are what features are made of: those of a date that had none may come.
    assert {name: count for name, count in changed.items() if not name.startswith(("features.tile_", "features.window_state"))} == {}


def expect_what_plain_sql_tells(bank: Ran, dates: Sequence[date]) -> set[str]:
    """Of every customer the stored features are what SQL written by hand tells of core tables. Features that nobody has anything of."""
    idle = set(independent.NAMES)
    with duckdb.connect() as connection:
        for name in independent.TABLES:
            connection.register("images", DeltaTable(str(bank.home / "warehouse" / "core" / CONTRACTS[name].name)).to_pyarrow_dataset())
            current = "where known_to is null" if CONTRACTS[name].interval == KNOWN else ""
            connection.execute(f"create table {name} as from images {current}")
        for day in dates:
            stored: dict[int, dict[str, Any]] = {}
            for group, names in independent.by_group().items():
                connection.register("revisions", DeltaTable(str(bank.home / "warehouse" / "features" / f"{group}_v1")).to_pyarrow_dataset())
                newest = f"from revisions where as_of_date = date '{day}' qualify revision = max(revision) over (partition by customer_key)"
                told = connection.sql(f"select customer_key, {', '.join(names)} from ({newest}) where row_hash is not null").fetchall()
                for key, *values in told:
                    stored.setdefault(key, {}).update(zip(names, values, strict=True))
            assert independent.differing(independent.features(connection, day), stored) == {}, day
            idle -= {name for mine in stored.values() for name, value in mine.items() if value}
    return idle


def test_stored_features_are_what_plain_sql_tells_of_core_tables(bank: Ran) -> None:
    """At a month-end, on a date that was corrected, and on the last night, which rolled the states of the one before."""
    idle = expect_what_plain_sql_tells(bank, [date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 2)])
    # Merchants and cash that is split are rare: tests/oracle/test_in_duckdb.py has them.
    assert {name for name in idle if not name.startswith(("merchant__", "early_warning__split"))} == set()


@pytest.mark.full
def test_stored_features_of_a_larger_bank_are_what_plain_sql_tells(tmp_path: Path) -> None:
    larger = Ran(tmp_path / "larger")
    larger.make("demo", "DEMO_ARGS=--customers 2000 --months 48")
    month_ends = [date(year, month, 28) + timedelta(days=3) for year in (2023, 2024, 2025) for month in (1, 3, 5, 7, 8, 10, 12)]
    assert expect_what_plain_sql_tells(larger, [date(2024, 2, 29), *month_ends, date(2026, 1, 1), date(2026, 1, 2)]) < set(
        independent.NAMES
    )


def test_every_open_customer_is_scored_segmented_and_published(bank: Ran) -> None:
    last = "2026-01-02"
    published = {row["customer_key"] for row in bank.rows("mart/customer_360")}
    assert len(published) > 100
    for model in ("churn", "value"):
        scored = [row["customer_key"] for row in bank.rows(f"scores/{model}") if str(row["as_of_date"]) == last]
        assert sorted(scored) == sorted(published)
    schemes: dict[str, list[int]] = {}
    for row in bank.rows("features/segment_daily"):
        if str(row["as_of_date"]) == last:
            schemes.setdefault(row["scheme"], []).append(row["customer_key"])
    assert set(schemes) == {"asset_tier", "behaviour", "risk_value"}
    assert all(sorted(keys) == sorted(published) for keys in schemes.values())


def test_both_models_learn_from_months_13_to_18_and_are_tested_at_36(bank: Ran) -> None:
    """Of 48 months, January 2022 to December 2025; a value's outcome takes twelve of them, and churn is shown on the same."""
    trained = {row["scope"]: json.loads(row["figures"])["snapshots"] for row in bank.rows("ops/run") if row["job"] == "train"}
    assert set(trained) == {"churn", "value"}
    for months in trained.values():
        assert (months["train"][0], months["train"][-1], len(months["train"])) == ("2023-01-31", "2023-06-30", 6)
        assert (months["calibrate"][-1], months["test"]) == ("2023-12-31", ["2024-12-31"])


def test_the_report_stands_alone(bank: Ran) -> None:
    page = (bank.home / "reports" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 5
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert bank.summary


def test_the_notebook_goes_from_features_to_a_model(bank: Ran) -> None:
    words = (sys.executable, "-m", "tests.fixtures.notebook", "docs/notebooks/training_set.ipynb")
    variables = {**os.environ, "KEQUN_HOME": str(bank.home), "KEQUN_ENV": "demo", "MPLBACKEND": "agg"}
    ran = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["rows"] == told["spine"] > 10_000
    assert told["auc"] > max(told["rule"], 0.7)
    assert (bank.home / "reports" / "training_set.png").stat().st_size > 10_000


def test_a_second_demo_changes_nothing(bank: Ran) -> None:
    before = bank.versions()
    (bank.home / "reports" / "summary.json").unlink()  # is told again, of what there is
    bank.make("demo", f"DEMO_ARGS={SMALL}")
    said = bank.make("demo", f"DEMO_ARGS={SMALL}")
    assert "nothing to do" in said
    assert set(console.lines(bank.summary)) <= set(said.splitlines())
    assert bank.versions() == before


def test_a_demo_of_which_a_task_fails_says_which_and_ends_non_zero(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "account.asc").write_text("not;the;header\n", encoding="utf-8")
    demo = (sys.executable, "-m", "jobs", "demo", "--source", "berka", "--data", str(data))
    kept = {name: value for name, value in os.environ.items() if name != "KEQUN_ENV"}
    ran = subprocess.run(demo, cwd=ROOT, env={**kept, "KEQUN_HOME": str(tmp_path / "home")}, capture_output=True, text=True, check=False)
    assert ran.returncode == ChainBrokenError.exit_code == 1
    assert "the task [reference.ingest] of [kequn_history]" in ran.stderr
    assert "[account.asc]" in ran.stderr  # what the task itself said
    assert "Airflow ends" in ran.stdout
    assert not (tmp_path / "home" / "reports").exists()


@pytest.mark.full
def test_berka_by_the_same_dags(berka: Path, tmp_path: Path) -> None:
    """Both transaction files, 49,102 + 30,200 rows; nothing lost."""
    ran = Ran(tmp_path / "berka")
    said = ran.make("demo", "SOURCE=berka", f"DATA={os.path.relpath(berka, ROOT)}").splitlines()
    told: dict[tuple[str, str, str], int] = {}  # the night tells its date again: the same rows, all of them unchanged
    for row in ran.rows("ops/delivery"):
        assert row["rows_in"] == sum(row[name] for name in CLASSES), row
        assert told.setdefault((row["feed"], row["target"], str(row["business_date"])), row["rows_in"]) == row["rows_in"]
    counted: dict[str, int] = Counter()
    for (feed, target, _), rows in told.items():
        counted[f"{feed} -> {target}"] += rows
    assert counted["transactions -> core.transaction"] == 49_102 + 30_200
    assert counted["customers -> core.customer"] == 5_369
    assert counted["loans -> core.credit_account"] == 682
    assert counted["standing_orders -> core.standing_order"] == 6_471
    assert counted["cards -> core.debit_card"] == 892
    assert {f"{feed['feed']} -> {feed['target']}": feed["rows_in"] for feed in ran.summary["feeds"]} == counted
    assert {feed["feed"]: feed["rows_in"] for feed in ran.summary["delivered"]}["transactions"] == 49_102 + 30_200
    assert all(feed["reconciled"] for feed in ran.summary["feeds"])
    assert set(console.lines(ran.summary)) <= set(said)
    months = {str(row["as_of_date"])[:7] for row in ran.rows("features/activity_v1")}
    early = {"1993-12", "1994-01", "1994-02", "1994-03"}
    late = {f"{year}-{month:02d}" for year in (1995, 1996, 1997, 1998) for month in range(1, 13)} - {
        "1998-12",
        *(f"1995-{m:02d}" for m in range(1, 5)),
    }
    assert months == early | late
    assert len(ran.rows("mart/customer_360")) > 5_000
