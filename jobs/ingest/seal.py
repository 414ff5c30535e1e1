"""The join of the nightly groups: every group of the dates has a finished run, or the chain does not go on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from conf.sources import GROUPS, days_between
from jobs import quality
from jobs.errors import InputNotReadyError
from jobs.ingest import coverage, landing

if TYPE_CHECKING:
    from conf.settings import Settings
    from jobs.context import Request


def seal(settings: Settings, request: Request) -> int:
    """0 when every group is ingested for every date. Raises InputNotReadyError naming groups and dates. Starts no JVM."""
    days = days_between(request.since, request.until)
    missing = [(group, day) for group in GROUPS for day in coverage.missing(settings, group=group, days=days)]
    if missing:
        raise InputNotReadyError(f"Not all groups are ingested, missing {landing.described(missing)}; run `kequn ingest --group` for them")
    page = quality.build_docs(settings)
    sys.stdout.write(
        json.dumps({"job": "ingest", "scope": "seal", "partition": request.partition, "state": "done", "data_docs": str(page or "")}) + "\n"
    )
    return 0
