"""What the runs of a period did: summary.json for programs, report.html for people. Reads Delta tables without a JVM."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf import settings as conf
from jobs import runner
from jobs.context import parse_date
from jobs.errors import ConfigurationError, UsageError
from jobs.report_page import facts, sections, summary, svg

if TYPE_CHECKING:
    import argparse
    from datetime import date

    from conf.settings import Settings

PAGE = Path(__file__).parent / "report_page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--from A --to B; --measured FILE."""
    parser.add_argument("--from", dest="since", metavar="DATE", required=True, help="first business date")
    parser.add_argument("--to", dest="until", metavar="DATE", required=True, help="last business date")
    parser.add_argument(
        "--measured", type=Path, metavar="FILE", help="JSON of who ran the chain: per step seconds and peak MiB of all its processes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write both files and say where they are. Exit code 0; 2 for an empty period."""
    since, until = parse_date(arguments.since), parse_date(arguments.until)
    if since > until:
        raise UsageError(f"The period [{since}..{until}] is empty; give --from before --to")
    settings = runner.load_settings()
    page = write(settings, since, until, measured=_measured(arguments.measured))
    sys.stdout.write(
        json.dumps({"job": "report", "state": "done", "report": str(page), "summary": str(page.with_name(summary.FILE))}) + "\n"
    )
    return 0


def _measured(path: Path | None) -> dict[str, Any] | None:
    """What was measured from outside. Raises UsageError for a file that can't be read."""
    if path is None:
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError(f"[{path}] can't be read as JSON: {error}; give --measured the file that `kequn demo` wrote") from error
    return found


def write(settings: Settings, since: date, until: date, *, measured: dict[str, Any] | None = None) -> Path:
    """The path of report.html; summary.json lies beside it. Raises ConfigurationError when they can't be written."""
    found = facts.gather(settings, since, until)
    told = summary.summary(found, source=settings.source.mapping, environment=settings.environment, measured=measured)
    page = settings.reports / "report.html"
    try:
        settings.reports.mkdir(parents=True, exist_ok=True)
        _put(page.with_name(summary.FILE), json.dumps(told, indent=2, ensure_ascii=False, default=str) + "\n")
        _put(page, render(found, told))
    except OSError as error:
        raise ConfigurationError(f"[{settings.reports}] can't be written: {error}; check paths.reports and its rights") from error
    return page


def render(found: facts.Facts, told: dict[str, Any]) -> str:
    """The page: no script, no request; everything a browser needs is inside."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    names, titles = scheme_names()
    return environment.get_template("page.html.j2").render(
        facts=found, summary=told, source_title=source_title(told["source"]), style=Markup((PAGE / "style.css").read_text(encoding="utf-8")),  # noqa: S704 our own file
        number=svg.number, rows=svg.rows, percent=svg.percent, clock=clock, gib=gib, severities=sections.SEVERITIES,
        feeds=sections.feeds(found), quarantine=sections.quarantine(found), checks=sections.checks(found),
        segments=sections.segments(found, names, titles), models=sections.models(summary.trained(found)), churn=sections.churn(found),
        steps=sections.steps(found.runs), measured=sections.measured(told["measured"]),
    )  # fmt: skip


def scheme_names() -> tuple[dict[str, list[tuple[str, str]]], dict[str, str]]:
    """Segments per scheme as (code, bilingual name) in the catalogue's order, and the schemes' own names."""
    from features.catalogue import SEGMENTATIONS

    names = {scheme.name: [(rule.name, f"{rule.title} {rule.title_zh}") for rule in scheme.rules] for scheme in SEGMENTATIONS}
    return names, {scheme.name: f"{scheme.title} {scheme.title_zh}" for scheme in SEGMENTATIONS}


def source_title(mapping: str) -> str:
    """The source system in both languages, as its mapping calls it."""
    path = conf.CONF / "sources" / f"{mapping}.yml"
    named = conf.read_yaml(path) if path.exists() else {}
    return f"{named.get('title', mapping)} {named.get('title_zh', '')}".strip()


def clock(seconds: float) -> str:
    """A duration in short: 42 s, 3m 05s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest} s"


def gib(mebibytes: float) -> str:
    return f"{mebibytes / 1024:.1f} GiB"


def _put(path: Path, content: str) -> None:
    """Whole or not at all: a reader never meets half a file."""
    unfinished = path.with_suffix(path.suffix + ".part")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)
