"""summary.json in a few lines for a terminal. Nothing here reads or writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.models.gate import told_positives

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LABEL = 19
COUNTS = ("rows_in", "inserted", "updated", "known", "quarantined")


def lines(told: Mapping[str, Any]) -> list[str]:
    """Rows per feed and whether they reconcile, checks, segment sizes of the last date, models and their verdicts."""
    return [*_feeds(told), "", _checks(told["checks"]), *_segments(told), *_models(told["models"])]


def _feeds(told: Mapping[str, Any]) -> Iterator[str]:
    yield _row("feed", "delivered", "new", "changed", "known", "set aside", "adds up")
    for feed in told["delivered"]:
        yield _counted(feed["feed"], feed, reconciled=feed["reconciled"])
    yield _counted("all", told["rows"], reconciled=all(feed["reconciled"] for feed in told["delivered"]))


def _counted(label: str, rows: Mapping[str, Any], *, reconciled: bool) -> str:
    """Rows that were known already: unchanged ones and equal copies."""
    counts = {**rows, "known": rows["unchanged"] + rows["duplicates"]}
    return _row(label, *(f"{counts[name]:,}" for name in COUNTS), "yes" if reconciled else "NO")


def _row(label: str, *cells: str) -> str:
    return f"{label:<{LABEL}} " + " ".join(f"{cell:>9}" for cell in cells)


def _checks(found: Mapping[str, Any]) -> str:
    return _told(
        "checks", f"{found['passed']:,} passed, {found['warned']} warned, {found['failed']} failed, {found['quarantining']} set rows aside"
    )


def _segments(told: Mapping[str, Any]) -> Iterator[str]:
    sizes = dict(told["segments"])
    if not sizes:
        yield _told("segments", "none")
        return
    yield _told("customers", f"{told['customers']:,} as of {sizes.pop('as_of')}")
    for scheme, segments in sizes.items():
        yield _told(scheme, ", ".join(f"{name} {count:,}" for name, count in segments.items()))


def _models(models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not models:
        yield _told("models", "none was trained")
    for name, model in models.items():
        yield _told(f"model {name}", verdict(model))
        if model.get("metrics"):
            yield _told("", ", ".join(f"{metric} {value:.4g}" for metric, value in model["metrics"].items()))


def verdict(model: Mapping[str, Any]) -> str:
    """The champion, or why the trained one is none; either with what it was fitted to and tested on."""
    gate = model["gate"]
    registered = model.get("registered") or {}
    positives = f"positives: {told_positives(model.get('counts') or {})}"
    if gate["passed"]:
        return f"{registered['version']} is champion ({positives})"
    because = "; ".join(gate["because"])
    if not registered:
        return f"no model: {because}"
    rival = registered.get("champion")
    return f"{registered['version']} refused, {f'{rival} stays champion' if rival else 'no champion'}: {because} ({positives})"


def _told(label: str, text: str) -> str:
    return f"{label:<{LABEL}} {text}"
