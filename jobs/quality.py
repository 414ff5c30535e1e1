"""Running suites and keeping their results. The only job module that touches Great Expectations (import it late: seconds).

Results hold counts only, never values: metrics of values are not even computed (expectations.rules).
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.contracts import ops
from expectations.contracts.types import Severity
from expectations.limits import DeliveryLimits
from jobs import tables
from jobs.context import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.contracts.types import RowRule, Table
    from jobs.context import RunContext
    from jobs.tables import Written

COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One rule on one feed × table. observed: what was seen, where the rule is about whole deliveries."""

    feed: str
    table: str
    rule: str
    because: str
    severity: Severity
    passed: bool
    checked_rows: int
    unexpected_rows: int
    observed: str | None = None

    @property
    def stops(self) -> bool:
        return self.severity is Severity.STOP and not self.passed


def limits(settings: Settings) -> DeliveryLimits:
    """The numbers of the delivery suites, from conf."""
    quality = settings.quality
    return DeliveryLimits(
        quarantined_share_stop=quality.quarantined_share_stop, quarantined_share_warn=quality.quarantined_share_warn,
        small_rows=quality.quarantined_rows_free, volume_ratio_low=quality.volume_ratio_low, volume_ratio_high=quality.volume_ratio_high,
        freshness_days=quality.freshness_days,
    )  # fmt: skip


def import_early() -> threading.Thread:
    """Start importing Great Expectations beside what else is done; the import is most of a small suite's time."""

    def load() -> None:
        import expectations.suites.deliveries  # noqa: F401

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    return thread


def check_rows(
    rows: DataFrame, declared: Sequence[RowRule], *, feed: str, table: Table, flag: str, keep: Path | None = None
) -> list[Outcome]:
    """Hold flagged rows (jobs.ingest.checks) against their rules, all in one Great Expectations run."""
    from expectations.suites.from_contract import suite_of_rows

    found = _validated(suite_of_rows(table, declared, feed=feed, flag_prefix=flag), rows, kind="spark", keep=keep)
    by_rule = {rule.id: rule for rule in declared}
    return [
        Outcome(
            feed=feed, table=table.full_name, rule=rule, because=by_rule[rule].because, severity=by_rule[rule].severity,
            passed=bool(result.success), checked_rows=int(result.result["element_count"]), unexpected_rows=int(result.result["unexpected_count"]),
        )
        for rule, result in found
    ]  # fmt: skip


def check_deliveries(suite: ExpectationSuite, frame: pd.DataFrame, *, feed: str, table: Table, keep: Path | None = None) -> list[Outcome]:
    """Hold one row per file or delivery against a suite of rules about them."""
    outcomes = []
    expectations: list[Any] = list(suite.expectations)
    for (rule, result), declared in zip(_validated(suite, frame, kind="pandas", keep=keep), expectations, strict=True):
        column = getattr(declared, "column", None)
        outcomes.append(
            Outcome(
                feed=feed, table=table.full_name, rule=rule, because=str(declared.description),
                severity=declared.consequence, passed=bool(result.success), checked_rows=int(result.result["element_count"]),
                unexpected_rows=int(result.result["unexpected_count"]), observed=_observed(frame, column),
            )
        )  # fmt: skip
    return outcomes


def _observed(frame: pd.DataFrame, column: str | None) -> str | None:
    if column is None or not len(frame) or frame[column].isna().all():
        return None
    return f"{column} {frame[column].min():.4g} .. {frame[column].max():.4g}"


def _validated(suite: ExpectationSuite, data: Any, *, kind: str, keep: Path | None) -> list[tuple[str, Any]]:
    """(rule id, result) per expectation. Raises what an expectation raised: a rule that could not run has not been kept."""
    result = _run(suite, data, kind=kind)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        content: Any = result.to_json_dict()  # type: ignore[no-untyped-call]
        (keep / f"{re.sub(r'[^a-z0-9_]+', '-', suite.name)}.json").write_text(json.dumps(content), encoding="utf-8")
    # A field left at its default is not repeated in the result's configuration.
    by_type = {one.expectation_type: one.rule for one in suite.expectations}  # type: ignore[attr-defined]
    order = {one.rule: position for position, one in enumerate(suite.expectations)}  # type: ignore[attr-defined]
    found = []
    for one in result.results:
        config = one.expectation_config
        assert config is not None
        if one.exception_info and one.exception_info.get("raised_exception"):
            raise RuntimeError(f"Expectation [{config.kwargs.get('rule')}] of [{suite.name}] could not run: {one.exception_info}")
        found.append((str(config.kwargs.get("rule") or by_type[config.type]), one))
    return sorted(found, key=lambda pair: order[pair[0]])


_RUNNING = threading.Lock()  # Great Expectations keeps its context in a global


def _run(suite: ExpectationSuite, data: Any, *, kind: str) -> ExpectationSuiteValidationResult:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    with _RUNNING:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_spark("rows", persist=False) if kind == "spark" else context.data_sources.add_pandas("deliveries")
        asset = source.add_dataframe_asset("checked")
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": data})
        return batch.validate(suite, result_format=COUNTS_ONLY)


def results_folder(settings: Settings, partition: str) -> Path:
    """Where the results of a night's or a range's suites are kept, of which Data Docs are built."""
    return settings.reports / "quality" / partition


def build_docs(settings: Settings) -> Path | None:
    """Great Expectations' Data Docs of the nights and ranges checked last, in <reports>/data_docs; None where there are no results.

    Only results without a page of their own are rendered: a night costs its own pages, however many are kept.
    """
    results, site = _kept_results(settings), settings.reports / "data_docs"
    if not results:
        return None
    stale = {path for path in results if not (site / "index.html").exists() or _is_stale(path, site)}
    if not stale:
        return site / "index.html"
    import great_expectations as gx

    # Rendering looks expectations up by name: ours have to be there.
    import expectations.suites.deliveries
    import expectations.suites.from_contract  # noqa: F401

    context = gx.get_context(mode="ephemeral")
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)}
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site(
        "quality", {"class_name": "SiteBuilder", "store_backend": backend, "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"}}
    )
    keys = {path: _show(context, path, whole=path in stale) for path in results}
    context.build_data_docs(resource_identifiers=[keys[path] for path in stale])
    return site / "index.html"


def _kept_results(settings: Settings) -> list[Path]:
    """The results of the nights and ranges that were checked last, as many of them as retention says."""
    by_partition: dict[str, list[Path]] = {}
    for path in results_folder(settings, "").glob("*/*.json"):
        by_partition.setdefault(path.parent.name, []).append(path)
    checked = sorted(by_partition, key=lambda partition: max(path.stat().st_mtime_ns for path in by_partition[partition]))
    return [path for partition in checked[-settings.retention.data_docs_partitions :] for path in sorted(by_partition[partition])]


def _is_stale(result: Path, site: Path) -> bool:
    """Whether a result has no page, or was written after it."""
    suite = json.loads(result.read_text(encoding="utf-8"))["suite_name"]
    pages = (site / "validations" / suite / result.parent.name).glob("*/*.html")
    return not any(page.stat().st_mtime_ns >= result.stat().st_mtime_ns for page in pages)


def _show(context: Any, path: Path, *, whole: bool) -> Any:
    """Put a kept result where Data Docs look for it, and return its key. Not whole: as much as their index tells of it."""
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier, ValidationResultIdentifier

    content, partition = json.loads(path.read_text(encoding="utf-8")), path.parent.name
    result = ExpectationSuiteValidationResult(**(content if whole else content | {"results": []}))
    # Said outright: GX would read a time out of the name, and takes the end of a range for a zone.
    first = datetime.fromisoformat(partition.partition("..")[0]).replace(tzinfo=UTC)
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(name=result.suite_name),
        run_id=RunIdentifier(run_name=partition, run_time=first), batch_identifier="whole",
    )  # fmt: skip
    context.validation_results_store.set(key, result)
    return key


def record(context: RunContext, outcomes: Sequence[Outcome], *, part: str = "") -> Written:
    """Append outcomes to ops.quality_result."""
    request, finished_at = context.request, now()
    rows = [
        (
            context.run_id, request.job, request.scope, request.partition, one.feed, one.table, one.rule, one.because, str(one.severity),
            one.passed, one.checked_rows, one.unexpected_rows, one.observed, finished_at,
        )
        for one in outcomes
    ]  # fmt: skip
    return tables.record(context, ops.QUALITY_RESULT, rows, part=part)
