"""A fitted model that can score: trees, calibration, frozen bands and the facts about what it was trained on.

It is three files (trees.ubj, calibration.json, features.json): `files` and `from_files` are inverse. MLflow loads it
through `_load_pyfunc`, so that a registered model also works in a notebook.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobs.models import boosting, calibration, reasons
from jobs.models.catalogue import Kind, Model, model
from jobs.models.ranking import Numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xgboost import Booster

TREES, CALIBRATION, FEATURES = "trees.ubj", "calibration.json", "features.json"


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """scale: unit of the signed logarithm for money, 1 for a chance. medium, high: least calibrated score of the band."""

    name: str
    trees: bytes = field(repr=False)
    features: tuple[str, ...]
    calibration: calibration.Calibration
    scale: float
    medium: float
    high: float
    facts: Mapping[str, Any]

    @property
    def model(self) -> Model:
        return model(self.name)

    @cached_property
    def booster(self) -> Booster:
        return booster_of(self.trees)

    def __getstate__(self) -> dict[str, Any]:
        """What travels to an executor: the trees as bytes only."""
        return {name: value for name, value in self.__dict__.items() if name != "booster"}

    def raw(self, frame: pd.DataFrame) -> Numbers:
        """Log-odds, or money before calibration; one per row of `frame`, which has the columns `features`."""
        return self._scaled(boosting.predict(self.booster, boosting.matrix(frame, self.features)))

    def _scaled(self, raw: Numbers) -> Numbers:
        return raw if self.model.kind is Kind.CHANCE else from_signed_log(raw, self.scale)

    def predict(self, frame: pd.DataFrame) -> Numbers:
        """Calibrated probability, or expected money in base currency units."""
        return self.calibration(self.raw(frame))

    def taken_apart(self, frame: pd.DataFrame) -> tuple[Numbers, float, Numbers]:
        """Contributions rows × features, base value, and the raw score of each row: their sum, in double precision."""
        parts, base = boosting.contributions(self.booster, boosting.matrix(frame, self.features))
        return parts, base, parts.sum(axis=1) + base

    def explained(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Score, band and reasons, in the order and index of `frame`: the columns of the scores table without its key.

        The trees are walked once: the raw score is the sum of its contributions.
        """
        parts, _, raw = self.taken_apart(frame)
        score = np.round(self.calibration(self._scaled(raw)), self.model.decimals)
        told = reasons.strongest(reasons.by_reason(parts, self.features)).set_index(frame.index)
        return pd.DataFrame({self.model.score: score, self.model.band: self.bands(score)}, index=frame.index).join(told)

    def bands(self, scores: Numbers) -> list[str]:
        return list(np.select([scores >= self.high, scores >= self.medium], ["high", "medium"], "low"))

    def files(self) -> dict[str, bytes]:
        """The artefact: file name -> content."""
        numbers = {"model": self.name, "scale": self.scale, "medium": self.medium, "high": self.high, "map": self.calibration.as_json()}
        return {TREES: self.trees, CALIBRATION: _json(numbers), FEATURES: _json({**self.facts, "names": list(self.features)})}


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True, default=str).encode()


def from_files(files: Mapping[str, bytes]) -> Scorer:
    """The scorer that `files` wrote."""
    numbers, facts = json.loads(files[CALIBRATION]), json.loads(files[FEATURES])
    return Scorer(
        name=numbers["model"], trees=files[TREES], features=tuple(facts["names"]), calibration=calibration.from_json(numbers["map"]),
        scale=numbers["scale"], medium=numbers["medium"], high=numbers["high"], facts=facts,
    )  # fmt: skip


def from_folder(folder: Path) -> Scorer:
    return from_files({name: (folder / name).read_bytes() for name in (TREES, CALIBRATION, FEATURES)})


def _load_pyfunc(path: str) -> Scorer:
    """MLflow's loader: gives an object with `predict(frame)`."""
    return from_folder(Path(path))


def booster_of(trees: bytes) -> Booster:
    import xgboost

    # One thread: on an executor every task has its core, and the sum of contributions does not depend on it.
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(trees))
    return booster


def to_signed_log(amounts: Numbers, scale: float) -> Numbers:
    """asinh(amount / scale): linear near zero, logarithmic far from it, for gains and losses alike."""
    return np.asarray(np.arcsinh(amounts / scale), dtype=np.float64)


def from_signed_log(values: Numbers, scale: float) -> Numbers:
    """The amounts that `to_signed_log` compressed; beyond e^20 scales nothing is believed."""
    return np.asarray(np.sinh(np.clip(values, -20.0, 20.0)) * scale, dtype=np.float64)
