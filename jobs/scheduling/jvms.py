"""Keeps the warm JVMs of a deployment and lends each to one job at a time: `python -m jobs.scheduling.jvms`.

A JVM's first minute goes into loading and compiling Spark and Delta, which is most of what a job of a small bank costs.
A job that borrows a JVM makes a Spark context of its own in it, through a door (port, secret, table of objects) that is
opened for it alone and shut behind it. Only a job that ended well gives its JVM back; one that failed, was killed or
lost its worker breaks the connection, and its JVM is killed at once, so that nothing writes beside the retry.
"""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

from jobs import session
from jobs.runner import load_settings
from jobs.warm_jvm import GIVEN_BACK, Loan, address_file

if TYPE_CHECKING:
    from conf.settings import Settings

# A job may ask while the one before it is still giving back, or the first JVM still starts.
PATIENCE_SECONDS = 10.0


class Jvm:
    """A running JVM with Spark's classes and no context. The pipe to it ends it, should this process die."""

    def __init__(self, settings: Settings) -> None:
        started = SparkConf(loadDefaults=False).setAll(list(session.jvm_confs(settings).items()))
        self._gateway = launch_gateway(started)  # type: ignore[no-untyped-call]
        self._door: Any = None
        self.ran: set[str] = set()

    @property
    def pid(self) -> int:
        return int(self._gateway.proc.pid)

    def lend(self) -> Loan:
        """Open a door for one job; peak memory is counted from here."""
        java = self._gateway.jvm
        self._door = java.org.apache.spark.api.python.Py4JServer(java.SparkConf())
        self._door.start()
        with suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")
        return Loan(pid=self.pid, port=self._door.getListeningPort(), secret=self._door.secret())

    def take_back(self) -> None:
        """Shut the door, and with it let go of every object that the job held; forget tables' logs."""
        self._door.shutdown()
        self._door = None
        self._gateway.jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def kill(self) -> None:
        self._gateway.proc.kill()
        self._gateway.proc.wait()


class Keeper:
    """The JVMs that are idle, the one given back last at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[Jvm] = []
        self._changed = threading.Condition()

    def start_one(self) -> None:
        self._put(Jvm(self._settings))

    def _put(self, jvm: Jvm) -> None:
        with self._changed:
            self._idle.append(jvm)
            self._changed.notify()

    def _take(self, job: str) -> Jvm | None:
        """An idle JVM, best one that ran this job before: it has compiled what the job needs. None when all stay lent."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._idle, timeout=PATIENCE_SECONDS):
                return None
            jvm = max(reversed(self._idle), key=lambda idle: _likeness(job, idle.ran))
            self._idle.remove(jvm)
            return jvm

    def serve(self, connection: Connection) -> None:
        """Lend a JVM to the job at the other end until it gives it back or is gone; None when all are lent."""
        jvm, is_back = None, False
        with connection, suppress(EOFError, OSError, Py4JError):  # the job is gone, or the JVM
            job = connection.recv()
            jvm = self._take(job)
            connection.send(jvm.lend() if jvm else None)
            if jvm and connection.recv() == GIVEN_BACK:
                jvm.take_back()
                jvm.ran.add(job)
                is_back = True
        if jvm and is_back:
            self._put(jvm)
        elif jvm:
            jvm.kill()
            self.start_one()


def _likeness(job: str, ran: set[str]) -> int:
    """2 for the same job, 1 for one of the same name and another scope, 0 for neither."""
    name = job.split(" ", maxsplit=1)[0]
    return 2 if job in ran else int(any(one.split(" ", maxsplit=1)[0] == name for one in ran))


def keep(settings: Settings) -> None:
    """Start the JVMs, tell where they are to be had, and lend them until this process is ended."""
    key = secrets.token_bytes(32)
    keeper = Keeper(settings)
    with Listener(("127.0.0.1", 0), backlog=16, authkey=key) as listener:
        _tell(address_file(settings), {"port": listener.address[1], "key": key.hex()})
        for _ in range(settings.spark.warm_jvms):
            threading.Thread(target=keeper.start_one, daemon=True).start()
        while True:
            with suppress(OSError, EOFError, AuthenticationError):
                threading.Thread(target=keeper.serve, args=(listener.accept(),), daemon=True).start()


def _tell(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(told), encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    keep(load_settings())
