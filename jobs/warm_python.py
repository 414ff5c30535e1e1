"""Run a command in a process forked from a Python that has the heavy libraries loaded (jobs/scheduling/pythons.py).

Only the standard library here: what a command imports before it is handed over is what the handing over was to spare.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

# Set by the local Airflow for its tasks: the socket of the deployment's warm Python.
VARIABLE = "KEQUN_WARM_PYTHON"
STREAMS = (0, 1, 2)
LENGTH = struct.Struct("!I")
LOST = 1  # the exit code of a command whose process was lost: an error like any other, tried again


def exit_code_of(words: list[str]) -> int | None:
    """The exit code of the command, carried out with this process's streams, folder and variables; None where nobody
    takes it. Whoever ends this process ends the command: its process sees the connection break.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            _hand_over(connection, words)
        except OSError:
            return None
        answer = b""
        with suppress(ConnectionError):
            answer = connection.recv(LENGTH.size)
    if len(answer) == LENGTH.size:
        return int(LENGTH.unpack(answer)[0])
    sys.stderr.write(f"kequn {words[0] if words else ''}: the process that carried it out was killed\n")
    return LOST


def _hand_over(connection: socket.socket, words: list[str]) -> None:
    told = json.dumps({"words": words, "folder": str(Path.cwd()), "variables": dict(os.environ)}).encode()
    socket.send_fds(connection, [LENGTH.pack(len(told))], STREAMS)
    connection.sendall(told)
