"""Other engines, each a program in an environment of its own (`make bench-peers`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.bank import ROOT
from benchmarks.contest import Ran
from jobs.errors import ConfigurationError

PEERS = ROOT / "peers"


def _bare() -> dict[str, str]:
    """The environment without what leads to our packages and settings."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "JAVA_HOME", "LANG"}}


class Peer:
    """A program in another environment that stays warm: a line in is a run, a line out what it took."""

    def __init__(self, environment: str, script: str, *words: str) -> None:
        python = PEERS / environment / "bin" / "python"
        if not python.exists():
            raise ConfigurationError(f"[{environment}] is not in [{PEERS}]; run `make bench-peers`")
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).parent / "peers" / script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(PEERS / f"{environment}.log").open("a"), text=True, env=_bare() | {"PYSPARK_PYTHON": str(python)},
        )  # fmt: skip

    def ask(self, _: object = None) -> Ran:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                return Ran(seconds=json.loads(line)["seconds"], peak_mb=0)
        raise ConfigurationError(f"The other engine ended; its last words are in [{PEERS}]")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
