"""summary.json: the report's figures for programs. Keys are stable; what there is nothing of is an empty list or map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.report_page.facts import Facts, Row

FILE = "summary.json"
COUNTED = ("rows_in", "inserted", "updated", "unchanged", "duplicates", "quarantined")
CHANGED = ("rows", "mean_change", "largest_change")
# What jobs call the rows they wrote, in the order in which one of them is taken for "rows out".
WRITTEN = ("rows_out", "written", "rows_written", "rows")
MEASURED, ADDED_UP = "measured", "jobs added up"


def summary(facts: Facts, *, source: str, environment: str, measured: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything a caller of `kequn report` may want to assert on. measured: of all processes of the chain, where somebody did."""
    return {
        "source": source,
        "environment": environment,
        "from": str(facts.since),
        "to": str(facts.until),
        **cost(facts, measured),
        "steps": [step(run) for run in facts.runs],
        "measured": dict(measured or {}),
        "rows": counted(facts.deliveries),
        "delivered": delivered(facts),
        "feeds": [{**feed, **{name: int(feed[name]) for name in COUNTED}, "reconciled": reconciled(feed)} for feed in facts.feeds],
        "checks": checks(facts),
        "quarantine": [
            {name: row[name] for name in ("feed", "rule", "because", "rows")} for row in facts.broken if row["severity"] == "quarantine"
        ],
        "customers": facts.customers,
        "segments": segments(facts),
        "models": {name: told(run) for name, run in trained(facts).items()},
        "scored": {
            band: sum(row["customers"] for row in facts.bands if row["band"] == band)
            for band in sorted({row["band"] for row in facts.bands})
        },
        "unscored": {row["band"]: row["customers"] for row in facts.unscored},
        "publications": [publication(row) for row in facts.publications],
        "corrections": [one for run in facts.runs for one in corrections(run)],
    }


def cost(facts: Facts, measured: Mapping[str, Any] | None) -> dict[str, Any]:
    """Seconds on the clock and memory of all processes where somebody measured; else those of the jobs, added up though some ran side by side."""
    seconds = round(sum(run["seconds"] for run in facts.runs), 1)
    peak = max((run["peak_mb"] for run in facts.runs), default=0)
    jobs = {"job_seconds": seconds, "job_peak_mb": peak}
    if not measured:
        return {"seconds": seconds, "peak_mb": peak, "seconds_are": ADDED_UP, **jobs}
    on_the_clock = round(sum(took["seconds"] for took in measured["steps"].values()), 1)
    return {"seconds": on_the_clock, "peak_mb": measured["peak_mb"], "seconds_are": MEASURED, **jobs}


def step(run: Row) -> Row:
    """One finished run of a job."""
    rows = run["rows"]
    return {
        "job": run["job"], "scope": run["scope"], "partition": run["partition"], "run_id": run["run_id"], "seconds": run["seconds"],
        "peak_mb": run["peak_mb"], "rows_in": rows.get("rows_in"), "rows_out": rows_out(rows), "rows_quarantined": rows.get("quarantined"),
        "rows": rows, "finished_at": run["finished_at"].isoformat(),
    }  # fmt: skip


def corrections(run: Row) -> list[Row]:
    """Published feature rows that a run revised or withdrew, a row a table; with the feature that changed in most of them, and by how much."""
    return [
        {
            "partition": run["partition"], "table": table, **{name: told[name] for name in ("dates", "revised", "withdrawn")},
            "features": len(told["features"]), "most": most, **{name: told["features"].get(most, {}).get(name) for name in CHANGED},
        }
        for table, told in run["figures"].get("revised", {}).items()
        for most in [max(told["features"], key=lambda name: told["features"][name]["rows"], default="")]
    ]  # fmt: skip


def rows_out(rows: Mapping[str, Any]) -> int | None:
    """Rows that a job wrote: what it says, else new plus changed ones, of all its tables."""
    for name in WRITTEN:
        if name in rows:
            return int(rows[name])
    if "inserted" in rows or "updated" in rows:
        return int(rows.get("inserted", 0)) + int(rows.get("updated", 0))
    of_tables = [int(count) for name, count in rows.items() if name.endswith((" inserted", " revised"))]
    return sum(of_tables) if of_tables else None


def counted(rows: Iterable[Row]) -> dict[str, int]:
    found = list(rows)
    return {name: sum(int(row[name]) for row in found) for name in COUNTED}


def delivered(facts: Facts) -> list[dict[str, Any]]:
    """Per feed its rows, each once however many tables it has, and whether every one of these reconciles."""
    lost = {feed["feed"] for feed in facts.feeds if not reconciled(feed)}
    feeds = dict.fromkeys(row["feed"] for row in facts.deliveries)
    return [
        {"feed": feed, **counted(row for row in facts.deliveries if row["feed"] == feed), "reconciled": feed not in lost} for feed in feeds
    ]


def reconciled(feed: Row) -> bool:
    """Rows in = inserted + updated + unchanged + duplicates + quarantined: nothing is lost."""
    return bool(feed["rows_in"] == sum(feed[name] for name in COUNTED[1:]))


def checks(facts: Facts) -> dict[str, Any]:
    counted = {name: sum(int(row[name]) for row in facts.checks) for name in ("checks", "passed", "set_aside", "warned", "stopped")}
    broken = [{name: row[name] for name in ("checked_table", "rule", "severity", "rows", "last_date")} for row in facts.broken]
    return {
        "passed": counted["passed"],
        "warned": counted["warned"],
        "failed": counted["stopped"],
        "quarantining": counted["set_aside"],
        "broken": broken,
    }


def segments(facts: Facts) -> dict[str, Any]:
    """Sizes on the last date, per scheme."""
    if not facts.sizes:
        return {}
    last = max(row["as_of_date"] for row in facts.sizes)
    found: dict[str, Any] = {"as_of": str(last)}
    for row in facts.sizes:
        if row["as_of_date"] == last:
            found.setdefault(row["scheme"], {})[row["segment"]] = row["customers"]
    return found


def trained(facts: Facts) -> dict[str, Row]:
    """Model -> its last training run."""
    return {run["scope"] or str(run["figures"].get("model", "")): run for run in facts.runs if run["job"] == "train"}


def told(run: Row) -> dict[str, Any]:
    """What a training run says of its model, without the curves."""
    figures = run["figures"]
    return {"as_of": run["partition"], **{name: value for name, value in figures.items() if name not in {"curves", "importance"}}}


def publication(row: Row) -> dict[str, Any]:
    names = ("published_table", "delta_version", "contract_version", "rows_total", "rows_changed", "rows_removed")
    return {"as_of": str(row["as_of_date"]), **{name: row[name] for name in names}}
