"""The main job: a bank's history, models and nights through Airflow's DAGs, then one page about them.

Steps that are done stay done: after a failure it goes on with the first open one, and a second demo on the same data and
code ends at once without starting anything.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import lock
from jobs.context import now
from jobs.errors import ChainBrokenError, UsageError
from jobs.report_page import console, summary
from jobs.runner import load_settings
from jobs.scheduling import chain, memory, plan, record, services
from jobs.scheduling.services import BIN, House
from jobs.scheduling.watch import Watch, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from conf.settings import Settings
    from jobs.scheduling.memory import Peak
    from jobs.scheduling.plan import Plan
    from jobs.scheduling.record import Record

ENVIRONMENT = "demo"
END = date(2025, 12, 31)
FIGURES = "demo.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", default="bank", help="bank: simulated (default), or the mapping of a bulk source, as berka")
    parser.add_argument("--data", type=Path, help="folder of the bulk source's files")
    parser.add_argument("--customers", type=int, default=4000, help="of the simulated bank (default %(default)s)")
    parser.add_argument("--months", type=int, default=48, help="history of the simulated bank (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated bank (default %(default)s)")
    parser.add_argument("--end", type=date.fromisoformat, default=END, help="last business date of its history (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    _deploy(arguments)
    settings = load_settings()
    chosen, asked = _plan(arguments, settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    # Airflow's programs have to be ended however the demo ends, by a closed terminal too.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    with lock.held(settings.home, "demo"):
        kept = record.resume(settings, asked)
        Demo(plan=chosen, settings=settings, record=kept).carry_out()
    _summary(settings, kept)
    return 0


def _deploy(arguments: argparse.Namespace) -> None:
    """Where this demo lives, told the way every deployment is told: by variables, which the commands below inherit."""
    os.environ.setdefault("KEQUN_ENV", ENVIRONMENT)
    os.environ.setdefault("KEQUN_HOME", f".kequn/{arguments.source}")
    os.environ["KEQUN_HOME"] = str(Path(os.environ["KEQUN_HOME"]).absolute())
    os.environ["KEQUN_SOURCE"] = arguments.source
    if arguments.source == "bank":
        os.environ.pop("KEQUN_LANDING", None)
        return
    if arguments.data is None or not arguments.data.is_dir():
        raise UsageError(f"The source [{arguments.source}] needs the folder of its files; [{arguments.data}] is none, give one by --data")
    os.environ["KEQUN_LANDING"] = str(arguments.data.absolute())


def _plan(arguments: argparse.Namespace, settings: Settings) -> tuple[Plan, dict[str, Any]]:
    """The plan, and what was asked for in words that can be compared."""
    if arguments.source != "bank":
        return plan.for_source(arguments.source), {"source": arguments.source, "data": os.environ["KEQUN_LANDING"]}
    asked = {"customers": arguments.customers, "months": arguments.months, "seed": arguments.seed, "end": arguments.end}
    return plan.for_bank(**asked, home=settings.home), {"source": "bank", **asked}


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One demo being carried out."""

    plan: Plan
    settings: Settings
    record: Record

    @property
    def house(self) -> House:
        return House(settings=self.settings)

    def carry_out(self) -> None:
        """Take every open step in order. Raises ChainBrokenError; ends Airflow whatever happens."""
        steps = self._steps()
        open_runs = [name for name in steps if name not in self.record.done]
        if not open_runs and "report" in self.record.done and (self.settings.reports / summary.FILE).exists():
            say("nothing to do: same data, same code, every step is done")
            return
        self.record.write(self.settings)
        with memory.sampled() as peak:
            if open_runs:
                self._with_airflow(steps, open_runs, peak)
            self._take("report", self._report, peak)

    def _with_airflow(self, steps: dict[str, Callable[[Watch], None]], names: list[str], peak: Peak) -> None:
        """Airflow starts while the bank is simulated."""
        try:
            services.stop(self.house)
            with self._simulation(peak):
                say("Airflow starts")
                services.start(self.house)
                airflow = services.wait(self.house)
                say(f"Airflow is ready at http://localhost:{airflow.port}")
            watch = Watch(house=self.house, airflow=airflow, deadline_seconds=self.settings.schedule.deadline_minutes * 60.0)
            self._close_leftovers(watch)
            for name in names:
                self._take(name, lambda name=name: steps[name](watch), peak)  # type: ignore[misc]
        finally:
            say("Airflow ends")
            services.stop(self.house)

    def _steps(self) -> dict[str, Callable[[Watch], None]]:
        """Name -> what Airflow is asked for."""
        steps: dict[str, Callable[[Watch], None]] = {}
        for history in self.plan.histories:
            steps[f"history {history.first}..{history.last}"] = lambda watch, asked=history.conf: watch.wait_for_run(  # type: ignore[misc]
                watch.airflow.post(chain.HISTORY, conf=asked)
            )
        steps[f"models {self.plan.models}"] = lambda watch: watch.wait_for_run(watch.airflow.post(chain.MODELS, key=str(self.plan.models)))
        for night in self.plan.nights:
            steps[f"night {night}"] = lambda watch, key=str(night): _night(watch, key)  # type: ignore[misc]
        return steps

    def _take(self, name: str, step: Callable[[], None], peak: Peak) -> None:
        begun = time.monotonic()
        peak.take()
        say(f"{name} ...")
        step()
        self._note(name, begun, peak)

    def _note(self, name: str, begun: float, peak: Peak) -> None:
        took = {"seconds": round(time.monotonic() - begun, 1), "peak_mb": peak.take()}
        self.record.done[name] = took
        self.record.write(self.settings)
        say(f"{name}: {took['seconds']:.1f} s, peak memory {took['peak_mb']} MiB")

    @contextmanager
    def _simulation(self, peak: Peak) -> Iterator[None]:
        """Simulate beside the block, if it is not done. Raises ChainBrokenError when it failed."""
        if not self.plan.simulate or record.SIMULATE in self.record.done:
            self.record.landing = self.record.landing or record.landing_state(self.settings.landing)
            yield
            return
        begun = time.monotonic()
        say("simulate ...")
        simulation = subprocess.Popen((str(BIN / "kequn"), *self.plan.simulate), stdout=subprocess.DEVNULL)
        try:
            yield
            if simulation.wait():
                raise ChainBrokenError(f"[kequn {' '.join(self.plan.simulate)}] ended with code [{simulation.returncode}]")
        finally:
            simulation.kill()
            simulation.wait()
        self.record.landing = record.landing_state(self.settings.landing)
        self._note(record.SIMULATE, begun, peak)

    def _close_leftovers(self, watch: Watch) -> None:
        """Runs that an earlier demo left open when it was ended would hold up ours."""
        for dag_id in chain.DAGS:
            for left in watch.airflow.runs(dag_id):
                if left.is_open:
                    watch.airflow.give_up(left)

    def _report(self) -> None:
        self.settings.reports.mkdir(parents=True, exist_ok=True)
        figures = {"steps": self.record.done, "peak_mb": max(int(took["peak_mb"]) for took in self.record.done.values())}
        measured = self.settings.reports / FIGURES
        measured.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        words = ("report", "--from", str(self.plan.first), "--to", str(self.plan.last), "--measured", str(measured))
        ran = subprocess.run((str(BIN / "kequn"), *words), stdout=subprocess.DEVNULL, check=False)
        if ran.returncode:
            raise ChainBrokenError(f"[kequn {' '.join(words)}] ended with code [{ran.returncode}]")


def _night(watch: Watch, key: str) -> None:
    since = now()
    watch.airflow.post(chain.CHAIN[0], key=key)
    watch.wait_for_date(key, since)


def _summary(settings: Settings, kept: Record) -> None:
    took = kept.done.values()
    print(f"\n{'step':<40} {'seconds':>8} {'peak MiB':>9}")
    for name, each in kept.done.items():
        print(f"{name:<40} {each['seconds']:8.1f} {each['peak_mb']:9.0f}")
    print(f"{'all':<40} {sum(each['seconds'] for each in took):8.1f} {max(each['peak_mb'] for each in took):9.0f}")
    print()
    print("\n".join(console.lines(json.loads((settings.reports / summary.FILE).read_text(encoding="utf-8")))))
    print(f"\nsummary  {settings.reports / summary.FILE}\nreport   {settings.reports / 'report.html'}")
