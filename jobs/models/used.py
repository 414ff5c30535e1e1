"""Which features a model uses and what they meant when it was trained: the content of features.json, and its check."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from features import catalogue
from features.spec import columns_of, digest_of
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from expectations.contracts.types import Table
    from features.labelling import Label
    from features.spec import Feature, FeatureGroup
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
def spec_hash(version: int, feature: Feature) -> str:
    """Hash of what one feature of a group's version means: its expression, the measures and tile columns beneath it. Titles take no part."""
    meaning = replace(feature, title="", title_zh="", description="", owner="", purposes=())
    beneath = [item.meaning for source in catalogue.SOURCES for item in source.wanted_by((feature.sql,))]
    return digest_of(version, meaning, beneath)


def tables(names: Sequence[str], groups: Sequence[FeatureGroup] | None = None) -> tuple[Table, ...]:
    """The group tables that hold the features, each once. groups: one version of each; the current ones, where nothing is said."""
    return tuple(group.table for group in catalogue.groups_of(names, groups))


def facts(names: Sequence[str]) -> dict[str, Any]:
    """group_versions: group -> version; spec_hashes: full name -> hash."""
    declared = {name: catalogue.FEATURES[name] for name in names}
    return {
        "group_versions": {group.name: group.version for group, _ in declared.values()},
        "spec_hashes": {name: spec_hash(group.version, feature) for name, (group, feature) in declared.items()},
    }


def groups(trained: Mapping[str, Any]) -> tuple[FeatureGroup, ...]:
    """One version of each group: of those that features.json names the one that the model was trained on, if it is still declared."""
    return catalogue.in_versions(trained["group_versions"])


def changed(trained: Mapping[str, Any], fed: Sequence[FeatureGroup] | None = None) -> list[str]:
    """Features of features.json that are not declared any more, or mean something else.

    fed: the groups that the model would be given; the versions that it was trained on, where nothing is said.
    """
    hashes: Mapping[str, str] = trained["spec_hashes"]
    now = {
        name: spec_hash(group.version, feature) for name, (group, feature) in columns_of(groups(trained) if fed is None else fed).items()
    }
    return sorted(name for name, was in hashes.items() if now.get(name) != was)


def refuse_changed(model: str, trained: Mapping[str, Any]) -> None:
    """Raises ConfigurationError that names the features whose meaning changed since the model was trained."""
    different = changed(trained)
    if different:
        raise ConfigurationError(
            f"Model [{model}] was trained on other definitions of {different[:5]} ({len(different)} of {len(trained['spec_hashes'])} features); "
            f"train it again, or give the changed group a new version and keep the old one"
        )
