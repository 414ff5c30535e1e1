"""What declarations must keep so that equal facts give equal features. Faults as sentences; nothing is run."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from features.spec import LONGEST_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.spec import FeatureGroup, Source

TYPES = ("double", "bigint", "int", "string")
# Of Spark and DuckDB: what depends on the clock, on chance, on who asks, on where rows lie or in which order they come.
UNSTEADY = (
    "current_date", "curdate", "today", "current_timestamp", "now", "localtimestamp", "current_time", "localtime", "get_current_timestamp",
    "transaction_timestamp", "unix_timestamp", "current_timezone", "rand", "randn", "random", "randstr", "uniform", "uuid", "uuidv7", "gen_random_uuid",
    "setseed", "shuffle", "monotonically_increasing_id", "spark_partition_id", "input_file_name", "current_user", "session_user", "current_catalog",
    "current_database", "current_schema", "first", "first_value", "last", "last_value", "any_value", "arbitrary", "collect_list", "collect_set",
    "array_agg", "string_agg", "listagg", "row_number",
)  # fmt: skip
# Those that need no brackets.
BARE = ("current_date", "current_timestamp", "localtimestamp", "current_time", "localtime", "current_user", "session_user")
_UNSTEADY = re.compile(rf"\b({'|'.join(UNSTEADY)})\s*\(|\b({'|'.join(BARE)})\b", re.IGNORECASE)
_DAYS = re.compile(r"_(\d+)d\b")
_TEXT = re.compile(r"'[^']*'")


def faults(groups: Sequence[FeatureGroup], sources: Sequence[Source], others: Mapping[str, str] | None = None) -> list[str]:
    """One sentence each; empty for sound declarations. groups: all versions. others: by name SQL of segments and labels."""
    return [
        *_of_names(groups), *(fault for group in groups for fault in _of_group(group, sources)), *_of_sources(sources),
        *(fault for name, sql in (others or {}).items() for fault in _of_sql(name, sql)),
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
        # Which are windows of measures takes a while to tell, and is asked only where a number is one that none can have.
        if any(not 1 <= int(days) <= LONGEST_WINDOW for days in _DAYS.findall(feature.sql)):
            windows = [item.window for source in sources for item in source.wanted_by((feature.sql,)) if item.window is not None]
            yield from (
                f"[{name}] looks back [{days}] days, day tiles are kept for [{LONGEST_WINDOW}]; take a window of 1 to {LONGEST_WINDOW} days"
                for days in windows if not 1 <= days <= LONGEST_WINDOW
            )  # fmt: skip


def _of_sources(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        sqls = {column.name: column.sql for column in source.columns} | {f"{one.name}()": one.sql for one in source.measures}
        yield from (fault for name, sql in sqls.items() for fault in _of_sql(f"{source.name}.{name}", sql))


def _of_sql(name: str, sql: str) -> Iterator[str]:
    for call, word in _UNSTEADY.findall(_TEXT.sub("''", sql)):
        yield f"[{name}] says [{call or word}], which gives another answer another time; time is as_of_date, order is a tile's business_date"
