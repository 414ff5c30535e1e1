"""Operational facts: what ran, what was checked, what was published. Appended exactly once, never restated."""

from __future__ import annotations

from expectations.contracts.types import Column, Table, Write


def _text(name: str, description: str, *, nullable: bool = True) -> Column:
    return Column(name=name, type="string", description=description, nullable=nullable)


RUN_ID = _text("run_id", "Run of a job, see ops.run", nullable=False)
JOB = _text("job", "Name of the kequn command", nullable=False)
SCOPE = _text("scope", "Task group, model or other part of the job; empty: all of it", nullable=False)
PARTITION = _text("partition", "Business date, or first..last of a range", nullable=False)
FINISHED_AT = Column(name="finished_at", type="timestamp", description="End of the run, UTC", nullable=False)

RUN = Table(
    layer="ops", name="run", title="Runs", title_zh="作业运行", grain="finished run of a job", key=("run_id",), write=Write.APPEND,
    columns=(
        RUN_ID, JOB, SCOPE, PARTITION,
        Column(name="generation", type="int", description="Finished runs of the same job, scope and partition before this one", nullable=False),
        _text("inputs", "JSON: what the run stood on; equal inputs make a rerun a no-op", nullable=False),
        _text("outputs", "JSON: table -> Delta version", nullable=False),
        _text("rows", "JSON: counted rows by name", nullable=False),
        _text("figures", "JSON: what else the job reports (checks, metrics)", nullable=False),
        Column(name="seconds", type="double", description="Wall time of the process", unit="seconds", nullable=False),
        Column(name="peak_mb", type="int", description="Peak resident memory of Python and JVM together", unit="MiB", nullable=False),
        _text("code_version", "Digest of the code and conf that ran", nullable=False),
        FINISHED_AT,
    ),
)  # fmt: skip

QUALITY_RESULT = Table(
    layer="ops", name="quality_result", title="Results of checks", title_zh="质量检查结果", grain="run × feed × table × rule", key=("run_id", "feed", "checked_table", "rule"),
    write=Write.APPEND,
    columns=(
        RUN_ID, JOB, SCOPE, PARTITION,
        _text("feed", "Feed that was checked", nullable=False),
        _text("checked_table", "Table the rows were meant for", nullable=False),
        _text("rule", "Rule id", nullable=False),
        _text("because", "What the rule promises", nullable=False),
        _text("severity", "quarantine, stop or warn", nullable=False),
        Column(name="passed", type="boolean", description="Kept", nullable=False),
        Column(name="checked_rows", type="bigint", description="Rows looked at", nullable=False),
        Column(name="unexpected_rows", type="bigint", description="Rows that break the rule", nullable=False),
        _text("observed", "What was seen, where the rule is about a whole delivery"),
        FINISHED_AT,
    ),
)  # fmt: skip

DELIVERY = Table(
    layer="ops", name="delivery", title="Reconciled deliveries", title_zh="交付对账", grain="run × feed × business_date × table",
    key=("run_id", "feed", "business_date", "target"), write=Write.APPEND, date="business_date",
    columns=(
        RUN_ID,
        _text("feed", "Feed", nullable=False),
        Column(name="business_date", type="date", description="Date of the delivery", nullable=False),
        _text("target", "Core table", nullable=False),
        Column(name="rows_in", type="bigint", description="Rows delivered for the table", nullable=False),
        Column(name="inserted", type="bigint", description="New keys", nullable=False),
        Column(name="updated", type="bigint", description="New images of known keys", nullable=False),
        Column(name="unchanged", type="bigint", description="Rows already known", nullable=False),
        Column(name="duplicates", type="bigint", description="Equal copies within the delivery", nullable=False),
        Column(name="quarantined", type="bigint", description="Rows set aside with a reason", nullable=False),
        FINISHED_AT,
    ),
)  # fmt: skip

PUBLISH_LOG = Table(
    layer="ops", name="publish_log", title="Publications", title_zh="发布日志", grain="run × published table", key=("run_id", "published_table"),
    write=Write.APPEND, date="as_of_date",
    columns=(
        RUN_ID,
        _text("published_table", "Table that is ready", nullable=False),
        Column(name="as_of_date", type="date", description="Date it tells about", nullable=False),
        Column(name="delta_version", type="bigint", description="Version to read", nullable=False),
        Column(name="contract_version", type="string", description="Version of the contract", nullable=False),
        Column(name="rows_total", type="bigint", description="Rows in the table", nullable=False),
        Column(name="rows_changed", type="bigint", description="Rows inserted or updated by this publication", nullable=False),
        Column(name="rows_removed", type="bigint", description="Rows that left, with a tombstone", nullable=False),
        FINISHED_AT,
    ),
)  # fmt: skip

TABLES = (RUN, QUALITY_RESULT, DELIVERY, PUBLISH_LOG)
