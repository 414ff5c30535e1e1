"""Which features a model uses and what they meant when it was trained: the content of features.json, and its check."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from features import catalogue
from features.spec import digest_of
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from expectations.contracts.types import Table
    from features.labelling import Label
    from jobs.models.catalogue import Model

TEXT = "string"


def usable(model: Model) -> tuple[str, ...]:
    """Full names of the numeric features that a model may use for its purpose, in catalogue order."""
    return tuple(
        name
        for name, (group, feature) in catalogue.FEATURES.items()
        if model.purpose in feature.purposes and feature.type != TEXT and (not model.groups or group.name in model.groups)
    )


def label_of(model: Model) -> Label:
    """The label that the model learns from; outside its population the model says nothing."""
    return next(label for label in catalogue.LABELS if label.name == model.label)


@cache
def spec_hash(name: str) -> str:
    """Hash of what one feature means: its expression, the measures beneath it and their tile columns. Titles take no part.

    Raises KeyError for a feature that is not declared.
    """
    group, feature = catalogue.FEATURES[name]
    meaning = replace(feature, title="", title_zh="", description="", owner="", purposes=())
    beneath = [item.meaning for source in catalogue.SOURCES for item in source.wanted_by((feature.sql,))]
    return digest_of(group.version, meaning, beneath)


def tables(names: Sequence[str]) -> tuple[Table, ...]:
    """The group tables that hold the features, each once."""
    return tuple({catalogue.group_of(name).name: catalogue.group_of(name).table for name in names}.values())


def facts(names: Sequence[str]) -> dict[str, Any]:
    """group_versions: group -> version; spec_hashes: full name -> hash."""
    groups = {catalogue.group_of(name).name: catalogue.group_of(name).version for name in names}
    return {"group_versions": groups, "spec_hashes": {name: spec_hash(name) for name in names}}


def changed(trained: Mapping[str, Any]) -> list[str]:
    """Features of features.json that are not declared any more, or mean something else now."""
    hashes: Mapping[str, str] = trained["spec_hashes"]
    return sorted(name for name, was in hashes.items() if name not in catalogue.FEATURES or spec_hash(name) != was)


def refuse_changed(model: str, trained: Mapping[str, Any]) -> None:
    """Raises ConfigurationError that names the features whose meaning changed since the model was trained."""
    different = changed(trained)
    if different:
        raise ConfigurationError(
            f"Model [{model}] was trained on other definitions of {different[:5]} ({len(different)} of {len(trained['spec_hashes'])} features); "
            f"train it again, or give the changed group a new version and keep the old one"
        )
