"""Every command of the README exists, and is run by a test (named here), as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_BY = {
    "make demo": "tests/e2e/test_demo.py: fixture bank",
    "make test": ".ci/run",
    "make up": "tests/e2e/test_airflow.py: fixture told",
    "make status": "tests/e2e/test_airflow.py: fixture told",
    "make down": "tests/e2e/test_airflow.py: fixture told",
    ".venv/bin/kequn airflow backfill kequn_ingest --from 2025-12-01 --to 2025-12-02": (
        "tests/e2e/test_airflow.py: test_a_backfill_runs_its_dates_one_after_the_other"
    ),
    "make demo SOURCE=berka DATA=../shared/data/berka": "tests/e2e/test_demo.py: test_berka_by_the_same_dags",
    "make help": "test_help_lists_every_target",
    ".venv/bin/kequn training-set --spine features.label_churn_inactive_90d --features models:/churn@champion --purpose marketing --out churn.parquet": (
        "tests/integration/test_train_and_score.py: test_a_set_is_drawn_with_the_features_of_a_model"
    ),
    ".venv/bin/kequn features search login": "test_the_catalogue_can_be_looked_through",
    ".venv/bin/kequn features show channels__login_gap_days": "test_the_catalogue_can_be_looked_through",
}


def _commands() -> set[str]:
    fenced = [line.split("#")[0].strip() for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    inline = re.findall(r"`((?:make|\.venv/bin/kequn|kequn) [^`]*)`", README)
    return {command for command in (*fenced, *inline) if command}


def test_every_command_is_run_by_a_test() -> None:
    assert _commands() == set(RUN_BY)


def test_the_tests_that_run_them_are_there() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for told in RUN_BY.values():
        place, _, name = told.rpartition(": ")
        text = (ROOT / place).read_text(encoding="utf-8") if place else here
        assert (ROOT / name).exists() or f"def {name.removeprefix('fixture ')}(" in text, told


@pytest.mark.parametrize(("summary", "code"), [("3 passed in 0.1s", 0), ("1 failed, 2 passed in 0.1s", 1)])
def test_ci_runs_make_test_and_ends_with_the_summary(tmp_path: Path, summary: str, code: int) -> None:
    """Make says of a target that failed that it did: after the summary, which must be the last line whatever came out."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "Makefile").write_text(f"test:\n\t@echo progress >&2; echo '{summary}'; exit {code}\n", encoding="utf-8")
    # The make that runs these tests would make of this one a part of its own, which says what folder it enters.
    alone = {name: value for name, value in os.environ.items() if name not in {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}}
    ran = subprocess.run([tmp_path / ".ci" / "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=alone, text=True, check=False)
    assert ran.stdout.splitlines() == ["progress", summary]
    assert (ran.returncode != 0) == (code != 0)


def test_the_catalogue_can_be_looked_through() -> None:
    for command in (command for command in RUN_BY if command.startswith(".venv/bin/kequn features ")):
        words = [str(Path(sys.executable).with_name("kequn")), *command.split()[1:]]
        shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "channels__login_gap_days" in shown


def test_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(targets) > 10
    assert [target for target in targets if f"make {target}" not in shown] == []


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"
