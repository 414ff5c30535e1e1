"""Runs, versions and aliases in a real MLflow store on SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conf import settings as conf
from conf.settings import Settings
from jobs import tracking
from jobs.errors import GateError, UsageError
from jobs.models import boosting, catalogue, curves, pictures, training
from jobs.models.scorer import Scorer
from jobs.tracking import DataSet, Training

FEATURES = ("dormancy__dormant_days", "balances__aum_eod")


def planted(rows: int = 800) -> pd.DataFrame:
    random = np.random.default_rng(5)
    quiet = random.exponential(20, rows)
    return pd.DataFrame(
        {
            "dormancy__dormant_days": quiet,
            "balances__aum_eod": random.normal(size=rows),
            "actual": (random.random(rows) < quiet / 80).astype(float),
        }
    )


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    frame = planted()
    shape = boosting.Shape(objective="binary:logistic", rounds=10, depth=2, learning_rate=0.3, seed=1)
    booster = boosting.fit_in_driver(frame.assign(target=frame["actual"]), features=FEATURES, shape=shape)
    return training.calibrated(catalogue.CHURN, booster, frame=frame, features=FEATURES, scale=1.0, facts={"known_at": "2026-01-01"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One store for the module: creating its tables takes seconds."""
    return conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def trained(scorer: Scorer) -> Training:
    points = {"roc": curves.roc_points(np.arange(10.0), np.array([0, 1] * 5, dtype=float))}
    return Training(
        model="churn", fingerprint="first", parameters={"depth": 2}, metrics={"auc": 0.8},
        data_sets=[DataSet(name="train", digest="abc", rows=800, since="2024-01-31", until="2024-06-30")],
        tags={"as_of": "2025-12-31"}, files=scorer.files(), texts={"curves.json": points}, pictures=pictures.drawn(points, title="Churn"),
    )  # fmt: skip


def test_a_store_whose_making_was_killed_is_made_again(settings: Settings) -> None:
    begun = Path(settings.tracking) / "begun" / tracking.DATABASE
    code = f"from conf import settings; from jobs import tracking; tracking.prepare(settings.load('ci', variables={{'KEQUN_HOME': {str(settings.home)!r}}}))"
    making = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not (begun.exists() and begun.stat().st_size):
        assert making.poll() is None
        time.sleep(0.01)
    making.kill()
    making.wait()
    assert not (Path(settings.tracking) / tracking.DATABASE).exists()
    tracking.prepare(settings)
    assert not begun.parent.exists()
    with pytest.raises(GateError, match="champion"):
        tracking.resolve(settings, "models:/churn@champion")


def test_without_a_store_there_is_no_champion(settings: Settings) -> None:
    with pytest.raises(GateError, match=r"No model \[models:/churn@champion\].*run `kequn train --model churn"):
        tracking.resolve(settings, "models:/churn@champion")
    assert not Path(settings.tracking).exists(), "asking makes nothing"


def test_another_text_is_no_uri(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"\[churn\] is not the URI of a model"):
        tracking.resolve(settings, "churn")


def test_a_training_becomes_a_run_a_version_and_challenger(store: Settings, trained: Training, scorer: Scorer) -> None:
    registered = tracking.register(store, trained)
    assert registered.label == "0001"
    assert tracking.resolve(store, "models:/churn@challenger") == tracking.resolve(store, registered.uri)
    assert tracking.champion(store, "churn") is None, "only the gate makes a champion"

    run = tracking._client(store).get_run(registered.run_id)
    assert (run.data.params["depth"], run.data.metrics["auc"], run.data.tags["as_of"]) == ("2", 0.8, "2025-12-31")
    assert [(data.dataset.name, data.dataset.digest) for data in run.inputs.dataset_inputs] == [("train", "abc")]
    artefacts = {found.path for found in tracking._client(store).list_artifacts(registered.run_id)}
    assert {"curves.json", "roc.png"} <= artefacts

    pd.testing.assert_frame_equal(tracking.load(store, registered).explained(planted(30)), scorer.explained(planted(30)))


def test_an_equal_training_finds_its_version(store: Settings, trained: Training) -> None:
    first = tracking.register(store, trained)
    assert tracking.register(store, trained) == first
    second = tracking.register(store, replace(trained, fingerprint="second"))
    assert second.version == first.version + 1
    assert tracking.resolve(store, "models:/churn@challenger").version == second.version


def test_champion_is_moved_by_name_and_the_run_says_why(store: Settings, trained: Training) -> None:
    registered = tracking.register(store, trained)
    tracking.point(store, registered, tracking.CHAMPION)
    tracking.remark(store, registered, {"gate": "passed"})
    found = tracking.champion(store, "churn")
    assert found is not None
    assert (found.version, found.tags["gate"]) == (registered.version, "passed")
    assert tracking._client(store).get_run(registered.run_id).data.tags["gate"] == "passed"


def test_a_version_that_is_not_there(store: Settings, trained: Training) -> None:
    tracking.register(store, trained)
    for uri in ("models:/churn/99", "models:/churn@nobody", "models:/uplift@champion"):
        with pytest.raises(GateError, match=rf"No model \[{uri}\]"):
            tracking.resolve(store, uri)


def test_a_notebook_loads_the_model_by_its_uri(store: Settings, trained: Training, scorer: Scorer) -> None:
    import mlflow

    registered = tracking.register(store, trained)
    frame = planted(20)
    assert np.allclose(mlflow.pyfunc.load_model(registered.uri).predict(frame), scorer.predict(frame))


def test_features_of_a_model_are_readable_beside_it(store: Settings, trained: Training) -> None:
    import mlflow

    registered = tracking.register(store, trained)
    found = list(Path(mlflow.artifacts.download_artifacts(registered.uri)).rglob("features.json"))
    assert json.loads(found[0].read_text())["names"] == list(FEATURES)
