"""`kequn quarantine`: list rejected rows; replay a delivery after its file or the reference data was mended.

Stored text is pseudonymised, so a replay reads the landing file again: it is an ingest of that date, done although its
manifest may be the same. Rows that pass now land; those that don't are set aside anew.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from conf.sources import GROUPS
from jobs import runner
from jobs.context import Request, parse_date
from jobs.errors import UsageError
from jobs.ingest import checks, plan, quarantine
from jobs.ingest.job import JOB

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from conf.settings import Settings
    from conf.sources import SourceMapping


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """List or replay, and their filters."""
    below = parser.add_subparsers(dest="action", required=True, metavar="list|replay")
    listing = below.add_parser("list", help="counts of rejected rows, or the rows themselves")
    listing.add_argument("--feed", help="one feed; all of them without it")
    listing.add_argument("--as-of", metavar="DATE", help="business date of the delivery")
    listing.add_argument("--rule", help="rows that break this rule")
    listing.add_argument("--rows", action="store_true", help="print the rows, one JSON a line, instead of counts")
    replay = below.add_parser("replay", help="ingest a delivery again and say what was resolved")
    replay.add_argument("--feed", required=True)
    replay.add_argument("--as-of", metavar="DATE", required=True, help="business date of the delivery")


def run(arguments: argparse.Namespace) -> int:
    """List or replay."""
    settings = runner.load_settings()
    mapping = plan.read_mapping(settings.source.mapping)
    return _list(arguments, settings, mapping) if arguments.action == "list" else _replay(arguments, settings, mapping)


def _list(arguments: argparse.Namespace, settings: Settings, mapping: SourceMapping) -> int:
    feeds = [_known(arguments.feed, mapping)] if arguments.feed else list(mapping.feeds)
    day = parse_date(arguments.as_of) if arguments.as_of else None
    found = quarantine.rejected(settings, feeds, day=day, rule=arguments.rule)
    if arguments.rule and not found:
        _expect_rule(arguments.rule, feeds, mapping)
    lines = [quarantine.described(one) for one in found] if arguments.rows else quarantine.counted(found)
    sys.stdout.write("\n".join([*lines, f"{sum(one.is_open for one in found)} open of {len(found)} rejected rows"]) + "\n")
    return 0


def _expect_rule(rule: str, feeds: Collection[str], mapping: SourceMapping) -> None:
    """Raises UsageError for a rule that no row of the feeds can break: a slip of the pen must not read as a clean night."""
    targets = [one for group in GROUPS for one in plan.targets(mapping, group) if one.feed_name in feeds]
    known = sorted({one.id for target in targets for one in checks.rules_of(target)})
    if rule not in known:
        raise UsageError(f"No rule [{rule}] about rows of {sorted(feeds)}; there are {known}")


def _replay(arguments: argparse.Namespace, settings: Settings, mapping: SourceMapping) -> int:
    feed, day = _known(arguments.feed, mapping), parse_date(arguments.as_of)
    before = _open_places(settings, feed, arguments)
    request = Request(job="ingest", since=day, until=day, scope=mapping.feeds[feed].group, force=True)
    runner.execute(JOB, request)
    after = _open_places(settings, feed, arguments)
    sys.stdout.write(
        json.dumps(
            {
                "feed": feed,
                "business_date": str(day),
                "resolved": len(before - after),
                "still_rejected": len(after & before),
                "new": len(after - before),
            }
        )
        + "\n"
    )
    return 0


def _open_places(settings: Settings, feed: str, arguments: argparse.Namespace) -> set[tuple[str, str | None, int | None]]:
    found = quarantine.rejected(settings, [feed], day=parse_date(arguments.as_of))
    return {(one.target, one.file, one.line) for one in found if one.is_open}


def _known(feed: str, mapping: SourceMapping) -> str:
    if feed not in mapping.feeds:
        raise UsageError(f"Source [{mapping.source}] has no feed [{feed}]; it has {sorted(mapping.feeds)}")
    return feed
