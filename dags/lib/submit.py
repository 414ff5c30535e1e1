"""The task where the profile submits to a cluster: the same job, handed to spark-submit by the provider's operator.

Imported only then: a reattach after a lost worker works with YARN, Kubernetes and standalone cluster mode alone. The
deploy mode is the connection's. In client mode, and on Kubernetes, the job's own exit code is told. Standalone and YARN in
cluster mode tell only that it failed, so every failure is tried again; YARN then also needs the operator's
`yarn_track_via_rm_api` and the address of its resource manager.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException

from conf import settings as conf
from dags.lib.tasks import ROOT, settle

if TYPE_CHECKING:
    from airflow.sdk import Context

# On Kubernetes spark-submit's own code comes first in the message and says nothing: the driver's follows it.
EXIT_CODES = (re.compile(r"Kubernetes spark exit code is: (\d+)"), re.compile(r"Error code is: (\d+)"))


def code_of(failure: str) -> int | None:
    """The exit code of the job that a failure of the provider's operator tells of."""
    return next((int(found.group(1)) for told in EXIT_CODES if (found := told.search(failure))), None)


class SubmittedJobOperator(SparkSubmitOperator):
    """Runs `kequn <words>` through the connection spark_default (an unset one means YARN)."""

    def __init__(self, *, words: str, **arguments: Any) -> None:
        super().__init__(
            application=str(ROOT / "jobs" / "__main__.py"),
            application_args=words.split(" "),
            name="kequn {{ task.task_id }}",
            jars=",".join(str(jar) for jar in sorted((Path(sys.prefix) / "jars").glob("*.jar"))),
            driver_memory=conf.load().spark.driver_memory,
            # Without it the folder of the application, jobs/, would be searched first for every import.
            env_vars={"PYTHONSAFEPATH": "1"},
            do_xcom_push=False,
            **arguments,
        )

    def execute(self, context: Context) -> None:
        try:
            super().execute(context)
        except AirflowException as failure:
            settle(code_of(str(failure)), failure, self.log)
