"""Score every open customer as of a date with a registered model. Needs the model's URI or alias and the date.

The model's features.json says which features to read; one whose meaning has changed since is refused. Whoever is outside
the population of the model's label gets a row that says why, and no score. Replaces the slice (date, model version) of
scores.<model>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.contracts import scores
from jobs import frames, ledger, runner, tables, tracking
from jobs.build import versions
from jobs.context import JobContext, JobReport
from jobs.errors import DataRejectedError, InvariantError, UsageError
from jobs.models import used
from jobs.models.catalogue import MODELS, model

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    import pandas as pd
    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from jobs.context import Request
    from jobs.models.catalogue import Model
    from jobs.models.scorer import Scorer
    from jobs.tracking import Registered

KEYS = ["customer_key", "as_of_date"]
UNSCORED = "unscored"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--uri, or --model with --alias (default: the champion); --as-of."""
    parser.add_argument("--uri", help="models:/<name>@<alias> or models:/<name>/<version>; models:/ may be left out")
    parser.add_argument("--model", choices=[known.name for known in MODELS], help="instead of --uri")
    parser.add_argument("--alias", help=f"which version of --model; default {tracking.CHAMPION}")
    runner.add_date_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Raises UsageError, InputNotReadyError, ConfigurationError; GateError (exit 50) without a champion."""
    name, uri = wanted(arguments)
    request = runner.request_of("score", arguments, scope=name, uri=uri)
    if request.since != request.until:
        raise UsageError(f"Scores are of one date; [{request.partition}] is a range. Give --as-of DATE")
    return runner.execute(JOB, request)


def wanted(arguments: argparse.Namespace) -> tuple[str, str]:
    """The model's name and the URI of the version that a command line means. Raises UsageError."""
    name, alias, given = arguments.model, arguments.alias, arguments.uri
    if not given and not name:
        raise UsageError(f"Which model? Give --uri models:/<name>@<alias>, or --model, one of {[known.name for known in MODELS]}")
    if given and alias:
        raise UsageError(f"--uri [{given}] says which version already; leave out --alias [{alias}], or give --model instead of --uri")
    uri = f"models:/{given.removeprefix('models:/')}" if given else f"models:/{name}@{alias or tracking.CHAMPION}"
    told = model(tracking.parts(uri)["name"]).name
    if name and name != told:
        raise UsageError(f"[{uri}] is a [{told}] model; --model says [{name}]; leave out one of them")
    return told, uri


def stands_on(settings: Settings, request: Request) -> dict[str, Any]:
    """The version that the URI stands for now, and the versions of the features at hand.

    Raises GateError without a model; ConfigurationError, UsageError for one whose features mean something else, or are kept no more.
    """
    registered = _registered(settings, request)
    scorer = tracking.load(settings, registered)
    used.refuse_changed(registered.uri, scorer.facts)
    versions.in_versions(settings, scorer.facts["group_versions"], asked_by=f"Model [{registered.uri}]")
    inputs = used.tables(_names(scorer), used.groups(scorer.facts))
    return {"model": registered.uri, "run": registered.run_id, "tables": ledger.versions_until(settings, inputs, request)}


def _registered(settings: Settings, request: Request) -> Registered:
    registered = tracking.resolve(settings, str(request.options["uri"]))
    if registered.model != request.scope:
        raise UsageError(f"[{request.options['uri']}] is a [{registered.model}] model; --model says [{request.scope}]")
    return registered


def score(context: JobContext) -> JobReport:
    """One row per open customer of the date."""
    registered = _registered(context.settings, context.request)
    scorer = tracking.load(context.settings, registered)
    used.refuse_changed(registered.uri, scorer.facts)
    scored = frames.made(_scored(context, scorer, registered.label))
    try:
        figures = _checked(scorer.model, scored)
        written = tables.replace(
            context, scorer.model.scores, scored, where=_slice(context, registered.label), dates=(context.as_of, context.as_of)
        )
    finally:
        frames.release(scored)
    counts = tables.as_counts(written)
    return JobReport(
        rows={name: counts[name] for name in ("rows_in", "inserted", "unchanged", "removed")},
        outputs={written.table: written.version}, figures={"model": registered.uri, "model_version": registered.label, **figures},
    )  # fmt: skip


def _slice(context: JobContext, version: str) -> str:
    day = context.as_of
    return f"month = {day:%Y%m} and as_of_date = date'{day}' and model_version = '{version}'"


def _names(scorer: Scorer) -> list[str]:
    """The features that the model is fed and those that say who is outside its label's population, each once."""
    return list(dict.fromkeys((*scorer.features, *used.label_of(scorer.model).features)))


def _scored(context: JobContext, scorer: Scorer, version: str) -> DataFrame:
    """Customer of the date: the contract's columns, scored in batches where the rows are."""
    from pyspark.sql import functions as F

    from features import labelling
    from jobs.build.wide import wide_features

    table, label = scorer.model.scores, used.label_of(scorer.model)
    wide = wide_features(
        context, [context.as_of], names=_names(scorer), purpose=str(scorer.facts["purpose"]), groups=used.groups(scorer.facts)
    )
    unscored = labelling.unscored(label).alias(UNSCORED)
    numbers = wide.select(*KEYS, unscored, *(F.col(name).cast("double").alias(name) for name in scorer.features))
    schema = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return numbers.mapInPandas(batches(scorer, version), schema=schema)


def batches(scorer: Scorer, version: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Scores batches of wide rows: KEYS, UNSCORED and the model's features in, the columns of its scores table out."""
    names = [column.name for column in scorer.model.scores.columns]

    def each(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            if len(frame):
                yield frame[KEYS].assign(model_version=version).join(_explained(scorer, frame))[names]

    return each


def _explained(scorer: Scorer, frame: pd.DataFrame) -> pd.DataFrame:
    """What the model says of the rows it may score; of the others the band UNSCORED, and nothing else. In the index of `frame`."""
    told = scorer.explained(frame[frame[UNSCORED].isna()]).reindex(frame.index)
    return told.assign(**{scorer.model.band: told[scorer.model.band].fillna(frame[UNSCORED])})


def _checked(wanted: Model, scored: DataFrame) -> dict[str, Any]:
    """What the scores look like, and that every row keeps the contract, in one pass. Raises DataRejectedError."""
    from pyspark.sql import functions as F

    rules = {rule.id: F.count_if(F.coalesce(F.expr(rule.offends), F.lit(False))).alias(rule.id) for rule in wanted.scores.row_rules}
    bands = {name: F.count_if(F.col(wanted.band) == name).alias(f"band_{name}") for name in scores.BAND_LEGEND}
    leading = {code: F.count_if(F.col("reason_1") == code).alias(f"reason_{code}") for code in scores.REASON_CODES}
    found = scored.agg(*rules.values(), *bands.values(), *leading.values(), F.avg(wanted.score).alias("mean")).first()
    if found is None:
        raise InvariantError("An aggregate without groups has one row")
    broken = {rule: found[rule] for rule in rules if found[rule]}
    if broken:
        raise DataRejectedError(
            f"Scores of [{wanted.scores.full_name}] break {broken}; nothing was written. Look at the model's features for the date"
        )
    return {
        "mean_score": found["mean"], "bands": {name: found[f"band_{name}"] for name in bands},
        "leading_reasons": {code: found[f"reason_{code}"] for code in leading if found[f"reason_{code}"]},
    }  # fmt: skip


JOB = runner.Job(name="score", run=score, outputs=scores.TABLES, fingerprint=stands_on)
