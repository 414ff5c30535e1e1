"""The landing zone: which deliveries are there, and whether each file is what its manifest says. No Spark here.

`landing/<feed>/business_date=D/_manifest.json` makes a delivery ready. A delivery that does not match its manifest or its
mapping is rejected as a whole.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.errors import InputNotReadyError
from jobs.ingest import files
from jobs.ingest.files import Problem
from jobs.ingest.refusal import Breach, DeliveryRejectedError, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from conf.sources import Feed
    from conf.waivers import Waiver

THREADS = 8


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str = Field(pattern="^[^/]+$")  # in the manifest's own folder: the folder tells feed and date
    rows: int = Field(ge=0)
    sha256: str
    bytes: int


class _Control(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    amount_sum: Decimal | None = None


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    source: str
    feed: str
    business_date: date
    schema_version: int | str
    produced_at: datetime
    files: tuple[_File, ...]
    rows: int
    control: _Control | None = None


@dataclass(frozen=True, kw_only=True)
class LandedFile:
    path: Path
    rows: int
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A feed's files for one business date. control: sum of the feed's amounts, in its unit; None where none is given."""

    feed: str
    business_date: date
    produced_at: datetime
    source: str
    folder: Path
    files: tuple[LandedFile, ...]
    rows: int
    control: Decimal | None
    digest: str

    @property
    def place(self) -> str:
        return f"{self.feed}/business_date={self.business_date}"


def manifest_path(landing: Path, feed: str, day: date) -> Path:
    return landing / feed / f"business_date={day}" / "_manifest.json"


def discover(landing: Path, *, feeds: Collection[str], days: Sequence[date], waivers: Sequence[Waiver]) -> dict[str, list[Delivery]]:
    """The deliveries of feeds for days, by feed and in order of dates.

    Raises InputNotReadyError for those that are not there and not waived, DataRejectedError for unreadable manifests.
    """
    wanted = [(feed, day) for feed in feeds for day in days]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda one: _read(manifest_path(landing, *one)), wanted))
    missing = [
        one for one, text in zip(wanted, found, strict=True)
        if text is None and not any(w.covers(check="delivery", feed=one[0], day=one[1]) for w in waivers)
    ]  # fmt: skip
    if missing:
        raise InputNotReadyError(
            f"No manifest yet in [{landing}] for {described(missing)}; wait for the delivery, or add a waiver to conf/waivers.yml"
        )
    deliveries: dict[str, list[Delivery]] = {feed: [] for feed in feeds}
    for (feed, day), text in zip(wanted, found, strict=True):
        if text is not None:
            deliveries[feed].append(_delivery(landing, feed, day, text))
    for feed, ones in deliveries.items():
        _known_apart(feed, ones)
    return deliveries


def described(missing: Iterable[tuple[str, date]]) -> str:
    """Feeds and dates, shortened: `balances [2025-01-01, 2025-01-03 .. 2025-02-28 (40 dates)]`."""
    by_feed: dict[str, list[date]] = {}
    for feed, day in missing:
        by_feed.setdefault(feed, []).append(day)
    parts = []
    for feed, days in sorted(by_feed.items()):
        shown = ", ".join(map(str, days)) if len(days) <= 3 else f"{days[0]}, {days[1]} .. {days[-1]} ({len(days)} dates)"
        parts.append(f"{feed} [{shown}]")
    return "; ".join(parts)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _delivery(landing: Path, feed: str, day: date, text: bytes) -> Delivery:
    path = manifest_path(landing, feed, day)
    try:
        manifest = _Manifest.model_validate_json(text)
    except ValidationError as error:
        said = f"The manifest [{path}] can't be read: {error}; ask the source to deliver again"
        raise _rejected("manifest_is_readable", said, feed=feed, day=day) from error
    if (manifest.feed, manifest.business_date) != (feed, day):
        said = f"The manifest [{path}] is of feed [{manifest.feed}] and date [{manifest.business_date}]; it lies in the wrong folder"
        raise _rejected("manifest_is_in_its_folder", said, feed=feed, day=day)
    if manifest.produced_at.tzinfo is None:
        said = f"The manifest [{path}] says produced_at [{manifest.produced_at}] without a zone; known time needs one"
        raise _rejected("manifest_is_readable", said, feed=feed, day=day)
    return Delivery(
        feed=feed, business_date=day, produced_at=manifest.produced_at, source=manifest.source, folder=path.parent, rows=manifest.rows,
        control=manifest.control.amount_sum if manifest.control else None, digest=hashlib.sha256(text).hexdigest(),
        files=tuple(LandedFile(path=path.parent / one.name, rows=one.rows, sha256=one.sha256, bytes=one.bytes) for one in manifest.files),
    )  # fmt: skip


def _rejected(rule: str, said: str, *, feed: str, day: date) -> DeliveryRejectedError:
    return DeliveryRejectedError(said, [Breach(rule=rule, said=said, feed=feed, day=day)])


def _known_apart(feed: str, deliveries: Sequence[Delivery]) -> None:
    """Known intervals start at produced_at: two deliveries of the same instant could not be told apart."""
    by_instant: dict[datetime, Delivery] = {}
    for delivery in deliveries:
        other = by_instant.setdefault(delivery.produced_at, delivery)
        if other is not delivery:
            said = f"[{other.place}] and [{delivery.place}] both say produced_at [{delivery.produced_at}]; deliveries of [{feed}] must be told apart"
            raise _rejected("deliveries_are_told_apart", said, feed=feed, day=delivery.business_date)


def digests(deliveries: Mapping[str, Sequence[Delivery]]) -> dict[str, str]:
    """Per feed one digest over its manifests: what a run stands on."""
    return {
        feed: hashlib.sha256(json.dumps([(str(one.business_date), one.digest) for one in ones]).encode()).hexdigest()[:16]
        for feed, ones in deliveries.items()
    }


def verify(deliveries: Mapping[str, Sequence[Delivery]], feeds: Mapping[str, Feed], *, source: str) -> None:
    """Hold every file against its manifest and its mapping, in one pass over the bytes of each.

    Raises DataRejectedError that lists what is wrong; nothing of the group then lands.
    """
    work = [(delivery, feeds[feed]) for feed, ones in deliveries.items() for delivery in ones]
    with ThreadPoolExecutor(THREADS) as pool:
        breaches = [breach for found in pool.map(lambda one: _breaches(*one, source=source), work) for breach in found]
    if breaches:
        raise DeliveryRejectedError(f"Rejected as a whole, nothing landed: {shortened(breaches)}", breaches)


def _breaches(delivery: Delivery, feed: Feed, *, source: str) -> list[Breach]:
    return [
        Breach(rule=problem.rule, said=problem.said, feed=delivery.feed, day=delivery.business_date)
        for problem in _problems(delivery, feed, source=source)
    ]


def _problems(delivery: Delivery, feed: Feed, *, source: str) -> list[Problem]:
    if delivery.source != source:
        return [Problem("source_is_ours", f"[{delivery.place}] is a feed of [{delivery.source}], this deployment ingests [{source}]")]
    problems = [Problem(rule, f"[{delivery.place}]: {said}") for rule, said in _outline(delivery)]
    for file in delivery.files:
        problems += [Problem(rule, f"[{delivery.place}/{file.path.name}]: {said}") for rule, said in files.problems(file, feed)]
    return problems


def _outline(delivery: Delivery) -> list[Problem]:
    """What the manifest says as a whole, against itself and the folder."""
    problems = []
    if (listed := sum(file.rows for file in delivery.files)) != delivery.rows:
        problems.append(Problem("manifest_adds_up", f"the manifest says [{delivery.rows}] rows, its files add up to [{listed}]"))
    named = {file.path.name for file in delivery.files}
    extra = sorted(path.name for path in delivery.folder.iterdir() if path.name not in named and path.name[0] not in "._")
    problems += [Problem("files_are_named", f"holds {extra}, which the manifest does not name")] if extra else []
    return problems


def check_not_empty(deliveries: Mapping[str, Sequence[Delivery]], feeds: Mapping[str, Feed], *, is_working_day: Any) -> None:
    """Raises DataRejectedError where a feed that always has rows comes without any on a working day."""
    empty = [
        (name, delivery.business_date) for name, ones in deliveries.items() if not feeds[name].may_be_empty
        for delivery in ones if not delivery.rows and is_working_day(delivery.business_date)
    ]  # fmt: skip
    if empty:
        raise DeliveryRejectedError(
            f"Empty on a working day: {described(empty)}; ask the source, or declare may_be_empty in the mapping",
            [
                Breach(rule="not_empty_on_a_working_day", said=f"[{feed}/business_date={day}] has no rows", feed=feed, day=day)
                for feed, day in empty
            ],
        )
