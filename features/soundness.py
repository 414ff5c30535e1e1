"""What declarations must keep so that equal facts give equal features. Faults as sentences; nothing is run."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from features.operations import LONGEST_WINDOW, SPANNED, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.spec import FeatureGroup, Source

TYPES = ("double", "bigint", "int", "string")
# What gives the same answer every time, wherever rows lie and in whatever order they come; both engines know them.
STEADY = (
    "abs", "avg", "bit_and", "bit_or", "bool_and", "bool_or", "ceil", "coalesce", "concat", "cos", "count", "count_if", "date_add", "date_sub",
    "datediff", "day", "dayofmonth", "dayofweek", "exp", "floor", "greatest", "hour", "last_day", "least", "length", "ln", "lower", "max", "min", "mod",
    "month", "months_between", "nullif", "pmod", "power", "round", "shiftleft", "shiftright", "sign", "sin", "sqrt", "sum", "trim", "upper", "year",
)  # fmt: skip
# SQL's own words that a bracket may follow.
WORDS = (
    "and",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "decimal",
    "distinct",
    "else",
    "filter",
    "in",
    "is",
    "not",
    "or",
    "then",
    "when",
    "where",
)
# What depends on the clock, or on who asks, and needs no brackets.
BARE = (
    "current_date", "current_timestamp", "localtimestamp", "current_time", "localtime", "current_user", "session_user", "user", "current_role",
    "current_catalog", "current_schema",
)  # fmt: skip
_CALL = re.compile(r"\b([a-z_]\w*)\s*\(", re.IGNORECASE)
_BARE = re.compile(rf"\b({'|'.join(BARE)})\b(?!\s*\()", re.IGNORECASE)
_DAYS = re.compile(r"_(\d+)d\b")
_SPAN = re.compile(rf"_({'|'.join(Span)})\b")
_OF = {
    Span.MTD: "customers' own events",
    Span.LTD: "customers' own events whose day tiles are stored, without multiples, the greatest of greatest values only",
}
_TEXT = re.compile(r"'[^']*'")


def faults(groups: Sequence[FeatureGroup], sources: Sequence[Source], others: Mapping[str, str] | None = None) -> list[str]:
    """One sentence each; empty for sound declarations. groups: all versions. others: by name SQL of segments and labels."""
    return [
        *_of_names(groups), *(fault for group in groups for fault in _of_group(group, sources)), *_of_sources(sources),
        *(fault for name, sql in (others or {}).items() for fault in (*_of_sql(name, sql), *_of_spans(name, sql, sources))),
    ]  # fmt: skip


def _of_names(groups: Sequence[FeatureGroup]) -> Iterator[str]:
    yield from (
        f"[{name}] is declared [{count}] times" for name, count in Counter(group.version_name for group in groups).items() if count > 1
    )
    for group in groups:
        names = Counter(group.full_name(feature) for feature in group.features)
        yield from (f"[{name}] is declared [{count}] times in [{group.version_name}]" for name, count in names.items() if count > 1)


def _of_group(group: FeatureGroup, sources: Sequence[Source]) -> Iterator[str]:
    for feature in group.features:
        name = f"{group.version_name}__{feature.name}"
        if feature.type not in TYPES:
            yield f"[{name}] has type [{feature.type}]; there are {list(TYPES)}"
        yield from _of_sql(name, feature.sql)
        yield from _of_spans(name, feature.sql, sources)
        # Which are windows of measures takes a while to tell, and is asked only where a number is one that none can have.
        if any(not 1 <= int(days) <= LONGEST_WINDOW for days in _DAYS.findall(feature.sql)):
            windows = [item.window for source in sources for item in source.wanted_by((feature.sql,)) if isinstance(item.window, int)]
            yield from (
                f"[{name}] looks back [{days}] days, day tiles are kept for [{LONGEST_WINDOW}]; take a window of 1 to {LONGEST_WINDOW} days"
                for days in windows if not 1 <= days <= LONGEST_WINDOW
            )  # fmt: skip


def _of_spans(name: str, sql: str, sources: Sequence[Source]) -> Iterator[str]:
    if not _SPAN.search(sql):
        return
    for source in sources:
        for measure in source.measures:
            refused = [span for span in source.windows_of(measure, sql) if isinstance(span, Span) and not source.tells(measure, span)]
            for span in refused:
                yield (
                    f"[{name}] takes [{measure.operation or 'an aggregate'}] of [{source.name}] over [{span}], in [{measure.name}]; over it there are "
                    f"{[str(one) for one in SPANNED[span]]} of {_OF[span]}; take one of these, or a window of 1 to {LONGEST_WINDOW} days"
                )


def _of_sources(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        sqls = {column.name: column.sql for column in source.columns} | {f"{one.name}()": one.sql for one in source.measures}
        yield from (fault for name, sql in sqls.items() for fault in _of_sql(f"{source.name}.{name}", sql))


def _of_sql(name: str, sql: str) -> Iterator[str]:
    code = _TEXT.sub("''", sql)
    for word in (*(call for call in _CALL.findall(code) if call.lower() not in {*STEADY, *WORDS}), *_BARE.findall(code)):
        yield (
            f"[{name}] says [{word}], which is not known to give the same answer every time; time is as_of_date, order is a tile's business_date, "
            f"and there are {list(STEADY)} (features/soundness.py)"
        )
