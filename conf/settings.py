"""Settings: values that differ by environment, read once, frozen, unknown and missing keys refused.

`load("local")` merges conf/base/*.yml with conf/env/local.yml. An environment may only override keys that base has
(maps named `options` are open). Where a deployment lives is told by three variables, read here and nowhere else:
KEQUN_HOME (folder of landing, warehouse, tracking), KEQUN_SOURCE (mapping in conf/sources), KEQUN_LANDING (landing zone
or the folder of a bulk source).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

CONF = Path(__file__).parent
OPEN_MAPS = frozenset({"options"})


# The one in C, where libyaml is there: twenty times as fast, and every command reads ten files before it does anything.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SettingsError(Exception):
    """The settings can't be used: which file, which key, what was available."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Paths(_Part):
    home: Path
    landing: str
    warehouse: str
    tracking: str
    reports: str
    locks: str


class Source(_Part):
    mapping: str
    key_secret: str
    allow_development_key: bool


class Spark(_Part):
    master: str
    driver_memory: str
    shuffle_partitions: int
    max_partition_mb: int
    warm_jvms: int
    options: Mapping[str, str]


class Quality(_Part):
    quarantined_share_stop: float
    quarantined_share_warn: float
    quarantined_rows_free: int
    volume_ratio_low: float
    volume_ratio_high: float
    volume_history_days: int
    freshness_days: int
    mart_row_ratio_low: float
    mart_row_ratio_high: float


class Gate(_Part):
    churn_auc_min: float
    churn_top_decile_lift_min: float
    churn_calibration_error_max: float
    value_gini_min: float
    value_total_ratio_low: float
    value_total_ratio_high: float
    tolerance: float


class Models(_Part):
    trainer: str
    seed: int
    rounds: int
    depth: int
    learning_rate: float
    minimum_positives: int
    snapshots_train: int
    snapshots_calibrate: int
    outcome_days_at_least: int
    gate: Gate


class Schedule(_Part):
    start_date: str
    nightly: str
    monthly: str
    weekly: str
    retries: int
    retry_delay_seconds: int
    deadline_minutes: int
    task_timeout_minutes: int
    submit: str
    active: bool


class Publish(_Part):
    control_group_salt: str
    control_group_share: float


class Retention(_Part):
    daily_rows_days: int
    data_docs_partitions: int
    vacuum_hours: int
    optimize_min_files: int


class Settings(_Part):
    """One environment's values. Locations are absolute."""

    environment: str
    paths: Paths
    source: Source
    spark: Spark
    quality: Quality
    models: Models
    schedule: Schedule
    publish: Publish
    retention: Retention

    @property
    def home(self) -> Path:
        return self.paths.home.absolute()

    def _under_home(self, place: str) -> str:
        return place if "://" in place else str(self.home / place)

    @property
    def landing(self) -> Path:
        return Path(self._under_home(self.paths.landing))

    @property
    def warehouse(self) -> str:
        return self._under_home(self.paths.warehouse)

    @property
    def tracking(self) -> str:
        return self._under_home(self.paths.tracking)

    @property
    def reports(self) -> Path:
        return Path(self._under_home(self.paths.reports))

    @property
    def locks(self) -> Path:
        return Path(self._under_home(self.paths.locks))


def environments() -> list[str]:
    """Names of the environments that conf/env holds."""
    return sorted(path.stem for path in (CONF / "env").glob("*.yml"))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's map. Raises SettingsError when it is not one."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 it is the safe one
    except yaml.YAMLError as error:
        raise SettingsError(f"[{path.name}] is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"[{path.name}] must hold a map of keys, found [{type(content).__name__}]")
    return content


def merge(base: dict[str, Any], override: dict[str, Any], *, where: str) -> dict[str, Any]:
    """`base` with `override` laid over it; a key that base does not have is an error that lists what there is."""
    merged = dict(base)
    for key, value in override.items():
        if key not in base:
            raise SettingsError(f"[{where}] overrides the unknown key [{key}]; base has {sorted(base)}")
        below = isinstance(base[key], dict) and isinstance(value, dict)
        if below and key in OPEN_MAPS:
            merged[key] = {**base[key], **value}
        elif below:
            merged[key] = merge(base[key], value, where=f"{where}: {key}")
        else:
            merged[key] = value
    return merged


def _base(folder: Path) -> dict[str, Any]:
    base: dict[str, Any] = {}
    for path in sorted((folder / "base").glob("*.yml")):
        content = read_yaml(path)
        repeated = sorted(set(base) & set(content))
        if repeated:
            raise SettingsError(f"[base/{path.name}] repeats {repeated}, which another file of base sets")
        base |= content
    return base


def _deployment(variables: Mapping[str, str]) -> dict[str, Any]:
    paths = {key: variables[name] for key, name in (("home", "KEQUN_HOME"), ("landing", "KEQUN_LANDING")) if variables.get(name)}
    if "landing" in paths:
        paths["landing"] = str(Path(paths["landing"]).absolute())
    source = {"mapping": variables["KEQUN_SOURCE"]} if variables.get("KEQUN_SOURCE") else {}
    return {key: value for key, value in (("paths", paths), ("source", source)) if value}


def load(environment: str | None = None, *, folder: Path = CONF, variables: Mapping[str, str] | None = None) -> Settings:
    """The settings of an environment (default: KEQUN_ENV, else local). Raises SettingsError."""
    variables = os.environ if variables is None else variables
    name = environment or variables.get("KEQUN_ENV") or "local"
    path = folder / "env" / f"{name}.yml"
    if not path.exists():
        raise SettingsError(f"No environment [{name}] in conf/env; there are {sorted(p.stem for p in path.parent.glob('*.yml'))}")
    merged = merge(_base(folder), read_yaml(path), where=f"env/{path.name}")
    merged = merge(merged, _deployment(variables), where="environment variables")
    try:
        return Settings(environment=name, **merged)
    except (ValidationError, TypeError) as error:
        raise SettingsError(f"Settings of [{name}] can't be used: {error}") from error
