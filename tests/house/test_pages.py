"""Spec pages: every group of features has one, and what a definition asks for is worked out on it."""

from __future__ import annotations

from features.catalogue import GROUPS
from tests.house.test_architecture import ROOT

# Pages that tell of no single group: what holds for all features, and what is made of them.
OF_ALL = {"every_feature", "without_rows", "time_and_identity", "segments", "labels"}


def test_every_group_has_its_page_and_every_page_its_group():
    pages = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "spec").glob("test_*.py")}
    assert pages == {group.name for group in GROUPS} | OF_ALL
