"""`kequn ingest`: feeds of one task group -> core tables, for a night or a range; `--seal` checks that all groups are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.sources import GROUPS
from jobs import runner
from jobs.errors import UsageError
from jobs.ingest import seal
from jobs.ingest.job import JOB

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--group G or --seal, and dates."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--group", choices=GROUPS, help="task group whose feeds are ingested")
    what.add_argument("--seal", action="store_true", help="end with 30 unless all groups are ingested; build the night's Data Docs")
    runner.add_date_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ingest, or seal."""
    if arguments.seal:
        return seal.seal(runner.load_settings(), runner.request_of("ingest", arguments))
    if not arguments.group:
        raise UsageError(f"Give --group, one of {list(GROUPS)}, or --seal")
    return runner.execute(JOB, runner.request_of("ingest", arguments, scope=arguments.group))
