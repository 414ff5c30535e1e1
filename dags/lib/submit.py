"""The task where the profile submits to a cluster: the same job, handed to spark-submit by the provider's operator.

Imported only then: a reattach after a lost worker works with YARN, Kubernetes and standalone cluster mode alone.
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

EXIT_CODE = re.compile(r"Error code is: (\d+)")


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
            found = EXIT_CODE.search(str(failure))
            settle(int(found.group(1)) if found else None, failure, self.log)
