"""Where contests are held."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks import bank, made_up
from benchmarks.bank import NIGHT, Home, Scale
from jobs.context import JobContext


@dataclass(frozen=True)
class Ground:
    """A scale, a session, and a folder for what contests write. root: where what is made once is kept."""

    scale: Scale
    spark: SparkSession
    folder: Path
    root: Path = bank.ROOT

    @cached_property
    def bank(self) -> Home:
        """The simulated bank, ingested when the first contest asks for it."""
        return bank.ingested(self.scale)

    @cached_property
    def transactions(self) -> Home:
        """Made-up transactions and their tiles, nothing else."""
        return made_up.with_transactions(self.scale, self.empty().context(self.spark, NIGHT), self.root)

    def fresh(self) -> Path:
        """A folder that does not exist yet."""
        return Path(tempfile.mkdtemp(dir=self.folder)) / "rows"

    def copy(self) -> Home:
        """A home of its own with the bank's tables."""
        return self.bank.copied(self.folder)

    def empty(self) -> Home:
        """A home without tables."""
        return Home(self.scale, Path(tempfile.mkdtemp(dir=self.folder)))

    def night(self, home: Home, **more: Any) -> JobContext:
        return home.context(self.spark, NIGHT, **more)
