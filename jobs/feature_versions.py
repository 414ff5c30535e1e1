"""`kequn features`: building them, looking through the catalogue, comparing two versions of a group, retiring one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features import catalogue
from jobs import ledger, lock, runner, tables, tracking
from jobs.build import features_command, versions
from jobs.context import JobReport, Request, RunContext, new_run_id, now
from jobs.errors import UsageError
from jobs.models.catalogue import MODELS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from conf.settings import Settings


def add_arguments(parser: ArgumentParser) -> None:
    features_command.add_arguments(parser)


def run(arguments: Namespace) -> int:
    match arguments.look:
        case ["compare", *names] if names:
            from jobs.serving import compared

            return compared.command(names, since=arguments.since, until=arguments.until)
        case ["retire", name]:
            return retire(name)
        case _:
            return features_command.run(arguments)


def retire(name: str) -> int:
    """End a version: it is built and read no more. Raises UsageError while a champion uses it, for the current one, and for none."""
    settings = runner.load_settings()
    group, number = versions.number_of(name)
    if name in {one.version_name for one in catalogue.GROUPS}:
        raise UsageError(f"[{name}] is the current version of [{group}]; make another one current in features/catalogue.py first")
    with lock.held(settings.locks, f"{versions.RETIRE}-{name}"):
        if name in versions.retired(settings):
            return _say(f"[{name}] was retired before: nothing to do")
        table = versions.table_of(name)
        if tables.version(settings, table) < 0:
            raise UsageError(
                f"There is no [{table.full_name}] to retire; there are {[one.version_name for one in versions.built(settings)]}"
            )
        _refuse_used(settings, group, number)
        size = tables.size(settings, table)
        _record(settings, name, JobReport(figures={"bytes": size}))
    return _say(f"[{name}] is retired: it is built and read no more, and the next `kequn maintain` removes its [{size}] bytes")


def _refuse_used(settings: Settings, group: str, number: int) -> None:
    champions = [found for model in MODELS if (found := tracking.champion(settings, model.name))]
    users = [one.uri for one in champions if tracking.load(settings, one).facts["group_versions"].get(group) == number]
    if users:
        raise UsageError(
            f"[{group}_v{number}] can't be retired: {users} read it. Train again on the current version, "
            f"`kequn train --model NAME --as-of DATE`, and retire it once that model is the champion"
        )


def _record(settings: Settings, name: str, report: JobReport) -> None:
    at = now()
    request = Request(job=versions.RETIRE, since=at.date(), until=at.date(), scope=name)
    run = RunContext(settings=settings, request=request, run_id=new_run_id(), generation=0, started_at=at)
    ledger.record(run, report, inputs="", seconds=0.0, peak_mb=0, finished_at=now())


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0
