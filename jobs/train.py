"""Train, test and register a model as of a date; champion moves only through the gate.

Reads features.label_<name> and the feature groups at the chosen month-ends, writes a run and a version to MLflow. What
was found (metrics, curves, verdict) is also in ops.run's figures, for reports without MLflow. Ends with exit code 50
where no model could be trained or the gate was not passed; the champion stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from features import catalogue
from jobs import ledger, runner, tables, tracking
from jobs.build.wide import wide_features
from jobs.context import JobReport
from jobs.errors import GateError
from jobs.models import boosting, gate, pictures, training, used
from jobs.models.catalogue import MODELS, model
from jobs.training_set import KEYS, digest_of, draw, expect_enough, keep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    import pandas as pd

    from conf.settings import Settings
    from jobs.context import JobContext, Request
    from jobs.models.catalogue import Model
    from jobs.models.scorer import Scorer
    from jobs.tracking import Registered
    from jobs.training_set import Material


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--model, and --as-of: the last business date whose data may be used."""
    parser.add_argument("--model", required=True, choices=[known.name for known in MODELS])
    runner.add_date_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Raises GateError after the run is recorded, and again when it is asked for again and nothing has changed."""
    request = runner.request_of("train", arguments, scope=arguments.model)
    code = runner.execute(JOB, request)
    _refuse(request, ledger.runs(runner.load_settings(), request)[-1])
    return code


def _refuse(request: Request, recorded: Mapping[str, Any]) -> None:
    figures = json.loads(recorded["figures"])
    verdict = figures["gate"]
    # A refusal without checks is about the counts and tells them itself.
    counted = f"; positive outcomes: {gate.told_positives(figures['counts'])}" if verdict["checks"] else ""
    if not verdict["passed"]:
        raise GateError(f"Model [{request.scope}] as of [{request.until}] is no new champion: {'; '.join(verdict['because'])}{counted}")


def stands_on(settings: Settings, request: Request) -> dict[str, Any]:
    """What decides a training: versions of its inputs, and how models are made."""
    wanted = model(request.scope)
    inputs = (used.label_of(wanted).table, *used.tables(used.usable(wanted)))
    return {"tables": ledger.versions_until(settings, inputs, request), "models": settings.models.model_dump(mode="json")}


def train(context: JobContext) -> JobReport:
    return trained(context, model(context.request.scope))


def trained(context: JobContext, wanted: Model) -> JobReport:
    """The whole training; a refusal is a report too."""
    try:
        material = draw(context, wanted)
    except GateError as refused:
        return _without_model(refused, _named(wanted))
    try:
        expect_enough(material, least=context.settings.models.minimum_positives)
    except GateError as refused:
        material.release()
        return _without_model(refused, _drawn(material))
    try:
        return _concluded(context, material)
    finally:
        material.release()


def _without_model(refused: GateError, known: Mapping[str, Any]) -> JobReport:
    return JobReport(figures={**known, "gate": {"passed": False, "because": [str(refused)], "checks": []}})


# --- fit, judge, register -----------------------------------------------------------------------------------------


def _concluded(context: JobContext, material: Material) -> JobReport:
    scorer, calibrate = _fitted(context, material)
    test = material.pandas("test")
    judged = training.judge(material.model, scorer, test, reference=calibrate)
    rival = tracking.champion(context.settings, material.model.name)
    verdict = gate.decide(
        material.model, context.settings.models.gate, metrics=judged.metrics, baseline=judged.baseline,
        champion=_rival_metrics(context, material, rival, test),
    )  # fmt: skip
    figures = _figures(material, judged, verdict) | {"importance": training.importance(scorer, test)}
    registered = tracking.register(context.settings, _to_track(context, material, scorer, judged, figures))
    _conclude(context, registered, verdict)
    in_force = registered if verdict.passed else rival
    figures["registered"] = {
        "version": registered.label,
        "uri": registered.uri,
        "run_id": registered.run_id,
        "champion": in_force.label if in_force else None,
    }
    counted = {f"{name}_rows": found["rows"] for name, found in material.counts.items()}
    rows = {"rows_in": sum(counted.values()), **counted}
    return JobReport(rows=rows, figures=figures)


def _fitted(context: JobContext, material: Material) -> tuple[Scorer, pd.DataFrame]:
    """The calibrated scorer, and the calibration months it was calibrated on."""
    wanted, sizes = material.model, context.settings.models
    shape = boosting.Shape(
        objective=training.OBJECTIVES[wanted.kind],
        rounds=sizes.rounds,
        depth=sizes.depth,
        learning_rate=sizes.learning_rate,
        seed=sizes.seed,
    )
    booster = boosting.fit(material.training, trainer=sizes.trainer, features=material.features, shape=shape, order=KEYS)
    calibrate = material.pandas("calibrate")
    facts = _facts(context, material)
    return training.calibrated(wanted, booster, frame=calibrate, features=material.features, scale=material.scale, facts=facts), calibrate


def _facts(context: JobContext, material: Material) -> dict[str, Any]:
    """features.json: what the model must be fed, and the evidence of what it was fed with: training_set is the number of its receipt."""
    from jobs.build.wide import known_at

    inputs = (used.label_of(material.model).table, *used.tables(material.features))
    return {
        "model": material.model.name, "purpose": material.model.purpose, "label": material.model.label, **used.facts(material.features),
        "known_at": known_at(context, material.features, material.snapshots.dates).isoformat(), "receipt": material.receipt, "snapshots": material.snapshots.as_text(),
        "training_set": keep(context, material), "delta_versions": {table.full_name: tables.version(context.settings, table) for table in inputs},
    }  # fmt: skip


def _rival_metrics(context: JobContext, material: Material, rival: Registered | None, test: pd.DataFrame) -> Mapping[str, float] | None:
    """The champion's metrics for the same customers and dates, fed with the versions of features that it was trained on.

    None when there is none, or these mean something else today.
    """
    if rival is None:
        return None
    scorer = tracking.load(context.settings, rival)
    if used.changed(scorer.facts):
        return None
    if used.changed(scorer.facts, catalogue.GROUPS) or not set(scorer.features) <= set(test.columns):
        test = _as_fed(context, material, scorer, test)
    return training.judge(material.model, scorer, test).metrics


def _as_fed(context: JobContext, material: Material, scorer: Scorer, test: pd.DataFrame) -> pd.DataFrame:
    """The test's rows with the features of the versions that the scorer knows, in key order."""
    names = list(scorer.features)
    wide = wide_features(context, material.snapshots.test, names=names, purpose=material.model.purpose, groups=used.groups(scorer.facts))
    fed = wide.selectExpr(*KEYS, *(f"cast({name} as double) as {name}" for name in names)).toPandas()
    own = [*KEYS, training.ACTUAL, training.UNSEEN]
    # The plain rule's feature stays the test's own.
    baseline = [name for name in (material.model.baseline,) if name not in names]
    return test[[*own, *baseline]].merge(fed, on=KEYS, how="inner").sort_values(KEYS, ignore_index=True)


def _to_track(
    context: JobContext, material: Material, scorer: Scorer, judged: training.Judged, figures: Mapping[str, Any]
) -> tracking.Training:
    sizes = context.settings.models.model_dump(mode="json", exclude={"gate"})
    parameters = {**sizes, "label": material.model.label, "features": len(material.features), "as_of": str(context.as_of)}
    parameters |= {f"{name}_dates": ", ".join(days) for name, days in material.snapshots.as_text().items()}
    fingerprint = digest_of([material.model.name, parameters, material.receipt, used.facts(material.features), ledger.code_version()])
    measured = {**judged.metrics, **_prefixed("baseline", judged.baseline), **_prefixed("unseen", judged.unseen)}
    return tracking.Training(
        model=material.model.name, fingerprint=fingerprint[:16], parameters=parameters, metrics=measured, data_sets=material.data_sets,
        tags={"as_of": str(context.as_of), "receipt": material.receipt[:16], "kequn_run": context.run_id},
        files=scorer.files(), texts={"figures.json": figures, "curves.json": judged.curves},
        pictures=pictures.drawn(judged.curves, title=material.model.title),
    )  # fmt: skip


def _prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def _conclude(context: JobContext, registered: Registered, verdict: gate.Verdict) -> None:
    """Say what the gate decided, then move champion, or leave it where it is."""
    said = {"gate": "passed" if verdict.passed else "refused", "gate_because": "; ".join(verdict.broken) or "all limits kept"}
    tracking.remark(context.settings, registered, said)
    if verdict.passed:
        tracking.point(context.settings, registered, tracking.CHAMPION)


def _named(wanted: Model) -> dict[str, Any]:
    return {"model": wanted.name, "title": wanted.title, "title_zh": wanted.title_zh, "label": wanted.label}


def _drawn(material: Material) -> dict[str, Any]:
    """What was there to learn from: months, rows and positive outcomes of each split."""
    return {
        **_named(material.model), "snapshots": material.snapshots.as_text(), "counts": material.counts,
        "features": len(material.features), "receipt": material.receipt[:16],
    }  # fmt: skip


def _figures(material: Material, judged: training.Judged, verdict: gate.Verdict) -> dict[str, Any]:
    return {
        **_drawn(material),
        "metrics": judged.metrics, "unseen": judged.unseen, "baseline": {"title": material.model.baseline_title, **judged.baseline},
        "curves": judged.curves, "gate": verdict.as_json(),
    }  # fmt: skip


JOB = runner.Job(name="train", run=train, fingerprint=stands_on)
