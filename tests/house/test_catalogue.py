"""The catalogue of features, segments and labels is itself under test."""

from __future__ import annotations

import re

import pytest

from expectations.contracts import core
from expectations.contracts.scores import BAND_LEGEND, BANDS
from expectations.contracts.types import Sensitivity
from features import catalogue
from features.catalogue import FEATURES, GROUPS, LABELS, SEGMENTATIONS, SOURCES
from features.operations import LONGEST_WINDOW
from features.seen import CUSTOMER_ATTRIBUTES
from features.sources.channel import CHANNELS
from features.spec import PURPOSES, Empty, digest_of
from jobs.models.catalogue import MODELS
from tests.house.definitions import ASKED_FOR, DEFINITIONS, DIMENSIONS

FUNCTIONS = {
    "case", "when", "then", "else", "end", "and", "or", "not", "is", "null", "nullif", "coalesce", "greatest", "least", "ln", "cast", "as", "int", "bigint",
    "round", "floor", "false", "true", "datediff", "months_between", "between", "sqrt", "dayofmonth", "date_sub", "exp",
}  # fmt: skip
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def words(sql: str) -> set[str]:
    """Identifiers of an expression: neither literals nor SQL's own words."""
    without_text = re.sub(r"'[^']*'", "", sql)
    return {word for word in re.findall(r"\b[a-z_][a-z0-9_]*\b", without_text) if word not in FUNCTIONS}


def test_there_are_enough_features_in_enough_groups():
    assert len(FEATURES) >= 60
    assert len(GROUPS) >= 8


def test_every_definition_is_answered():
    assert list(DEFINITIONS) == [f"{letter}{number}" for letter, count in ASKED_FOR.items() for number in range(1, count + 1)]
    assert len(DEFINITIONS) == 136
    lacking = {known: missing for known, one in DEFINITIONS.items() if (missing := set(one.answers) - set(FEATURES))}
    assert not lacking
    assert all(one.answers for one in DEFINITIONS.values())
    assert len({one.answers for one in DEFINITIONS.values()}) == len(DEFINITIONS), "no feature answers two questions"


def test_a_definition_has_all_windows_and_categories_that_its_text_asks_for():
    every_window = {known: one.answers for known, one in DEFINITIONS.items() if one.asked.endswith("_W")}
    assert list(every_window) == ["E8", "E9"]
    for answers in every_window.values():
        assert [int(name.rpartition("_")[2].removesuffix("d")) for name in answers] == [7, 30, 90, 180, 365]
    for known in ("F1", "F2", "F3", "F4"):
        for categories in DIMENSIONS.values():
            assert all(any(f"__{category}_" in name for name in DEFINITIONS[known].answers) for category in categories), known
    assert set(CHANNELS) == set(core.CHANNELS), "a channel that core tells has no features"


def test_a_deviation_from_a_definition_has_a_reason():
    assert all((len(one.but.split()) >= 8 and ":" in one.but) or not one.but for one in DEFINITIONS.values())


def test_names_are_unique_and_plain():
    assert len(FEATURES) == sum(len(group.features) for group in GROUPS)
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*__[a-z0-9]+(_[a-z0-9]+)*", name) for name in FEATURES)
    assert len({group.name for group in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_described(name):
    feature = FEATURES[name][1]
    assert feature.title
    assert CHINESE.search(feature.title_zh)
    assert len(feature.description) > 10 or feature.description in {"Purchases", "Complaints", "All debits", "All credits"}
    assert feature.unit
    assert feature.owner
    assert feature.sensitivity in {Sensitivity.C1, Sensitivity.C2}, "what is of class C3 is never stored"
    assert FEATURES[name][0].version >= 1
    assert feature.empty_means in set(Empty)
    assert feature.type in {"double", "bigint", "int", "string"}
    assert feature.purposes
    assert set(feature.purposes) <= set(PURPOSES)
    assert (feature.empty_means is Empty.STATED) == bool(feature.stated)
    if feature.unit in {"share", "ratio", "nats", "name"}:
        assert feature.is_nullable, "there is no share of nothing"


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_expressions_speak_of_declared_measures_only(group):
    declared = {item.told for source in SOURCES for item in catalogue.wanted(source, (group,))}
    declared |= {f"customer_{name}" for name in CUSTOMER_ATTRIBUTES} | {"as_of_date"}
    for feature in group.features:
        assert words(feature.sql) <= declared, feature.name


def test_a_measure_is_passed_through_before_much_is_made_of_it():
    """Catalyst doubles what it knows of a column for every part of it that a later column only renames: fifteen parts took minutes to plan."""
    sqls = [feature.sql for _, feature in FEATURES.values()]
    renamed = {sql: at for at, sql in enumerate(sqls)}
    later = {
        name: sum(renamed.get(word, -1) > at for word in words(sql)) for at, (name, sql) in enumerate(zip(FEATURES, sqls, strict=True))
    }
    assert not {name: count for name, count in later.items() if count > 4}


def test_every_tile_column_and_measure_is_declared_once():
    for source in SOURCES:
        assert len({column.name for column in source.columns}) == len(source.columns), source.name
        assert len({measure.name for measure in source.measures}) == len(source.measures), source.name
        assert all(column.type in {"bigint", "date", "string"} for column in source.table.columns), "tiles hold integers"


def test_windows_fit_into_what_the_engine_sees():
    windows = [item.window for source in SOURCES for item in catalogue.wanted(source) if isinstance(item.window, int)]
    assert max(windows) <= LONGEST_WINDOW


def test_what_the_bank_must_not_use_for_marketing_is_not_permitted_there():
    risky = [name for name in FEATURES if name.startswith(("credit__", "early_warning__", "merchant__")) or name == "tenure__kyc_risk"]
    assert risky
    assert not [name for name in risky if "marketing" in FEATURES[name][1].purposes]
    assert [group.name for group in GROUPS if group.restricted] == ["early_warning"]


def test_segments_and_labels_speak_of_what_exists():
    for scheme in SEGMENTATIONS:
        assert set(scheme.features) <= set(FEATURES)
        assert all(CHINESE.search(rule.title_zh) and rule.because for rule in scheme.rules)
        assert len({rule.name for rule in scheme.rules}) == len(scheme.rules)
        for name in scheme.features:
            assert set(scheme.purposes) & set(FEATURES[name][1].purposes), (
                f"[{scheme.name}] uses [{name}], which permits none of its purposes"
            )
    for label in LABELS:
        found = {item.told for source in SOURCES for item in source.wanted_by((label.outcome, *label.conditions))}
        assert words(" ".join((label.outcome, *label.conditions))) <= found | {"as_of_date", "customer_opened_on"}
        assert label.observation_days > 0
        assert label.outcome_days > 0


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_a_score_leaves_out_whom_the_label_leaves_out(label):
    """Eligibility is said twice, over measures and over stored features: spelt out, the second is the first."""
    for condition in label.eligible:
        assert re.sub(r"\b[a-z_]+?__\w+", lambda name: FEATURES[name[0]][1].sql, condition.stored) == condition.when
    models = [model for model in MODELS if model.label == label.name]
    assert models
    for model in models:
        bands = next(column.one_of for column in model.scores.columns if column.name == model.band)
        assert bands == (*BANDS, *(condition.band for condition in label.eligible))
        assert set(bands) <= set(BAND_LEGEND)
        assert all(model.purpose in FEATURES[name][1].purposes for name in label.features)


def test_the_hash_of_a_group_follows_its_meaning():
    hashes = {group.name: catalogue.spec_hash(group) for group in GROUPS}
    assert len(set(hashes.values())) == len(GROUPS)
    assert hashes == {group.name: catalogue.spec_hash(group) for group in GROUPS}
    assert digest_of(GROUPS[0].features) != digest_of(GROUPS[0].features[1:])


def test_a_group_asks_for_the_columns_its_table_has():
    for group in GROUPS:
        assert group.table.column_names[: len(group.table_columns)] == group.table_columns
        assert all(column.description and column.unit for column in group.columns)
