"""The bank that the benchmarks run on: simulated and ingested once per scale, by the product's own commands.

Every run that writes gets a warehouse of its own, made of hard links: files of Delta tables are never changed in place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.contest import Ran
from benchmarks.processes import watched
from conf import settings as conf
from conf.settings import Settings
from jobs import session
from jobs.build import window_states
from jobs.context import JobContext, Request, new_run_id, now

ROOT = Path(__file__).parents[1] / ".kequn" / "bench"
# The night of the benchmarks, and what is stored before it.
NIGHT = date(2025, 12, 31)
EVE = NIGHT - timedelta(days=1)
# Dates that late rows concern.
LATE_DAYS = 45
GROUPS = ("reference", "channel", "transactions", "credit")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """transactions: made up, of two years, beside those of the simulated bank. labels, stored_customers: of what point-in-time lookups are asked for and look through, over `stored_dates` dates."""

    name: str
    customers: int
    months: int
    transactions: int
    memory: str
    shuffle_partitions: int
    labels: int
    stored_customers: int
    stored_dates: int
    rolling_customers: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale(name="small", transactions=200_000, customers=2_000, months=26, memory="4g", shuffle_partitions=2, labels=5_000, stored_customers=2_000, stored_dates=90, rolling_customers=200),
        Scale(name="full", transactions=20_000_000, customers=200_000, months=26, memory="10g", shuffle_partitions=8, labels=100_000, stored_customers=20_000, stored_dates=365, rolling_customers=2_000),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Home:
    """A deployment's folder."""

    scale: Scale
    path: Path

    @property
    def settings(self) -> Settings:
        loaded = conf.load("local", variables={"KEQUN_HOME": str(self.path)})
        sizes = {"master": "local[2]", "driver_memory": self.scale.memory, "shuffle_partitions": self.scale.shuffle_partitions}
        return loaded.model_copy(update={"spark": loaded.spark.model_copy(update=sizes)})

    def context(
        self, spark: SparkSession, since: date, until: date | None = None, *, generation: int = 0, force: bool = False
    ) -> JobContext:
        request = Request(job="features", since=since, until=until or since, force=force)
        return JobContext(
            settings=self.settings, request=request, spark=spark, run_id=new_run_id(), generation=generation, started_at=now(),
        )  # fmt: skip

    def command(self, words: str) -> Ran:
        """Run a command of the product as a process of its own. Raises CalledProcessError, with what it said."""
        line, began = [sys.executable, "-m", "jobs", *words.split()], time.perf_counter()
        with subprocess.Popen(line, env=self._environment, text=True, stdout=subprocess.PIPE) as process, watched(process.pid) as seen:
            told, _ = process.communicate()
            seconds = time.perf_counter() - began
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, line, told)
        peak_mb, read = seen()
        return Ran(seconds=seconds, peak_mb=peak_mb, bytes_read=read)

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEQUN_")}
        # The memory of the settings is a laptop's; what the JVM is told here goes before what Spark tells it.
        memory = f"-Xmx{self.scale.memory}"
        return kept | {"KEQUN_HOME": str(self.path), "KEQUN_ENV": "local", "PYTHONWARNINGS": "ignore", "_JAVA_OPTIONS": memory}

    def copied(self, folder: Path) -> Home:
        """Another home with the same tables, which share their files until either writes."""
        path = Path(tempfile.mkdtemp(dir=folder))
        linked(self.path / "warehouse", path / "warehouse")
        return Home(self.scale, path)


def linked(folder: Path, other: Path) -> None:
    """The folder once more, of hard links: files of Delta tables are never changed in place."""
    shutil.copytree(folder, other, copy_function=os.link)


@contextmanager
def scratch(scale: Scale) -> Iterator[Path]:
    """A folder on the same disk, removed at the end."""
    home = ROOT / scale.name
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def ingested(scale: Scale) -> Home:
    """The bank's history in core tables, and features of the month-ends of a year and of the eve of NIGHT."""
    home = Home(scale, ROOT / scale.name / "bank")
    mark = home.path / "ingested"
    first = date(NIGHT.year - (scale.months - 1) // 12, 12 - (scale.months - 1) % 12, 1)
    if not mark.exists():
        home.path.mkdir(parents=True, exist_ok=True)
        simulate = f"simulate --customers {scale.customers} --months {scale.months} --seed 1 --end {NIGHT} --out {home.path}"
        ingests = [f"ingest --group {group} --from {first} --to {NIGHT}" for group in GROUPS]
        for words in (simulate, *ingests, f"ingest --seal --from {first} --to {NIGHT}"):
            _said(home, words)
        mark.touch()
    _prepared(home, f"features --from {NIGHT - timedelta(days=364)} --to {EVE} --month-ends", f"features --as-of {EVE}")
    return home


def with_daily_features(bank: Home) -> Home:
    """The bank once more, where features are stored of the LATE_DAYS dates up to NIGHT; in its folder, so that who removes the bank removes both."""
    daily = Home(bank.scale, bank.path / "daily")
    if not daily.path.exists():
        half = daily.path.with_name("daily-half")
        shutil.rmtree(half, ignore_errors=True)
        linked(bank.path / "warehouse", half / "warehouse")
        half.rename(daily.path)
    _prepared(daily, f"features --from {NIGHT - timedelta(days=LATE_DAYS - 1)} --to {NIGHT}")
    return daily


def _prepared(home: Home, *commands: str) -> None:
    """Run the commands, unless the code that makes tiles and states has: what other code made a night makes again, and would be timed with it."""
    mark = home.path / f"features-{window_states.made_by()}"
    if not mark.exists():
        for words in commands:
            _said(home, words)
        mark.touch()


def _said(home: Home, words: str) -> None:
    print(f"preparing: {words.split(' --out', maxsplit=1)[0]}: {home.command(words).seconds:.0f} s", flush=True)


@contextmanager
def spark_of(scale: Scale, folder: Path) -> Iterator[SparkSession]:
    """One session for all benchmarks of a process."""
    built = session.build(Home(scale, folder).settings, name="benchmarks")
    try:
        yield built
    finally:
        built.stop()
