"""What an ingest run is asked for: the feeds of a group, the days, the waivers; and what has landed of it. No Spark here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conf import sources, waivers
from conf.settings import SettingsError
from jobs.context import RunContext, new_run_id, now
from jobs.errors import ConfigurationError, InputNotReadyError, UsageError
from jobs.ingest import bulk, landing, plan, refusal

if TYPE_CHECKING:
    from datetime import date

    from conf.settings import Settings
    from conf.sources import Calendar, Feed, SourceMapping
    from conf.waivers import Waiver
    from jobs.context import Request
    from jobs.ingest.landing import Delivery
    from jobs.ingest.plan import TargetPlan


@dataclass(frozen=True, kw_only=True)
class Order:
    """One group of one source for some days."""

    mapping: SourceMapping
    group: str
    days: tuple[date, ...]
    waivers: tuple[Waiver, ...]
    calendar: Calendar
    targets: tuple[TargetPlan, ...]

    @property
    def feeds(self) -> dict[str, Feed]:
        return self.mapping.of_group(self.group)

    @property
    def landed_feeds(self) -> dict[str, Feed]:
        return {name: feed for name, feed in self.feeds.items() if feed.bulk is None}

    @property
    def bulk_feeds(self) -> dict[str, Feed]:
        return {name: feed for name, feed in self.feeds.items() if feed.bulk is not None}


def order_of(settings: Settings, request: Request) -> Order:
    """The order that a request stands for. Raises UsageError, ConfigurationError, InputNotReadyError for days without source."""
    if request.scope not in sources.GROUPS:
        raise UsageError(f"No task group [{request.scope}]; there are {list(sources.GROUPS)}")
    mapping = plan.read_mapping(settings.source.mapping)
    targets = plan.targets(mapping, request.scope)
    try:
        excused = waivers.load(mapping.source, today=now().date())
        calendar = sources.calendar(mapping.calendar)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    days = mapping.covered(request.since, request.until)
    _excused(mapping, request, days, excused)
    return Order(mapping=mapping, group=request.scope, days=tuple(days), waivers=excused, calendar=calendar, targets=targets)


def _excused(mapping: SourceMapping, request: Request, days: list[date], excused: tuple[Waiver, ...]) -> None:
    """Every day that the source can't deliver for needs a waiver."""
    covered = set(days)
    asked = sources.days_between(request.since, request.until)
    missing = [
        (name, day) for name in mapping.of_group(request.scope) for day in asked
        if day not in covered and not any(waiver.covers(check="delivery", feed=name, day=day) for waiver in excused)
    ]  # fmt: skip
    if missing:
        spans = [f"{span.since}..{span.until}" for span in mapping.history]
        raise InputNotReadyError(
            f"Source [{mapping.source}] delivers for {spans} only, not for {landing.described(missing)}; ask for other dates, or add a waiver to conf/waivers.yml"
        )


def landed(settings: Settings, order: Order) -> dict[str, list[Delivery]]:
    """The deliveries of the order's landed feeds. Raises InputNotReadyError, DataRejectedError."""
    return landing.discover(settings.landing, feeds=order.landed_feeds, days=order.days, waivers=order.waivers)


def fingerprint(settings: Settings, request: Request) -> dict[str, Any]:
    """What a run stands on: digests of the manifests and of the bulk files."""
    order = order_of(settings, request)
    # What the run will be known by depends on what is read here.
    run = RunContext(settings=settings, request=request, run_id=new_run_id(), generation=0, started_at=now())
    with refusal.told(run, order):
        found: dict[str, Any] = dict(landing.digests(landed(settings, order)))
        if order.bulk_feeds:
            found["bulk"] = bulk.digests(settings.landing, order.mapping)
        if any(table.jdbc for table in order.mapping.tables.values()):
            # Nobody knows without asking whether a database tells the same as before.
            found["asked"] = run.run_id
    return found
