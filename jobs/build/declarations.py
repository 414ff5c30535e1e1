"""Declared features that can't be computed: found before anything is written, and told as what is to be mended."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from expectations.contracts import core
from features import catalogue, soundness
from features.seen import COUNTED, CUSTOMER_ATTRIBUTES
from features.spec import columns_of
from jobs.errors import ConfigurationError, DataRejectedError, InvariantError, KequnError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import DataFrame

    from features.spec import Feature, FeatureGroup, Source
    from jobs.build.facts import Facts

SHOWN = 5
LENGTH = 300
OVERFLOW = re.compile(r"OverflowError: (?P<said>.*)|ARITHMETIC_OVERFLOW\] (?P<told>.*)")
# ANSI's errors of an expression over rows.
EXPRESSION = re.compile(r"\[(CAST_INVALID_INPUT|CAST_OVERFLOW|DIVIDE_BY_ZERO|INVALID_ARRAY_INDEX|REMAINDER_BY_ZERO)[.\w]*\] .*")
LOST = re.compile(r"FAILED_READ_FILE|FILE_NOT_EXIST|PATH_NOT_FOUND|FileNotFoundException")
FILE = re.compile(r"/(?P<layer>\w+)/(?P<name>\w+)/(?:month=\w+/)?(?P<file>[^/\s]+\.parquet)")
COLUMN = re.compile(r"Column \[(\w+)\]")


def expect_sound() -> None:
    """Raises ConfigurationError that lists the faults of the catalogue. No JVM."""
    labels = {f"label {label.name}": "\n".join(label.sqls) for label in catalogue.LABELS}
    schemes = {f"segmentation {scheme.name}": "\n".join(rule.when for rule in scheme.rules) for scheme in catalogue.SEGMENTATIONS}
    found = soundness.faults(catalogue.versions(), catalogue.SOURCES, labels | schemes)
    if found:
        raise ConfigurationError(f"features/catalogue.py declares what can't be computed: {'; '.join(found[:SHOWN])}{_more(found)}")


def _more(found: Sequence[str]) -> str:
    return f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""


def expect_analysable(facts: Facts, groups: Sequence[FeatureGroup]) -> None:
    """Raises ConfigurationError that names the tiles and features whose expressions Spark can't read, or whose type is another one."""
    for source in catalogue.TILED:
        try:
            facts.tiles(source)
        except Exception as error:
            if not _is_of_analysis(error):
                raise
            raise ConfigurationError(
                f"[{source.table.full_name}] can't be made of [{source.reads}]: {_first_line(error)}; mend features/sources"
            ) from error
    measured = _measured(facts, groups)
    faults = [fault for name, (_, feature) in columns_of(groups).items() if (fault := _fault(measured, name, feature))]
    if faults:
        raise ConfigurationError(f"Features can't be computed: {'; '.join(faults[:SHOWN])}{_more(faults)}; mend features/groups")


def _measured(facts: Facts, groups: Sequence[FeatureGroup]) -> DataFrame:
    """No rows; the columns that expressions may speak of."""
    types = {column.name: column.type for column in core.CUSTOMER.columns} | COUNTED
    known = {"customer_key": "bigint", "as_of_date": "date"} | {f"customer_{name}": types[name] for name in CUSTOMER_ATTRIBUTES}
    known |= {item.told: "bigint" for source in catalogue.SOURCES for item in catalogue.wanted(source, tuple(groups))}
    return facts.context.spark.createDataFrame([], ", ".join(f"{name} {type_}" for name, type_ in known.items()))


def _fault(measured: DataFrame, name: str, feature: Feature) -> str | None:
    from pyspark.sql import functions as F
    from pyspark.sql import types as t

    try:
        found = measured.select(F.expr(feature.sql).alias("found")).schema["found"].dataType
    except Exception as error:
        if not _is_of_analysis(error):
            raise
        return f"[{name}] = [{feature.sql[:LENGTH]}]: {_first_line(error)}"
    fits = (t.StringType, t.NullType) if feature.type == "string" else (t.NumericType, t.BooleanType, t.NullType)
    return None if isinstance(found, fits) else f"[{name}] is declared as [{feature.type}], its expression gives [{found.simpleString()}]"


def _is_of_analysis(error: Exception) -> bool:
    from pyspark.errors import AnalysisException, ParseException

    return isinstance(error, AnalysisException | ParseException)


def _first_line(error: Exception) -> str:
    return next(line for line in str(error).splitlines() if line.strip())[:LENGTH]


@contextmanager
def explained(making: Source | None = None) -> Iterator[None]:
    """Spark's failures over rows as the kinds that a scheduler knows; others unchanged. making: of whose day tiles, where it is known."""
    try:
        yield
    except KequnError:
        raise
    except Exception as error:
        raise _kind_of(error, [making] if making else list(catalogue.SOURCES)) from error


def _kind_of(error: Exception, sources: Sequence[Source]) -> Exception:
    text = str(error)
    if found := OVERFLOW.search(text):
        said = found["said"] or found["told"]
        named = COLUMN.search(said)
        concerned = [source for source in sources if not named or named[1] in {column.name for column in source.columns}]
        tiles, core_tables = [source.table.full_name for source in concerned], sorted({source.reads for source in concerned})
        return DataRejectedError(
            f"A sum of {tiles} does not fit 64 bits: {said[:LENGTH]}; look for such amounts in {core_tables} and quarantine them"
        )
    if found := EXPRESSION.search(text):
        return ConfigurationError(
            f"An expression of features/ fails on these facts: {found[0][:LENGTH]}; guard it, as features.finish.ratio does"
        )
    if LOST.search(text):
        lost = FILE.search(text)
        told = f"Table [{lost['layer']}.{lost['name']}] lacks the file [{lost['file']}]" if lost else "A table lacks files"
        return InvariantError(
            f"{told} that its log names: {_first_line(error)}; restore it, or make tiles and states again with `kequn features --force`"
        )
    return error
