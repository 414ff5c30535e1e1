"""Looking through the catalogue: every feature is listed, shown down to core, and found by words in either language."""

from __future__ import annotations

import pytest

from features import catalogue
from features.spec import PURPOSES
from jobs import __main__ as kequn
from jobs.build import browse
from jobs.errors import UsageError


def names(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines if line.startswith("  ")]


def test_every_feature_is_listed_once_under_its_group() -> None:
    assert names(browse.listed()) == list(catalogue.FEATURES)
    assert [name for group in catalogue.GROUPS for name in names(browse.listed(group=group.name))] == list(catalogue.FEATURES)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_list_for_a_purpose_holds_what_permits_it(purpose: str) -> None:
    assert set(names(browse.listed(purpose=purpose))) == {name for name, (_, one) in catalogue.FEATURES.items() if purpose in one.purposes}


def test_columns_stand_under_each_other_whatever_the_language() -> None:
    lines = browse.listed(group="channels")[1:]
    features = [feature for group in catalogue.GROUPS if group.name == "channels" for feature in group.features]
    before = {browse._shown_width(line.removesuffix(one.title_zh)) for line, one in zip(lines, features, strict=True)}
    assert len(before) == 1


def test_a_feature_is_shown_down_to_the_core_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert kequn.main(["features", "show", "activity__out_sum_30d"]) == 0
    told = capsys.readouterr().out
    assert "近30日" in told
    assert "features.activity_v1" in told
    assert "transaction_out_30d = sum(out) over 30 days, of core.transaction" in told
    assert "out = sum(" in told
    for name in catalogue.FEATURES:
        assert browse.shown(name)[0] == name


def test_a_group_is_shown_as_its_list() -> None:
    assert browse.shown("channels") == browse.listed(group="channels")


@pytest.mark.parametrize("words", [["login"], ["LOGIN", "days"], ["登录"]])
def test_words_find_in_names_titles_and_descriptions(words: list[str]) -> None:
    assert "channels__login_gap_days" in names(browse.found(words))


def test_what_has_the_word_in_its_name_comes_first() -> None:
    found = names(browse.found(["channel"]))
    named = [name for name in found if "channel" in name]
    assert found[: len(named)] == named
    assert len(found) > len(named)


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["show", "aum_mad_30d"], r"no feature or group \[aum_mad_30d\]; nearest are \['balances__aum_mad_30d'"),
        (["list", "--group", "channel"], r"no group \[channel\]; nearest are \['channels'"),
        (["search", "lognis"], r"No feature speaks of \['lognis'\]; nearest are \['logins'"),
        (["search"], r"\['search'\] is neither `list`, `show NAME`, `search WORD`, `compare NAME`"),
        (["2026-01-31"], r"\['2026-01-31'\] is neither .* dates of a build follow --as-of"),
    ],
)
def test_unknown_words_get_the_nearest_known_ones(words: list[str], nearest: str) -> None:
    arguments = kequn.parser("features").parse_args(["features", *words])
    with pytest.raises(UsageError, match=nearest):
        browse.run(arguments)
