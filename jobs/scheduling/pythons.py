"""A Python with the heavy libraries loaded, which forks a process for each command: `python -m jobs.scheduling.pythons SOCKET`.

Importing Spark, Great Expectations, pandas and Arrow is most of what Python does in a job of a small bank. Libraries only
are loaded: a job's own modules are imported in its process, so that it runs the code that is there when it starts. A
forked process is nobody's child that a worker could end; it ends itself when whoever asked for it is gone.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.warm_python import LENGTH, STREAMS

# None starts a Python thread when it is imported: a fork would copy what the thread holds, and not the thread. The native
# threads of Arrow's and NumPy's (jemalloc, OpenBLAS) are minded by these at a fork; delta-rs starts its own when first used.
LIBRARIES = ("deltalake", "great_expectations.expectations", "pandas", "pyarrow.dataset", "pydantic", "pyspark.sql.functions", "yaml")


def serve(path: Path) -> None:
    """Fork a process for every command that comes, until this process is ended."""
    for name in LIBRARIES:
        importlib.import_module(name)
    # What is there now is shared with every fork: a collection would touch, and so copy, all of it.
    gc.freeze()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)  # for its owner alone
        listener.bind(str(path))
        os.umask(before)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                if not os.fork():
                    listener.close()
                    _carry_out(connection)


def _carry_out(connection: socket.socket) -> None:
    """In the fork: become the process that the command was meant to be. Does not return."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        asked = _received(connection)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["variables"])
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        sys.argv = ["kequn", *asked["words"]]
        from jobs.__main__ import main

        code = main(asked["words"])
    except SystemExit as end:  # argparse: wrong usage, help
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 the process ends here: nobody else would tell
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            connection.sendall(LENGTH.pack(code))
        os._exit(code)


def _received(connection: socket.socket) -> dict[str, Any]:
    """What was asked for; this process's streams become those of who asked."""
    head, streams, _, _ = socket.recv_fds(connection, LENGTH.size, len(STREAMS))
    for number, stream in zip(STREAMS, streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    with connection.makefile("rb") as told:
        asked: dict[str, Any] = json.loads(told.read(LENGTH.unpack(head)[0]))
    return asked


def _end_with(connection: socket.socket) -> None:
    """Nothing is said any more by who asked: the connection ends when that process does."""
    with suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
