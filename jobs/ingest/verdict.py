"""One feed × table checked: flagged rows, what was counted, what Great Expectations said of rows, files and deliveries."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jobs import frames, quality
from jobs.errors import DataRejectedError, InvariantError
from jobs.ingest import checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import pandas as pd
    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.limits import DeliveryLimits
    from jobs.ingest.checks import Counted
    from jobs.ingest.landing import Delivery
    from jobs.ingest.order import Order
    from jobs.ingest.plan import TargetPlan
    from jobs.quality import Outcome

# A median of fewer days says nothing.
MEDIAN_DAYS = 7
# One or two rows may all be wrong by chance.
WHOLE_ROWS = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """rows: flagged (jobs.ingest.checks), and `made`, what they stand on; None where nothing was delivered.
    counted: by business date × file.
    """

    plan: TargetPlan
    rows: DataFrame | None
    made: DataFrame | None
    counted: tuple[Counted, ...]
    outcomes: tuple[Outcome, ...]
    deliveries: tuple[Delivery, ...]

    @property
    def flagged(self) -> DataFrame:
        """The rows. Raises InvariantError where there are none: ask `total` first."""
        if self.rows is None:
            raise InvariantError(f"[{self.plan.place}] has no rows to look at")
        return self.rows

    def release(self) -> None:
        if self.made is not None:
            frames.release(self.made)

    def total(self, what: str) -> int:
        return sum(int(getattr(one, what)) for one in self.counted)


def file_place(uri: str) -> str:
    """A file's place within the landing zone, out of its address: `feed/business_date=D/name`, or a bulk file's name."""
    parts = unquote(uri).rsplit("/", 3)
    return "/".join(parts[1:]) if parts[-2:-1] and parts[-2].startswith("business_date=") else parts[-1]


def judged(
    plan: TargetPlan, conformed: DataFrame | None, deliveries: Sequence[Delivery], *, order: Order, settings: Settings, history: Mapping[date, int],
    keep: Path | None = None,
) -> Verdict:  # fmt: skip
    """Check conformed rows and their deliveries; nothing is written. conformed: None where every delivery is
    empty. history: rows of the feed × table by earlier dates.
    """
    rules = checks.rules_of(plan, order.waivers)
    rows, made = checks.flagged(conformed, plan, rules) if conformed is not None else (None, None)
    counted = checks.count(rows, plan) if rows is not None else []
    outcomes: list[Outcome] = []
    if rows is not None and counted:
        outcomes += quality.check_rows(rows, rules, feed=plan.feed_name, table=plan.table, flag=checks.FLAG, keep=keep)
    outcomes += _delivery_outcomes(
        plan, counted, deliveries, limits=quality.limits(settings), settings=settings, history=history, keep=keep
    )
    return Verdict(plan=plan, rows=rows, made=made, counted=tuple(counted), outcomes=tuple(outcomes), deliveries=tuple(deliveries))


def _delivery_outcomes(
    plan: TargetPlan, counted: Sequence[Counted], deliveries: Sequence[Delivery], *, limits: DeliveryLimits, settings: Settings,
    history: Mapping[date, int], keep: Path | None,
) -> list[Outcome]:  # fmt: skip
    from expectations.suites.deliveries import suite_of_deliveries, suite_of_files

    by_day = _by_day(plan, counted, deliveries, limits=limits, history=history, days=settings.quality.volume_history_days)
    by_file, suite = _by_file(plan, counted, deliveries), suite_of_deliveries(plan.feed_name, plan.table.name, limits)
    of_files = quality.check_deliveries(
        suite_of_files(plan.feed_name, plan.table.name), by_file, feed=plan.feed_name, table=plan.table, keep=keep
    )
    return [*of_files, *quality.check_deliveries(suite, by_day, feed=plan.feed_name, table=plan.table, keep=keep)]


def _by_file(plan: TargetPlan, counted: Sequence[Counted], deliveries: Sequence[Delivery]) -> pd.DataFrame:
    """Grain: file of a manifest (bulk: business date); rows_in and rows_listed."""
    import pandas as pd

    found: dict[tuple[date, str], int] = {}
    for one in counted:
        where = (one.business_date, "" if plan.feed.bulk else file_place(one.file).rsplit("/", 1)[-1])
        found[where] = found.get(where, 0) + one.rows_in
    listed = [((d.business_date, "" if plan.feed.bulk else file.path.name), file.rows) for d in deliveries for file in d.files]
    return pd.DataFrame(
        {"rows_in": [found.get(where, 0) for where, _ in listed], "rows_listed": [rows for _, rows in listed]}, dtype="int64"
    )


def _by_day(
    plan: TargetPlan, counted: Sequence[Counted], deliveries: Sequence[Delivery], *, limits: DeliveryLimits, history: Mapping[date, int], days: int
) -> pd.DataFrame:  # fmt: skip
    """Grain: business date; what the delivery suite looks at. A figure that can't be had is missing, and then not judged."""
    import pandas as pd

    by_day: dict[date, list[Counted]] = {}
    for one in counted:
        by_day.setdefault(one.business_date, []).append(one)
    volumes = {**history, **{delivery.business_date: _sum(by_day.get(delivery.business_date, []), "rows_in") for delivery in deliveries}}
    rows = [
        _figures(plan, delivery, by_day.get(delivery.business_date, []), limits=limits, volumes=volumes, days=days)
        for delivery in deliveries
    ]
    columns = ("amount_sum", "control_sum", "quarantined_share", "quarantined_share_of_many", "duplicates", "volume_ratio", "days_behind")
    return pd.DataFrame(rows, columns=list(columns), dtype="float64")


def _sum(counted: Sequence[Counted], what: str) -> int:
    return sum(int(getattr(one, what)) for one in counted)


def _figures(
    plan: TargetPlan, delivery: Delivery, counted: Sequence[Counted], *, limits: DeliveryLimits, volumes: Mapping[date, int], days: int
) -> dict[str, Any]:  # fmt: skip
    rows, aside = _sum(counted, "rows_in"), _sum(counted, "quarantined")
    share = aside / rows if rows else 0.0
    figures: dict[str, Any] = {
        "quarantined_share": share, "quarantined_share_of_many": share if _is_many(aside, rows, limits) else 0.0, "duplicates": _sum(counted, "duplicates"),
    }  # fmt: skip
    if delivery.control is not None and plan.feed.control_sum and not _sum(counted, "unread_amounts"):
        # In hundredths: whole numbers up to 2^53 are exact in a double.
        figures |= {"amount_sum": float(sum((one.amount or 0) for one in counted) * 100), "control_sum": float(delivery.control * 100)}
    if not plan.feed.may_be_empty:
        newest = max((one.newest for one in counted if one.newest), default=None)
        figures["days_behind"] = (delivery.business_date - newest).days if newest else None
        figures["volume_ratio"] = _ratio(delivery.business_date, volumes, days)
    return figures


def _is_many(aside: int, rows: int, limits: DeliveryLimits) -> bool:
    """Enough rows to speak of a share: more than a few, or a small delivery of which nothing is sound."""
    return aside > limits.small_rows or (aside == rows and rows >= WHOLE_ROWS)


def _ratio(day: date, volumes: Mapping[date, int], days: int) -> float | None:
    before = [volumes[day - timedelta(days=n)] for n in range(1, days + 1) if day - timedelta(days=n) in volumes]
    median = statistics.median(before) if len(before) >= MEDIAN_DAYS else 0
    return volumes[day] / median if median else None


def refuse(verdicts: Sequence[Verdict], order: Order) -> None:
    """Raises DataRejectedError when a rule whose consequence is to stop was broken and is not waived."""
    broken = [outcome for verdict in verdicts for outcome in verdict.outcomes if outcome.stops and not _is_waived(outcome, order)]
    if broken:
        described = [
            f"[{one.feed} -> {one.table}] breaks [{one.rule}] ({one.because}): {one.unexpected_rows} of {one.checked_rows}{_seen(one)}"
            for one in broken
        ]
        raise DataRejectedError(f"Rejected as a whole, nothing landed: {'; '.join(described)}")


def _seen(outcome: Outcome) -> str:
    return f", {outcome.observed}" if outcome.observed else ""


def _is_waived(outcome: Outcome, order: Order) -> bool:
    """A delivery rule of a range is excused only if every day of it is."""
    return bool(order.days) and all(
        any(waiver.covers(check=outcome.rule, feed=outcome.feed, day=day) for waiver in order.waivers) for day in order.days
    )
