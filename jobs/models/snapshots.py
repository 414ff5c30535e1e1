"""Which as-of dates a model is trained, calibrated and tested on. Dates only: pure and deterministic.

Out of time, always: the test is later than the end of every outcome window that training or calibration saw. A label
of date T looks at (T, T + horizon]; so a snapshot is usable for a test at D only if T + horizon <= D.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.errors import GateError, InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """As-of dates by use, each sorted; train before calibrate before test."""

    train: tuple[date, ...]
    calibrate: tuple[date, ...]
    test: tuple[date, ...]
    horizon_days: int

    def __post_init__(self) -> None:
        seen = max(*self.train, *self.calibrate) + timedelta(days=self.horizon_days)
        if min(self.test) < seen:
            raise InvariantError(f"Test date [{min(self.test)}] lies before [{seen}], the end of an outcome that training has seen")
        if min(self.calibrate) <= max(self.train):
            raise InvariantError(f"Calibration starts at [{min(self.calibrate)}], not after the last training date [{max(self.train)}]")

    @property
    def dates(self) -> tuple[date, ...]:
        return (*self.train, *self.calibrate, *self.test)

    def as_text(self) -> dict[str, list[str]]:
        return {"train": list(map(str, self.train)), "calibrate": list(map(str, self.calibrate)), "test": list(map(str, self.test))}


def choose(labelled: Iterable[date], *, horizon_days: int, until: date, train: int, calibrate: int) -> Snapshots:
    """The test is the latest date whose outcome ended by `until`; before it the latest `calibrate`, before those `train` dates.

    Raises GateError with the counts when there are too few.
    """
    complete = sorted({day for day in labelled if day + timedelta(days=horizon_days) <= until})
    if not complete:
        raise GateError(
            f"No labelled date has its outcome of [{horizon_days}] days complete by [{until}]; build labels for earlier dates, or train later"
        )
    test = complete[-1]
    usable = [day for day in complete if day + timedelta(days=horizon_days) <= test]
    if len(usable) < train + calibrate:
        raise GateError(
            f"Too few monthly snapshots: [{len(usable)}] of [{len(complete)}] labelled dates end their outcome of [{horizon_days}] days before the "
            f"test date [{test}], [{train}] to train and [{calibrate}] to calibrate are needed; build features and labels for earlier month-ends"
        )
    return Snapshots(
        train=tuple(usable[-(train + calibrate) : -calibrate]),
        calibrate=tuple(usable[-calibrate:]),
        test=(test,),
        horizon_days=horizon_days,
    )
