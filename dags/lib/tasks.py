"""The one kind of task: a `kequn` command as a process of its own, its exit code read as the contract of jobs says.

The command dies with its worker (`setpriv --pdeathsig`): a killed worker would else leave a JVM that writes beside the
retry. Nothing travels through XCom; what a job did is in ops.run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import TaskGroup, chain
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from conf import settings as conf

if TYPE_CHECKING:
    import logging

    from airflow.sdk import Asset, BaseOperator, Context

# The business date is the run's partition key. A run without one would render the text None: `missing` of an unknown
# name fails the rendering instead, before any command starts.
_KEY = "dag_run.partition_key or undefined_business_date.missing"
AS_OF = f"{{{{ {_KEY} }}}}"
# The month-end that the key is, else the one before it: a run on the 1st would else stand on a day that has only begun.
_MONTH_END = f"macros.ds_add(macros.ds_add({_KEY}, 1)[:7] ~ '-01', -1)"
MONTH_END = f"{{{{ {_MONTH_END} }}}}"
# Two months more than the longest outcome window: the month-ends whose outcome became complete lately.
LABELS_SINCE = f"{{{{ macros.ds_add({_MONTH_END}, -430) }}}}"

GROUPS = ("channel", "transactions", "credit")  # reference comes first: owners, currencies and rates are read from it

# Exit codes of jobs.errors. Another try can't mend these:
WRONG_USAGE, CONFIGURATION, DATA_REJECTED = 2, 10, 20
HOPELESS = frozenset({WRONG_USAGE, CONFIGURATION, DATA_REJECTED})
MODEL_GATE = 50  # the champion stays, the night goes on
ROOT = Path(__file__).parents[2]


def settle(code: int | None, failure: AirflowException, log: logging.Logger) -> None:
    """What follows from a job's exit code: a warning, a failure for good, or another try."""
    if code == MODEL_GATE:
        log.warning("exit code [50]: no model passed its gate; the champion stays and the chain goes on")
        return
    _fail(code, failure)


def _fail(code: int | None, failure: AirflowException) -> NoReturn:
    if code in HOPELESS:
        raise AirflowFailException(f"exit code [{code}]: another try can't mend it; read the last lines of the log") from failure
    raise failure


class JobOperator(BashOperator):
    """Runs `kequn <words>` of this environment."""

    def __init__(self, *, words: str, **arguments: Any) -> None:
        super().__init__(
            bash_command=f"exec setpriv --pdeathsig TERM kequn {words}",
            cwd=str(ROOT), skip_on_exit_code=None, do_xcom_push=False, **arguments,
        )  # fmt: skip

    def get_env(self, context: Context) -> dict[str, str]:
        """The worker's environment, with the commands of the interpreter that runs it first."""
        env: dict[str, str] = super().get_env(context)
        return {**env, "PATH": os.pathsep.join((str(Path(sys.executable).parent), env.get("PATH", os.defpath)))}

    def execute(self, context: Context) -> None:
        try:
            super().execute(context)
        except AirflowException as failure:
            process = self.subprocess_hook.sub_process
            settle(process.returncode if process else None, failure, self.log)


def job(task_id: str, words: str, **arguments: Any) -> BaseOperator:
    """A task that runs `kequn <words>`: as a local process, or by spark-submit where the profile says so."""
    if conf.load().schedule.submit == "spark-submit":
        from dags.lib.submit import SubmittedJobOperator

        return SubmittedJobOperator(task_id=task_id, words=words, **arguments)
    return JobOperator(task_id=task_id, words=words, **arguments)


def ingest(dates: str, *, outlets: tuple[Asset, ...] = ()) -> BaseOperator:
    """The four task groups of ingest and the task that joins them. Returns the joining task, which sends the asset."""
    reference, *others = [_group(name, dates) for name in ("reference", *GROUPS)]
    seal = job("seal", f"ingest --seal {dates}", outlets=list(outlets))
    chain(reference, others, seal)
    return seal


def _group(name: str, dates: str) -> TaskGroup:
    with TaskGroup(name) as group:
        job("ingest", f"ingest --group {name} {dates}")
    return group
