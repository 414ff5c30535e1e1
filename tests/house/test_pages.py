"""Spec pages: every group of features has one, and what the definitions ask for is worked out on it."""

from __future__ import annotations

from importlib import import_module
from inspect import getsource

from features.catalogue import FEATURES, GROUPS
from tests.house.definitions import DEFINITIONS
from tests.house.test_architecture import ROOT

# Pages that tell of no single group: what holds for all features, and what is made of them.
OF_ALL = {"every_feature", "without_rows", "time_and_identity", "segments", "labels"}
FOUND = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "spec").glob("test_*.py")}
PAGES = {group.name: import_module(f"tests.spec.test_{group.name}") for group in GROUPS if group.name in FOUND}
# Full names of features for which some page expects a value that is neither null nor zero.
WORKED = {
    f"{group}__{name}" for group, page in PAGES.items() for values in page.WORKED.values() for name, value in values.items() if value not in (None, 0)
}  # fmt: skip
# A definition over more features than these is one for many categories: some of them are worked out.
MANY = 7


def test_every_group_has_its_page_and_every_page_its_group():
    assert {group.name for group in GROUPS} | OF_ALL == FOUND


def test_what_is_worked_out_is_held_against_what_the_engine_tells():
    (said,) = {getsource(page.test_worked_values) for page in PAGES.values()}
    assert "assert told[customer] == pytest.approx(WORKED[customer])" in said
    assert set(FEATURES) >= WORKED


def test_every_definition_has_a_worked_value_on_its_groups_page():
    lacking = {known: left for known, one in DEFINITIONS.items() if (left := set(one.answers) - WORKED)}
    assert not {known: left for known, left in lacking.items() if len(DEFINITIONS[known].answers) <= MANY}
    assert not [known for known, left in lacking.items() if left == set(DEFINITIONS[known].answers)]
