"""Borrow a warm JVM for one job, where the deployment keeps some (jobs/scheduling/jvms.py); else the job starts its own."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conf.settings import Settings

ADDRESS = "jvms.json"
GIVEN_BACK = "given back"
# What pyspark reads to use a running JVM instead of starting one.
PORT, SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"


@dataclass(frozen=True, kw_only=True)
class Loan:
    """A door of a JVM's own for one job."""

    pid: int
    port: int
    secret: str


def address_file(settings: Settings) -> Path:
    """Where the keeper of the JVMs tells its port and key; readable by its owner alone."""
    return settings.locks / ADDRESS


@contextmanager
def borrowed(settings: Settings, job: str = "") -> Iterator[int | None]:
    """Pyspark uses the borrowed JVM within the block. Yields its process id; None where there is none to borrow.

    job: its name and scope; a JVM that ran it before is preferred.

    The JVM is given back when the block ends well. Otherwise, and when this process dies, the connection breaks and the
    keeper kills the JVM: nothing that the job began goes on behind its back.
    """
    connection = _connection(settings) if settings.spark.warm_jvms else None
    loan = _loan(connection, job) if connection else None
    if connection is None or loan is None:
        yield None
        return
    with connection:
        os.environ |= {PORT: str(loan.port), SECRET: loan.secret}
        try:
            yield loan.pid
        finally:
            for name in (PORT, SECRET):
                os.environ.pop(name, None)
        connection.send(GIVEN_BACK)


def _connection(settings: Settings) -> Connection | None:
    with suppress(OSError, ValueError, AuthenticationError):
        told = json.loads(address_file(settings).read_text(encoding="utf-8"))
        return Client(("127.0.0.1", told["port"]), authkey=bytes.fromhex(told["key"]))
    return None


def _loan(connection: Connection, job: str) -> Loan | None:
    with suppress(EOFError, OSError):
        connection.send(job)
        loan: Loan | None = connection.recv()
        return loan
    return None
