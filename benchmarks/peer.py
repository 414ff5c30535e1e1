"""Other engines, each a program in an environment of its own (`make bench-peers`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.bank import ROOT
from benchmarks.contest import Ran
from benchmarks.processes import bytes_read, forget_peaks, peak_mb, tree
from jobs.errors import ConfigurationError

PEERS = ROOT / "peers"


def _bare() -> dict[str, str]:
    """The environment without what leads to our packages and settings."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "JAVA_HOME", "LANG"}}


def _python(environment: str) -> Path:
    return PEERS / environment / "bin" / "python"


def is_there(environment: str) -> bool:
    return _python(environment).exists()


def missing(environment: str) -> str:
    return f"[{environment}] is not in [{PEERS}]; run `make bench-peers`"


class Peer:
    """A program in another environment that stays warm: a line in is a run, a line out the seconds and what Spark shuffled."""

    def __init__(self, environment: str, script: str, *words: str) -> None:
        if not is_there(environment):
            raise ConfigurationError(missing(environment))
        python = _python(environment)
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).parent / "peers" / script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(PEERS / f"{environment}.log").open("a"), text=True, env=_bare() | {"PYSPARK_PYTHON": str(python)},
        )  # fmt: skip

    def ask(self, _: object = None) -> Ran:
        assert self._process.stdin
        assert self._process.stdout
        forget_peaks(tree(self._process.pid))
        read = bytes_read(tree(self._process.pid))
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                processes = tree(self._process.pid)
                return Ran(peak_mb=peak_mb(processes), bytes_read=bytes_read(processes) - read, **json.loads(line))
        raise ConfigurationError(f"The other engine ended; its last words are in [{PEERS}]")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
