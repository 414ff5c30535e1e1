"""Kill every job of the chain at random moments and compare the tables with those of an undisturbed chain.

`python -m tests.kill_every_job --customers 600 --months 42 --kills 2 --seed 1` (an hour; CI kills every way of writing
instead, tests/integration/test_kill.py). A smaller bank has too few who leave for a model, and then nothing to score with. Each command of a history and a night runs in two homes on the same landing zone:
undisturbed in one; in the other it is killed, JVM included, `--kills` times at random moments and then run to its end.
Ends with 1 when an exit code or the content of any table differs; names the table and how many rows.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from jobs.scheduling import plan

# Clocks, identities of attempts, and versions that a clock decides; of the facts in ops only that they are there once.
CLOCKS = {"run_id", "known_at", "updated_at", "finished_at", "seconds", "peak_mb", "inputs", "outputs", "figures", "code_version"}


@dataclass(frozen=True)
class Home:
    path: Path

    def start(self, command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "KEQUN_HOME": str(self.path), "KEQUN_LANDING": str(self.path.parent / "landing")}
        with (self.path / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "jobs", *command.split()], env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def run(self, command: str) -> tuple[int, float]:
        began = time.monotonic()
        return self.start(command).wait(), time.monotonic() - began

    def kill(self, command: str, *, after: float) -> bool:
        """Whether it was still running."""
        process = self.start(command)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        return False

    def tables(self) -> Iterator[tuple[str, Path]]:
        for log in sorted((self.path / "warehouse").glob("*/*/_delta_log")):
            yield f"{log.parents[1].name}.{log.parent.name}", log.parent


def content(table: Path) -> Counter[tuple[str, ...]]:
    """The rows of a table and how often each is there, without what a clock decides."""
    dataset = DeltaTable(str(table)).to_pyarrow_dataset()
    names = [name for name in dataset.schema.names if name not in CLOCKS]
    return Counter(tuple(str(row[name]) for name in names) for row in map(_compared, dataset.to_table(columns=names).to_pylist()))


def _compared(row: dict[str, Any]) -> dict[str, Any]:
    # Files that a killed housekeeping had packed are packed: the run that ends it tells of the rest.
    return row | {"rows": ""} if row.get("job") == "maintain" else row


def commands(*, history: plan.History, night: date) -> Iterator[str]:
    """The chain: a history in ranges, models, a night."""
    groups = ("reference", "channel", "transactions", "credit")
    month_ends = f"--from {history.features_first} --to {history.features_last} --month-ends"
    for dates, features in ((f"--from {history.first} --to {history.last}", month_ends), (f"--as-of {night}", f"--as-of {night}")):
        yield from (f"ingest --group {group} {dates}" for group in groups)
        yield from (f"ingest --seal {dates}", f"features {features}", f"segments {features}")
        if features == month_ends:
            yield f"labels {month_ends}"
            yield from (f"train --model {model} --as-of {history.last}" for model in ("churn", "value"))
    yield from (f"score --model {model} --as-of {night}" for model in ("churn", "value"))
    yield from (f"publish --as-of {night}", f"maintain --as-of {night}", f"report --from {night} --to {night}")


def differing(calm: Home, disturbed: Home) -> list[str]:
    here, there = dict(calm.tables()), dict(disturbed.tables())
    problems = [f"{name} is in one home only" for name in sorted(set(here) ^ set(there))]
    for name in sorted(set(here) & set(there)):
        missing, extra = content(here[name]), content(there[name])
        lost, more = (missing - extra).total(), (extra - missing).total()
        if lost or more:
            problems.append(f"{name}: [{lost}] rows of the undisturbed chain are missing, [{more}] are more")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill every job of the chain at random moments; compare the tables.")
    parser.add_argument("--customers", type=int, default=600)
    parser.add_argument("--months", type=int, default=42)
    parser.add_argument("--kills", type=int, default=2, help="kills before each command may end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the homes behind to look at")
    arguments = parser.parse_args()
    chance, root = random.Random(arguments.seed), Path(tempfile.mkdtemp(prefix="kequn-kill-"))
    calm, disturbed = (Home(root / name) for name in ("calm", "disturbed"))
    for home in (calm, disturbed):
        home.path.mkdir()
    end = date(2025, 12, 31)
    planned = plan.for_bank(customers=arguments.customers, months=arguments.months, seed=arguments.seed, end=end, home=root)
    problems = [] if calm.run(" ".join(planned.simulate))[0] == 0 else ["the simulation failed"]
    for command in commands(history=planned.histories[0], night=end + timedelta(days=1)) if not problems else ():
        code, seconds = calm.run(command)
        killed = sum(disturbed.kill(command, after=seconds * chance.uniform(0.05, 0.95)) for _ in range(arguments.kills))
        ended, _ = disturbed.run(command)
        print(f"{command}: exit [{code}] in [{seconds:.0f}] s; killed [{killed}] times, then exit [{ended}]", flush=True)
        problems += [f"{command}: exit [{ended}], undisturbed [{code}]"] if ended != code else []
    problems += differing(calm, disturbed)
    print("\n".join(problems) if problems else f"equal: {len(dict(calm.tables()))} tables")
    if not (arguments.keep or problems):
        shutil.rmtree(root)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
