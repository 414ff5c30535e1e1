"""From facts to what the page shows: tiles, charts and tables, section by section. Nothing here reads or writes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from expectations.contracts.scores import REASONS
from features.catalogue import FEATURES
from jobs.report_page import charts, sankey, svg
from jobs.report_page.charts import Bar, Line
from jobs.report_page.sankey import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from jobs.report_page.facts import Facts, Row

ABSENT = "absent"
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
SEVERITIES = {"quarantine": "set aside 隔离", "warn": "warned 告警", "stop": "stopped 拒收"}
REASON_NAMES = {reason.code: f"{reason.title} {reason.title_zh}" for reason in REASONS}
SPLITS = {"train": "Trained 训练", "calibrate": "calibrated 校准", "test": "tested 测试"}
BAND_NAMES = {"high": "high 高", "medium": "medium 中", "low": "low 低"}
UNSCORED_NAMES = {"gone": "gone already 已流失", "new": "too new to be judged 新客户"}
BAND_COLOURS = {"high": "bad", "medium": "warn", "low": "good"}


# --- rows ---------------------------------------------------------------------------------------------------------


def feeds(facts: Facts) -> list[dict[str, Any]]:
    """One small chart a feed: rows per day or month, a red dot where rows were set aside."""
    by_feed: dict[str, list[Row]] = defaultdict(list)
    for row in facts.deliveries:
        by_feed[row["feed"]].append(row)
    return [
        {
            "name": feed,
            "rows": sum(row["rows_in"] for row in rows),
            "quarantined": sum(row["quarantined"] for row in rows),
            "chart": charts.columns(
                [(_when(facts, row["day"]), row["rows_in"], row["quarantined"]) for row in rows],
                label=f"Rows of feed {feed} over time", first=_when(facts, rows[0]["day"]), last=_when(facts, rows[-1]["day"]),
            ),
        }
        for feed, rows in by_feed.items()
    ]  # fmt: skip


def _when(facts: Facts, day: Any) -> str:
    return f"{day:%Y-%m}" if facts.monthly else str(day)


def quarantine(facts: Facts) -> Markup | None:
    """Rows set aside per feed and rule."""
    rows = [row for row in facts.broken if row["severity"] == "quarantine"]
    parts = [
        Bar(label=f"{row['feed']} · {row['rule']}", parts=[(row["rows"], "bad", row["because"])], note=svg.rows(row["rows"]))
        for row in rows[:30]
    ]
    return charts.bars(parts, label="Rows set aside by feed and rule", width=1040) if parts else None


def checks(facts: Facts) -> Markup | None:
    """Per checked table: rules kept, rows set aside, warned, stopped."""
    parts = [
        Bar(
            label=row["checked_table"],
            parts=[(row[name], kind, f"{row[name]} {name.replace('_', ' ')}") for name, kind in
                   (("passed", "good"), ("set_aside", "c2"), ("warned", "warn"), ("stopped", "bad"))],
            note=f"{row['passed']}/{row['checks']}",
        )
        for row in facts.checks
    ]  # fmt: skip
    return charts.bars(parts, label="Checks kept per table", width=1040) if parts else None


# --- segments -----------------------------------------------------------------------------------------------------


def segments(facts: Facts, names: Mapping[str, Sequence[tuple[str, str]]], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Per scheme: shares over time and moves between the last two dates. names: scheme -> (code, name) in order."""
    schemes = [scheme for scheme in names if any(row["scheme"] == scheme for row in facts.sizes)]
    return [{"title": titles[scheme], **_scheme(facts, scheme, names[scheme])} for scheme in schemes]


def _scheme(facts: Facts, scheme: str, names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    kinds = {code: COLOURS[n % len(COLOURS)] for n, (code, _) in enumerate(names)}
    dates = sorted({row["as_of_date"] for row in facts.sizes})
    sizes = {(row["as_of_date"], row["segment"]): row["customers"] for row in facts.sizes if row["scheme"] == scheme}
    held = [(code, name) for code, name in names if any(segment == code for _, segment in sizes)]
    last = {code: sizes.get((dates[-1], code), 0) for code, _ in held}
    series = [(name, [sizes.get((day, code), 0) for day in dates], kinds[code]) for code, name in held]
    return {
        "sizes": charts.bars(
            [Bar(label=name, parts=[(last[code], kinds[code], name)], note=f"{last[code]:,}") for code, name in held],
            label=f"Sizes of {scheme}",
        ),
        "history": charts.shares([str(day) for day in dates], series, label=f"Shares of {scheme} over time") if len(dates) > 1 else None,
        **_moves(facts, scheme, [Block(code=code, before=name, after=name, kind=kinds[code]) for code, name in held]),
    }


def _moves(facts: Facts, scheme: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """The flow between the last two dates and, in words, its largest moves. Who is on one date only joined, or left."""
    rows = [row for row in facts.moves if row["scheme"] == scheme]
    moves = {(row["before"] or ABSENT, row["after"] or ABSENT): row["customers"] for row in rows}
    outside = Block(code=ABSENT, before="joined 新增", after="left 退出", kind="quiet")
    shown = [*blocks, *([outside] if any(ABSENT in pair for pair in moves) else [])]
    by_code = {block.code: block for block in shown}
    changed = sorted(((count, pair) for pair, count in moves.items() if pair[0] != pair[1]), reverse=True)
    return {
        "dates": [str(rows[0][name]) for name in ("first_date", "last_date")] if rows else [],
        "moved": sum(count for count, _ in changed),
        "total": sum(moves.values()),
        "largest": [f"{by_code[before].before} → {by_code[after].after}: {count:,}" for count, (before, after) in changed[:5]],
        "flow": sankey.flow(shown, moves, label=f"Moves within {scheme}") if moves else None,
    }


# --- models -------------------------------------------------------------------------------------------------------


def models(runs: Mapping[str, Row]) -> list[dict[str, Any]]:
    return [_model(name, run) for name, run in runs.items()]


def _model(name: str, run: Row) -> dict[str, Any]:
    """Metrics beside the plain rule's, curves, importance, the gate's verdict. A run without a model says why."""
    figures = run["figures"]
    metrics, baseline = figures.get("metrics") or {}, figures.get("baseline") or {}
    unseen = figures.get("unseen") or {}
    table = [
        {"metric": metric, "model": value, "plain": baseline.get(metric), "unseen": unseen.get(metric)} for metric, value in metrics.items()
    ]
    return {
        "name": name, "title": f"{figures.get('title', name)} {figures.get('title_zh', '')}", "as_of": run["partition"],
        "version": (figures.get("registered") or {}).get("version"), "headline": _headline(metrics), "plain": baseline.get("title", ""),
        "gate": figures.get("gate"), "splits": _splits(figures), "metrics": table, "curves": _curves(name, figures.get("curves") or {}),
        "features": _importance(figures, "features"), "reasons": _importance(figures, "reasons"),
    }  # fmt: skip


def _splits(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Month-ends, rows and positive outcomes that the model was trained, calibrated and tested on, as far as it came."""
    days, counts = figures.get("snapshots") or {}, figures.get("counts") or {}
    return [
        {"title": title, "months": _months(days[name]), **counts.get(name, {"rows": 0, "positives": 0})}
        for name, title in SPLITS.items()
        if days.get(name)
    ]


def _months(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]} ({len(days)} month-ends)"


def _headline(metrics: Mapping[str, float]) -> tuple[str, str] | None:
    """The one metric that a model is known by."""
    return next(((name, f"{metrics[key]:.3f}") for key, name in (("auc", "AUC"), ("gini", "Gini")) if key in metrics), None)


def _curves(name: str, points: Mapping[str, Any]) -> list[Markup]:
    drawn = {"roc": _roc, "gain": _gain, "lift": _lift, "calibration": _calibration}
    return [drawn[kind](name, points[kind]) for kind in drawn if points.get(kind)]


def _pairs(points: Iterable[Sequence[float]]) -> list[tuple[float, float]]:
    return [(point[0], point[1]) for point in points]


def _roc(name: str, points: Sequence[Sequence[float]]) -> Markup:
    chance = Line(name="chance", points=[(0, 0), (1, 1)], kind="reference")
    found = Line(name=name, points=_pairs(points), kind="c1")
    return charts.curves(
        [chance, found], label=f"ROC curve of {name}", x_name="false positive rate", y_name="ROC · true positive rate",
        x_format=svg.percent, y_format=svg.percent, x_top=1, y_top=1,
    )  # fmt: skip


def _gain(name: str, points: Sequence[Sequence[float]]) -> Markup:
    chance = Line(name="chance", points=[(0, 0), (1, 1)], kind="reference")
    found = Line(name=name, points=_pairs(points), kind="c1")
    return charts.curves(
        [chance, found], label=f"Gains of {name}", x_name="customers, best first", y_name="Gains · share of the total",
        x_format=svg.percent, y_format=svg.percent, x_top=1, y_top=1,
    )  # fmt: skip


def _lift(name: str, points: Sequence[Sequence[float]]) -> Markup:
    chance = Line(name="chance", points=[(0, 1), (1, 1)], kind="reference")
    found = Line(name=name, points=_pairs(points), kind="c3", dots=True)
    return charts.curves(
        [chance, found], label=f"Lift of {name}", x_name="customers, highest score first", y_name="Lift · times as many as by chance",
        x_format=svg.percent, y_format=svg.number, x_top=1,
    )  # fmt: skip


def _calibration(name: str, points: Sequence[Sequence[float]]) -> Markup:
    """Deciles: dots on the dashed line mean that what was predicted came true."""
    pairs = _pairs(points)
    low = min(0.0, *(min(pair) for pair in pairs))
    top = svg.nice_top(max(max(pair) for pair in pairs))
    shares = top <= 1
    told = _share_of_percent if shares else svg.number
    found = Line(name=name, points=pairs, kind="c2", dots=True)
    return charts.curves(
        [Line(name="right", points=[(low, low), (top, top)], kind="reference"), found], label=f"Calibration of {name} by decile",
        x_name="predicted, mean of decile", y_name="Calibration · observed", x_format=told, y_format=told,
        x_top=top, y_top=top, x_low=low, y_low=low,
    )  # fmt: skip


def _share_of_percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _importance(figures: Mapping[str, Any], kind: str) -> Markup | None:
    found = (figures.get("importance") or {}).get(kind) or []
    parts = [
        Bar(label=_named(item["name"]), parts=[(item["share"], "c4", item["name"])], note=svg.percent(item["share"], places=1))
        for item in found[:12]
    ]
    return charts.bars(parts, label=f"Most important {kind}") if parts else None


def _named(code: str) -> str:
    """A reason or a feature in both languages."""
    if code in FEATURES:
        feature = FEATURES[code][1]
        return f"{feature.title} {feature.title_zh}"
    return REASON_NAMES.get(code, code)


# --- who may leave ------------------------------------------------------------------------------------------------


def churn(facts: Facts) -> dict[str, Any] | None:
    """Distribution of the last scores, reasons by band, and the likeliest customers by pseudonymous key."""
    if not facts.churn_bins:
        return None
    highest = max(row["bin"] for row in facts.churn_bins) + 1
    counts = {row["bin"]: row["customers"] for row in facts.churn_bins}
    first = facts.bands[0]
    return {
        "as_of": str(first["as_of_date"]),
        "version": first["model_version"],
        "histogram": charts.histogram(
            [counts.get(n, 0) for n in range(highest)], label="Customers by churn probability", x_name="probability of becoming inactive",
            x_format=svg.percent, high=highest / 40,
        ),
        "reasons": _reasons(facts.bands),
        "unscored": _unscored(facts.unscored),
        "customers": [_customer(row) for row in facts.leaving],
    }  # fmt: skip


def _reasons(bands: Sequence[Row]) -> Markup:
    """Strongest reasons of everybody, split by band."""
    codes = sorted({row["reason"] for row in bands}, key=lambda code: -sum(row["customers"] for row in bands if row["reason"] == code))
    rows = []
    for code in codes[:10]:
        held = {row["band"]: row["customers"] for row in bands if row["reason"] == code}
        parts = [(held.get(band, 0), BAND_COLOURS[band], f"{BAND_NAMES[band]}: {held.get(band, 0):,}") for band in BAND_NAMES]
        rows.append(Bar(label=_named(code), parts=parts, note=f"{sum(held.values()):,}"))
    return charts.bars(rows, label="Strongest reasons by band")


def _unscored(rows: Sequence[Row]) -> str:
    """How many are left out, and why; nothing where everybody is scored."""
    parts = [f"{row['customers']:,} {UNSCORED_NAMES[row['band']]}" for row in rows]
    return f"Left out, as the model says nothing about them: {', '.join(parts)}." if parts else ""


def _customer(row: Row) -> dict[str, Any]:
    known = row["published"]
    value = known.get("value_12m")
    return {
        "key": f"{row['customer_key'] & 0xFFFFFFFFFFFFFFFF:016x}",
        "probability": row["churn_probability"],
        "band": BAND_NAMES.get(row["churn_band"], row["churn_band"]),
        "reasons": [_named(row[f"reason_{n}"]) for n in (1, 2, 3) if row[f"reason_{n}"]],
        "tier": f"{known['asset_tier_title']} {known['asset_tier_title_zh']}" if known.get("asset_tier_title") else "",
        "value": None if value is None else float(value),
        "at_risk": None if value is None else max(float(value), 0.0) * row["churn_probability"],
        "contact": known.get("marketable_flag"),
    }


# --- what it cost -------------------------------------------------------------------------------------------------


MANY_RUNS = 60


def steps(runs: Sequence[Row]) -> dict[str, Markup] | None:
    """Seconds and memory per step, in order of finishing; of very many runs the steps together."""
    if not runs:
        return None
    shown = [_step(_told(run), [run]) for run in runs] if len(runs) <= MANY_RUNS else _together(runs)
    kinds = {job: COLOURS[n % len(COLOURS)] for n, job in enumerate(dict.fromkeys(job for _, job, _, _ in shown))}
    seconds = [Bar(label=label, parts=[(took, kinds[job], f"{took:.1f} s")], note=f"{took:.0f} s") for label, job, took, _ in shown]
    memory = [
        Bar(label=label, parts=[(peak, kinds[job], f"{peak:,.0f} MiB")], note=f"{peak / 1024:.1f} GiB") for label, job, _, peak in shown
    ]
    return {"seconds": charts.bars(seconds, label="Seconds per step"), "memory": charts.bars(memory, label="Peak memory per step")}


def measured(found: Mapping[str, Any] | None) -> dict[str, Markup] | None:
    """Wall time and memory of all processes together (Airflow's too), per stage of the chain."""
    if not found:
        return None
    seconds = [
        Bar(label=name, parts=[(took["seconds"], COLOURS[0], f"{took['seconds']:.1f} s")], note=f"{took['seconds']:.0f} s")
        for name, took in found["steps"].items()
    ]
    memory = [
        Bar(label=name, parts=[(took["peak_mb"], COLOURS[1], f"{took['peak_mb']:,.0f} MiB")], note=f"{took['peak_mb'] / 1024:.1f} GiB")
        for name, took in found["steps"].items()
    ]
    return {"seconds": charts.bars(seconds, label="Seconds per stage"), "memory": charts.bars(memory, label="Peak memory per stage")}


def _told(run: Row) -> str:
    return " ".join(part for part in (run["job"], run["scope"], run["partition"]) if part)


def _step(label: str, runs: Sequence[Row]) -> tuple[str, str, float, float]:
    """Label, job, seconds together, highest memory."""
    return label, runs[0]["job"], sum(run["seconds"] for run in runs), max(run["peak_mb"] for run in runs)


def _together(runs: Sequence[Row]) -> list[tuple[str, str, float, float]]:
    by_step: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for run in runs:
        by_step[run["job"], run["scope"]].append(run)
    return [_step(f"{job} {scope} × {len(found)}", found) for (job, scope), found in by_step.items()]
