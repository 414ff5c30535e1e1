"""The only module that talks to MLflow: runs, registered versions, aliases, and scorers read back from them.

Local deployments keep runs in SQLite and artefacts in a folder, both under settings.tracking; where that is an address
of an MLflow server, the server keeps them. A training is registered once: its fingerprint is a tag of the version,
created with it, so that a training that was killed and runs again finds its version instead of making another.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import logging
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import ConfigurationError, GateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from conf.settings import Settings
    from jobs.models.scorer import Scorer

CHAMPION, CHALLENGER = "champion", "challenger"
EXPERIMENT = "kequn-{model}"
FINGERPRINT = "fingerprint"
LOADER = "jobs.models.scorer"
DATABASE = "mlflow.db"
# What a scorer needs; stated, because MLflow would otherwise import the model to find out.
REQUIREMENTS = ("numpy", "pandas", "xgboost-cpu")
URI = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d{1,9}))")  # more digits than a store counts


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version of a registered model. `label` is what score tables carry: text order is age."""

    model: str
    version: int
    run_id: str
    tags: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"{self.version:04d}"

    @property
    def uri(self) -> str:
        return f"models:/{self.model}/{self.version}"


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A set of rows that a run used: content digest, rows, first and last as-of date."""

    name: str
    digest: str
    rows: int
    since: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a run is to remember. `texts` and `pictures` are artefacts by file name; `files` are the scorer's."""

    model: str
    fingerprint: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    data_sets: Sequence[DataSet]
    tags: Mapping[str, str]
    files: Mapping[str, bytes]
    texts: Mapping[str, Any]
    pictures: Mapping[str, bytes]


# --- the store ----------------------------------------------------------------------------------------------------


def _is_local(settings: Settings) -> bool:
    return "://" not in settings.tracking


def _database(settings: Settings) -> Path:
    return Path(settings.tracking) / DATABASE


def address(settings: Settings) -> str:
    """Where MLflow keeps runs and versions: its own address, or SQLite under the home folder."""
    return f"sqlite:///{_database(settings)}" if _is_local(settings) else settings.tracking


def prepare(settings: Settings) -> None:
    """Make the local database where there is none: whole, or not at all.

    MLflow makes it by a hundred migrations, which can't be begun again half way: a process killed among them would leave a
    database that nothing can open. Raises ConfigurationError where the folder can't be written.
    """
    if not _is_local(settings) or _database(settings).exists():
        return
    mlflow = _mlflow()
    with _alone(settings):
        if _database(settings).exists():
            return
        begun = Path(settings.tracking) / "begun"
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir()
        mlflow.MlflowClient(f"sqlite:///{begun / DATABASE}").search_registered_models(max_results=1)
        (begun / DATABASE).rename(_database(settings))
        shutil.rmtree(begun)


def _client(settings: Settings) -> MlflowClient:
    prepare(settings)
    mlflow = _mlflow()
    mlflow.set_tracking_uri(address(settings))
    mlflow.set_registry_uri(address(settings))
    client: MlflowClient = mlflow.MlflowClient()
    return client


def _mlflow() -> ModuleType:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # a bank's pipeline tells nobody what it does
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two trainings that start at once must not both create the database."""
    if not _is_local(settings):
        yield
        return
    folder = Path(settings.tracking)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ConfigurationError(f"The tracking folder [{folder}] can't be written: {error.strerror}; check paths.tracking") from error


def _experiment(client: MlflowClient, settings: Settings, model: str) -> str:
    from mlflow.exceptions import MlflowException

    name = EXPERIMENT.format(model=model)
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    try:
        place = (Path(settings.tracking) / "artifacts" / model).as_uri() if _is_local(settings) else None
        return str(client.create_experiment(name, artifact_location=place))
    except MlflowException:  # somebody else was first
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return str(known.experiment_id)


# --- writing ------------------------------------------------------------------------------------------------------


def register(settings: Settings, training: Training) -> Registered:
    """Log the run, store the model, register its version as challenger; the version of an equal training if there is one."""
    client = _client(settings)
    known = _version_of_fingerprint(client, training)
    if known is None:
        run = client.create_run(_experiment(client, settings, training.model), run_name=training.fingerprint, tags=dict(training.tags))
        _log(client, run.info.run_id, training)
        known = _create_version(client, training, run.info.run_id)
        client.set_terminated(run.info.run_id)
    client.set_registered_model_alias(training.model, CHALLENGER, str(known.version))
    return known


def _version_of_fingerprint(client: MlflowClient, training: Training) -> Registered | None:
    versions = client.search_model_versions(f"name = '{training.model}'")
    same = [found for found in versions if found.tags.get(FINGERPRINT) == training.fingerprint]
    return _registered(max(same, key=lambda found: int(found.version))) if same else None


def _log(client: MlflowClient, run_id: str, training: Training) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    from jobs.context import now

    at = int(now().timestamp() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, float(value), at, 0) for name, value in sorted(training.metrics.items())],
        params=[Param(name, str(value)) for name, value in sorted(training.parameters.items())],
    )
    client.log_inputs(
        run_id,
        [
            DatasetInput(
                # MLflow keeps 36 characters of a digest.
                Dataset(
                    data.name,
                    data.digest[:36],
                    "kequn",
                    json.dumps({"from": data.since, "to": data.until}),
                    profile=json.dumps({"rows": data.rows}),
                ),
                [InputTag("mlflow.data.context", data.name)],
            )
            for data in training.data_sets
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, content in _artefacts(training):
            (Path(folder) / name).write_bytes(content)
        client.log_artifacts(run_id, folder)


def _artefacts(training: Training) -> Iterator[tuple[str, bytes]]:
    yield from training.pictures.items()
    for name, content in training.texts.items():
        yield name, json.dumps(content, indent=2, sort_keys=True, default=str).encode()


def _create_version(client: MlflowClient, training: Training, run_id: str) -> Registered:
    from mlflow.exceptions import MlflowException

    stored = _store_model(run_id, training)
    try:
        client.create_registered_model(training.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {FINGERPRINT: training.fingerprint, **training.tags}
    version = client.create_model_version(
        training.model, source=f"models:/{stored}", run_id=run_id, tags=tags, model_id=stored, await_creation_for=0
    )
    return _registered(version)


def _store_model(run_id: str, training: Training) -> str:
    """The scorer's files as a logged model that MLflow can load; its model id."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / training.model
        files.mkdir()
        for name, content in training.files.items():
            (files / name).write_bytes(content)
        with mlflow.start_run(run_id=run_id):
            stored = mlflow.pyfunc.log_model(
                name=training.model, loader_module=LOADER, data_path=str(files), pip_requirements=list(REQUIREMENTS)
            )
    return str(stored.model_id)


def point(settings: Settings, registered: Registered, alias: str) -> None:
    """Move an alias of the model to this version."""
    _client(settings).set_registered_model_alias(registered.model, alias, str(registered.version))


def remark(settings: Settings, registered: Registered, tags: Mapping[str, str]) -> None:
    """Say something about a version, on it and on its run: what the gate decided, and why."""
    client = _client(settings)
    for name, value in tags.items():
        client.set_model_version_tag(registered.model, str(registered.version), name, value)
        client.set_tag(registered.run_id, name, value)


# --- reading ------------------------------------------------------------------------------------------------------


def parts(uri: str) -> dict[str, Any]:
    """Name, and alias or version, of a URI. Raises UsageError for another kind of text."""
    found = URI.fullmatch(uri)
    if found is None:
        raise UsageError(f"[{uri}] is not the URI of a model; give models:/<name>@{CHAMPION} or models:/<name>/<version>")
    return found.groupdict()


def resolve(settings: Settings, uri: str) -> Registered:
    """The version that `models:/<name>@<alias>` or `models:/<name>/<version>` stands for.

    Raises UsageError for another kind of text, GateError (exit 50) where there is no such version.
    """
    found = parts(uri)
    version = None if _is_local(settings) and not _database(settings).exists() else _find(_client(settings), **found)
    if version is None:
        name, registered = found["name"], _registered_names(settings)
        nearest = difflib.get_close_matches(str(name), registered, n=3, cutoff=0)
        near = f", nearest of the registered are {nearest}" if nearest and name not in registered else ""
        raise GateError(
            f"No model [{uri}] in [{address(settings)}]{near}; run `kequn train --model {name} --as-of DATE`, or look why its last training did not pass the gate"
        )
    return version


def _registered_names(settings: Settings) -> list[str]:
    return (
        []
        if _is_local(settings) and not _database(settings).exists()
        else [str(one.name) for one in _client(settings).search_registered_models()]
    )


def _find(client: MlflowClient, *, name: str, alias: str | None, version: str | None) -> Registered | None:
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, str(version))
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise
    return _registered(found)


def _registered(version: ModelVersion) -> Registered:
    return Registered(model=str(version.name), version=int(version.version), run_id=str(version.run_id), tags=dict(version.tags))


def champion(settings: Settings, model: str) -> Registered | None:
    """The version in force, None when there is none yet."""
    try:
        return resolve(settings, f"models:/{model}@{CHAMPION}")
    except GateError:
        return None


def load(settings: Settings, registered: Registered) -> Scorer:
    """The scorer of a version, read from its artefact."""
    from jobs.models.scorer import from_folder

    _client(settings)
    import mlflow
    from mlflow.models import Model

    folder = Path(mlflow.artifacts.download_artifacts(registered.uri))
    flavour = Model.load(str(folder)).flavors["python_function"]
    return from_folder(folder / flavour["data"])
