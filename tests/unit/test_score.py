"""Which model a command line of `kequn score` means."""

from __future__ import annotations

import pytest

from jobs import __main__ as kequn
from jobs import score
from jobs.errors import UsageError


def wanted(words: str) -> tuple[str, str]:
    return score.wanted(kequn.parser("score").parse_args(f"score {words} --as-of 2026-01-31".split()))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("--model churn", ("churn", "models:/churn@champion")),
        ("--model churn --alias challenger", ("churn", "models:/churn@challenger")),
        ("--uri models:/churn@champion", ("churn", "models:/churn@champion")),
        ("--uri models:/value/3", ("value", "models:/value/3")),
        ("--uri churn@challenger", ("churn", "models:/churn@challenger")),
        ("--uri models:/churn/3 --model churn", ("churn", "models:/churn/3")),
    ],
)
def test_a_uri_or_an_alias_names_the_model(words: str, meant: tuple[str, str]) -> None:
    assert wanted(words) == meant


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", r"Which model\? Give --uri .*--model, one of \['churn', 'value'\]"),
        ("--alias champion", r"Which model\?"),
        (
            "--uri models:/churn@champion --alias challenger",
            r"\[models:/churn@champion\] says which version already; leave out --alias \[challenger\]",
        ),
        ("--uri models:/churn@champion --model value", r"is a \[churn\] model; --model says \[value\]"),
        ("--uri churn", r"\[models:/churn\] is not the URI of a model; give models:/<name>@champion"),
        ("--uri models:/churn/9999999999999999999999", r"\[models:/churn/9+\] is not the URI of a model"),
        ("--uri models:/uplift@champion", r"No model \[uplift\]; there are \['churn', 'value'\]"),
        ("--model churn --alias a@b", r"\[models:/churn@a@b\] is not the URI of a model"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_sentence(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wanted(words)
