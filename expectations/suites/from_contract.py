"""Suites out of declarations: one typed expectation per row rule, checked to be all there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from great_expectations import ExpectationSuite

from expectations import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from great_expectations.expectations.expectation import Expectation

    from expectations.contracts.types import RowRule, Table


class SuiteError(Exception):
    """A suite does not hold what was declared."""


def build_suite(name: str, expectations: Sequence[Expectation]) -> ExpectationSuite:
    """The suite. Raises SuiteError unless it kept every declared expectation: what GX does not take, it drops silently."""
    suite = ExpectationSuite(name=name, expectations=list(expectations))
    kept, declared = [type(one).__name__ for one in suite.expectations], [type(one).__name__ for one in expectations]
    if kept != declared:
        raise SuiteError(f"Suite [{name}] kept {len(kept)} of {len(declared)} expectations: lost {sorted(set(declared) - set(kept))}")
    return suite


def expectation_of(rule: RowRule, table: Table, *, flag: str) -> rules.RowRuleHolds:
    """The expectation that a row rule stands for, on its flag column."""
    kind = _kind(rule, table)
    return kind(column=flag, rule=rule.id, description=rule.because, severity=rules.CRITICAL)


def _kind(rule: RowRule, table: Table) -> type[rules.RowRuleHolds]:
    if any(rule.id == one.id for one in table.rules):
        return rules.BusinessRuleHolds
    if rule.id == "unreadable_row":
        return rules.RowIsReadable
    if rule.id == "key_repeated_differently":
        return rules.KeySaysOneThing
    return rules.ValueIsReadable if rule.id.endswith("_unreadable") else rules.RowRuleHolds


def suite_of_rows(table: Table, declared: Sequence[RowRule], *, feed: str, flag_prefix: str) -> ExpectationSuite:
    """Every row rule of a feed × table."""
    return build_suite(f"{feed} to {table.name}: rows", [expectation_of(rule, table, flag=f"{flag_prefix}{rule.id}") for rule in declared])
