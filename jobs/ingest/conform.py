"""Delivered rows -> the columns of a core table, by the mapping's expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError
from jobs.ingest import lookups
from jobs.ingest.expressions import RAW
from jobs.ingest.plan import GIVEN, described_functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from jobs.context import JobContext
    from jobs.ingest.plan import TargetPlan


def conform(context: JobContext, delivered: DataFrame, plan: TargetPlan) -> DataFrame:
    """Grain: delivered row; the delivered columns, then the target's. Raises ConfigurationError for a bad expression."""
    frame = delivered
    for level in plan.levels:
        for lookup in sorted({lookup for name in level for lookup in plan.columns[name].lookups}, key=lambda one: (one.of, one.keys)):
            frame = lookups.looked_up(context, frame, lookup)
        frame = _with_level(frame, plan, level)
    if plan.asks_for_customer:
        frame = lookups.with_known_customer(context, frame)
    return frame


def _with_level(frame: DataFrame, plan: TargetPlan, level: Sequence[str]) -> DataFrame:
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F

    types = {column.name: column.type for column in plan.told}
    added = {name: F.expr(plan.columns[name].sql) for name in level}
    try:
        made = frame.withColumns(added)
    except AnalysisException:
        for name in level:
            _tried(frame, plan, name)
        raise
    _same_types(made, plan, {name: types[name] for name in level})
    return made


def _tried(frame: DataFrame, plan: TargetPlan, name: str) -> None:
    """Raises ConfigurationError when this column's expression is the one that Spark refuses."""
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F

    try:
        frame.select(F.expr(plan.columns[name].sql))
    except AnalysisException as error:
        reason = str(error).strip().split("\n", 1)[0].replace(RAW, "").split(" SQLSTATE")[0]
        raise ConfigurationError(
            f"[{plan.place}]: column [{name}] can't be computed by [{plan.written[name]}]: {reason}. There are the delivered columns "
            f"{list(plan.feed.columns)}, the target's {list(plan.columns)}, {list(GIVEN)}, Spark's functions and {described_functions()}"
        ) from error


def _same_types(frame: DataFrame, plan: TargetPlan, wanted: dict[str, str]) -> None:
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields if field.name in wanted}
    wrong = [f"{name}: {found[name]} instead of {type_}" for name, type_ in wanted.items() if found[name] != type_]
    if wrong:
        raise ConfigurationError(f"[{plan.place}]: expressions give other types than the contract: {wrong}; cast them in the mapping")
