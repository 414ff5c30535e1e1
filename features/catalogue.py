"""Everything that is known about a customer, in one place: groups, sources, segmentations, labels."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from features.groups import (
    activity,
    balances,
    cash_flow,
    channels,
    credit,
    deposits_recurring,
    dormancy,
    early_warning,
    holdings,
    merchant,
    rhythm,
    spend_mix,
    tenure,
    value,
)
from features.labelling import Label
from features.labels import churn_inactive_90d, value_12m
from features.months import months_of
from features.segmentation import Segmentation
from features.segments import asset_tier, behaviour, risk_value
from features.sources.balance import BALANCE
from features.sources.channel import CHANNEL
from features.sources.credit import CREDIT
from features.sources.holding import HOLDING, PLAN
from features.sources.instalment import LOAN_INSTALMENT, PLAN_INSTALMENT
from features.sources.transaction import TRANSACTION
from features.spec import Feature, FeatureGroup, Source, Wanted, columns_of, digest_of
from features.states.frames import state_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The current version of every group: what a plain name means.
GROUPS: tuple[FeatureGroup, ...] = (
    tenure.GROUP, holdings.GROUP, balances.GROUP, deposits_recurring.GROUP, activity.GROUP, spend_mix.GROUP, rhythm.GROUP, cash_flow.GROUP,
    channels.GROUP, credit.GROUP, dormancy.GROUP, value.GROUP, early_warning.GROUP, merchant.GROUP,
)  # fmt: skip
# Other versions of them, each with a table of its own: the next one while it is backfilled and compared, an earlier one as long as a
# champion uses it (docs/runbooks/a-new-version-of-a-group.md).
BESIDE: tuple[FeatureGroup, ...] = ()
SEGMENTATIONS: tuple[Segmentation, ...] = (asset_tier.SCHEME, behaviour.SCHEME, risk_value.SCHEME)
LABELS: tuple[Label, ...] = (churn_inactive_90d.SPEC, value_12m.SPEC)

OF_DAYS: tuple[Source, ...] = (TRANSACTION, BALANCE, CHANNEL, CREDIT, LOAN_INSTALMENT, PLAN_INSTALMENT, HOLDING, PLAN)
_SQL = "\n".join([*(sql for group in (*GROUPS, *BESIDE) for sql in group.sqls), *(sql for label in LABELS for sql in label.sqls)])
# Of the sources that somebody asks for by life to date.
OF_MONTHS: tuple[Source, ...] = tuple(months for source in OF_DAYS if (months := months_of(source, _SQL)).measures)
SOURCES = (*OF_DAYS, *OF_MONTHS)
TILED: tuple[Source, ...] = tuple(source for source in SOURCES if source.is_stored)
SWEPT: tuple[Source, ...] = tuple(source for source in SOURCES if source.is_swept)
WINDOW_STATE = state_table(SWEPT)

FEATURES: dict[str, tuple[FeatureGroup, Feature]] = columns_of(GROUPS)


def versions() -> tuple[FeatureGroup, ...]:
    """All that are declared: the current versions, then those beside them."""
    return (*GROUPS, *BESIDE)


def in_versions(numbers: Mapping[str, int]) -> tuple[FeatureGroup, ...]:
    """The groups, those that are named in the version of that number instead; without it where it is not declared any more."""
    wanted = {group.name: group.version for group in GROUPS} | dict(numbers)
    return tuple(group for group in versions() if group.version == wanted.get(group.name))


def groups_of(names: Sequence[str], groups: Sequence[FeatureGroup] | None = None) -> list[FeatureGroup]:
    """Those of the groups (the current ones, where nothing is said) that hold the features."""
    return [group for group in (GROUPS if groups is None else groups) if names_of(group, names)]


def names_of(group: FeatureGroup, names: Sequence[str]) -> list[str]:
    """Those of the full names that are the group's."""
    return [name for name in names if name.startswith(f"{group.name}__")]


def feature(name: str) -> Feature:
    """The feature of a full name. Raises KeyError for one that is not declared."""
    return FEATURES[name][1]


def group_of(name: str) -> FeatureGroup:
    """The group that holds the feature of a full name. Raises KeyError."""
    return FEATURES[name][0]


def reads(label: Label) -> frozenset[str]:
    """Names of the core tables that hold the facts of a label."""
    return frozenset(source.reads for source in SOURCES if source.wanted_by(label.sqls))


def wanted(source: Source, groups: tuple[FeatureGroup, ...] = GROUPS) -> tuple[Wanted, ...]:
    """The measures of a source that the groups' features are made of."""
    return source.wanted_by(tuple(sql for group in groups for sql in group.sqls))


@cache
def spec_hash(group: FeatureGroup) -> str:
    """Hash of what a group's features mean: their declarations, the measures and the tile columns beneath them."""
    beneath = [item.meaning for source in SOURCES for item in wanted(source, (group,))]
    return digest_of(group.name, group.version, group.features, beneath)
