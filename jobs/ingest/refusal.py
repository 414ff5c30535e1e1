"""A refused delivery as a fact: what it broke is recorded outside the run, whose next attempt must be free to record again.

No Spark here: most of what is refused is so before a row is read.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from expectations.contracts.types import Severity
from expectations.landing import LANDING_RULES
from jobs import quality
from jobs.errors import DataRejectedError
from jobs.quality import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from jobs.context import RunContext
    from jobs.ingest.order import Order

SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Breach:
    """What a delivery breaks before a row of it is read. feed, day: None where all feeds, all days stand on what is broken."""

    rule: str
    said: str
    feed: str | None = None
    day: date | None = None


class DeliveryRejectedError(DataRejectedError):
    """Rejected before a row was read."""

    def __init__(self, message: str, breaches: Sequence[Breach]) -> None:
        super().__init__(message)
        self.breaches = tuple(breaches)


def shortened(breaches: Sequence[Breach]) -> str:
    """What was seen, in one sentence."""
    more = f"; and {len(breaches) - SHOWN} more" if len(breaches) > SHOWN else ""
    return f"{'; '.join(one.said for one in breaches[:SHOWN])}{more}"


@contextmanager
def told(run: RunContext, order: Order) -> Iterator[None]:
    """A delivery that is rejected inside is a fact before the error goes on."""
    try:
        yield
    except DeliveryRejectedError as error:
        record(run, _outcomes(error.breaches, order))
        raise


def record(run: RunContext, outcomes: Sequence[Outcome]) -> None:
    """Append the outcomes of a refusal. Raises nothing: the refusal is what has to be heard."""
    request = replace(run.request, job=f"{run.request.job}-rejected")
    try:
        quality.record(replace(run, request=request, generation=int(run.started_at.timestamp())), outcomes)
    except Exception as error:  # noqa: BLE001 whatever it is, the refusal goes on
        sys.stderr.write(f"kequn {run.request.job}: the refusal could not be recorded: {error}\n")


def _outcomes(breaches: Sequence[Breach], order: Order) -> list[Outcome]:
    """Grain: feed × table × broken rule; what is counted are deliveries."""
    days = max(len(order.days), 1)
    outcomes = []
    for plan in order.targets:
        by_rule: dict[str, list[Breach]] = {}
        for one in breaches:
            if one.feed in {None, plan.feed_name}:
                by_rule.setdefault(one.rule, []).append(one)
        outcomes += [
            Outcome(
                feed=plan.feed_name, table=plan.table.full_name, rule=rule, because=LANDING_RULES[rule], severity=Severity.STOP, passed=False,
                checked_rows=days, unexpected_rows=days if any(one.day is None for one in ones) else len({one.day for one in ones}),
                observed=shortened(ones),
            )
            for rule, ones in by_rule.items()
        ]  # fmt: skip
    return outcomes
