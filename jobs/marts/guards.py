"""What must hold before a publication is committed: a short or broken table would delete people in every system downstream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.contracts import core
from features import catalogue
from jobs.errors import DataRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from conf.settings import Quality
    from expectations.contracts.types import Table

# Names of people and signs of crime live in restricted tables; none of their own columns may be published.
RESTRICTED = frozenset(
    column.name
    for table in (*core.TABLES, *(group.table for group in catalogue.versions())) if table.restricted
    for column in table.columns if column.name not in table.key
) - {core.CUSTOMER_KEY.name}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One guard's answer about a frame of `checked` rows."""

    rule: str
    because: str
    unexpected: int
    checked: int
    observed: str = ""

    @property
    def passed(self) -> bool:
        return self.unexpected == 0


def judge(table: Table, frame: DataFrame, *, previous_rows: int | None, limits: Quality) -> list[Verdict]:
    """Every guard in one pass over the frame."""
    from pyspark.sql import functions as F

    rules = table.row_rules
    counted = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_distinct(*table.key).alias("keys"),
        *[F.count_if(F.expr(rule.offends)).alias(f"rule_{n}") for n, rule in enumerate(rules)],
    ).first()
    assert counted is not None
    rows = counted["rows"]
    return [
        _size(rows, previous_rows, limits),
        Verdict(rule="key_unique", because=f"one row per {', '.join(table.key)}", unexpected=rows - counted["keys"], checked=rows),
        _open_columns(table, rows),
        *[
            Verdict(rule=rule.id, because=rule.because, unexpected=counted[f"rule_{n}"], checked=rows)
            for n, rule in enumerate(rules)
        ],
    ]  # fmt: skip


def _size(rows: int, previous: int | None, limits: Quality) -> Verdict:
    """Rows against the previous publication; the first one has nothing to be compared with."""
    low, high = limits.mart_row_ratio_low, limits.mart_row_ratio_high
    kept = not previous or low <= rows / previous <= high
    because = f"rows are between {low} and {high} times those of the previous publication"
    observed = f"{rows} rows, before {previous}" if previous is not None else f"{rows} rows, first publication"
    return Verdict(rule="row_count_ratio", because=because, unexpected=0 if kept else 1, checked=rows, observed=observed)


def _open_columns(table: Table, rows: int) -> Verdict:
    found = sorted(RESTRICTED & set(table.column_names))
    return Verdict(
        rule="no_restricted_columns", because="identities and early warnings stay in restricted tables", unexpected=len(found), checked=rows, observed=", ".join(found)
    )  # fmt: skip


def insist(table: Table, verdicts: Sequence[Verdict]) -> None:
    """Raises DataRejectedError when a guard was not kept; nothing is published then."""
    broken = [
        f"[{verdict.rule}] {verdict.observed or f'{verdict.unexpected} rows'}: {verdict.because}"
        for verdict in verdicts
        if not verdict.passed
    ]
    if broken:
        raise DataRejectedError(
            f"[{table.full_name}] is not published: {'; '.join(broken)}. The previous publication stays in force; mend the input and publish again"
        )
