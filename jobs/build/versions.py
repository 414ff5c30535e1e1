"""Versions of feature groups: which are built and may be read.

The catalogue declares the current versions and those beside them. That one was retired is a fact of ops.run: from then on
it is neither built nor read, and housekeeping removes its rows.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from features import catalogue
from jobs import ledger
from jobs.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from features.spec import FeatureGroup

RETIRE = "retire"
VERSION = re.compile(r"(?P<group>\w+)_v(?P<number>\d+)")


def named(name: str) -> FeatureGroup:
    """`rhythm`: its current version; `rhythm_v2`: that one. Raises UsageError for what is not declared, with the nearest."""
    known = {group.version_name: group for group in catalogue.versions()} | {group.name: group for group in catalogue.GROUPS}
    if name not in known:
        raise UsageError(
            f"There is no group [{name}]; nearest are {difflib.get_close_matches(name, known, n=3, cutoff=0.4)}; see `kequn features list`"
        )
    return known[name]


def retired(settings: Settings) -> frozenset[str]:
    """Names of the versions that were retired, such as `rhythm_v1`."""
    return frozenset(run["scope"] for run in ledger.finished(settings, job=RETIRE))


def built(settings: Settings) -> tuple[FeatureGroup, ...]:
    """The versions that are built: all that are declared and not retired. Raises ConfigurationError for a current one that is."""
    gone = retired(settings)
    current = [group.version_name for group in catalogue.GROUPS if group.version_name in gone]
    if current:
        raise ConfigurationError(
            f"{current} are current versions in features/catalogue.py, but were retired; declare a new version instead"
        )
    return tuple(group for group in catalogue.versions() if group.version_name not in gone)


def in_versions(settings: Settings, numbers: Mapping[str, int], *, asked_by: str) -> tuple[FeatureGroup, ...]:
    """The groups, those that are named in the version of that number. Raises UsageError for one that is kept no more."""
    if numbers.items() <= {group.name: group.version for group in catalogue.GROUPS}.items():
        return catalogue.GROUPS
    kept = {group.version_name for group in catalogue.versions()} - retired(settings)
    gone = [name for name in (f"{group}_v{number}" for group, number in numbers.items()) if name not in kept]
    if gone:
        raise UsageError(f"{asked_by} reads {gone}, which are not kept any more; there are {sorted(kept)}")
    return catalogue.in_versions(numbers)


def number_of(name: str) -> tuple[str, int]:
    """Group and number of `rhythm_v1`. Raises UsageError for another kind of name."""
    found = VERSION.fullmatch(name)
    if found is None:
        raise UsageError(f"[{name}] names no version of a group; give one as NAME_v1")
    return found["group"], int(found["number"])


def table_of(name: str) -> Table:
    """Where a version is stored, also when it is not declared any more: the contract's columns may be others."""
    return replace(catalogue.GROUPS[0].table, name=name)
