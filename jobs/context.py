"""What a running job knows: settings, dates, identity of the run. The only place that asks for the time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from conf.settings import Settings


def now() -> datetime:
    """The instant it is, UTC."""
    return datetime.now(UTC)


def new_run_id() -> str:
    return uuid.uuid4().hex


def parse_date(text: str) -> date:
    """An ISO date. Raises UsageError for anything else, the text None of an unset template included."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"[{text}] is not a business date; give one as YYYY-MM-DD") from None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a job is asked for: dates since..until (both inclusive), an optional scope (task group, model), options."""

    job: str
    since: date
    until: date
    scope: str = ""
    force: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.since > self.until:
            raise UsageError(f"The range [{self.since}..{self.until}] is empty; give --from before --to")

    @property
    def partition(self) -> str:
        """`D`, or `A..B` for a range: what locks, the ledger and transactions are kept by."""
        return str(self.until) if self.since == self.until else f"{self.since}..{self.until}"


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """A request being carried out, one run id, one generation: enough to record facts, without a session.

    stands_on: digest of the inputs and the code, part of what makes a repeated write the same one; empty outside the
    runner. begun: transactions begun by this process, kept by jobs.writes_commit.
    """

    settings: Settings
    request: Request
    run_id: str
    generation: int
    started_at: datetime
    stands_on: str = ""
    begun: set[str] = field(default_factory=set, repr=False, compare=False)

    @property
    def as_of(self) -> date:
        return self.request.until


@dataclass(frozen=True, kw_only=True)
class JobContext(RunContext):
    """What a job is given: the run, and its session."""

    spark: SparkSession


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """What a run did: counted rows by name, Delta versions of the tables written, other figures (JSON-able)."""

    rows: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
