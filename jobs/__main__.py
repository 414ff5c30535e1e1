"""The `kequn` command: one subcommand per job. Modules are imported only when their command is called."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from jobs import warm_python
from jobs.errors import ConfigurationError, KequnError

DECLARED = Path(__file__).parents[1] / "features"


@dataclass(frozen=True, kw_only=True)
class Command:
    """`module` has add_arguments(parser) and run(arguments) -> exit code."""

    module: str
    summary: str


COMMANDS = {
    "simulate": Command(module="jobs.simulate.command", summary="write the landing feeds of a simulated bank"),
    "ingest": Command(module="jobs.ingest.command", summary="feeds -> core tables: verify, conform, check, write"),
    "quarantine": Command(module="jobs.ingest.quarantine_command", summary="list and replay rejected rows"),
    "features": Command(module="jobs.feature_versions", summary="core -> feature groups for a date or a range"),
    "segments": Command(module="jobs.build.segments_command", summary="features -> segment labels and membership"),
    "labels": Command(module="jobs.build.labels_command", summary="core -> forward looking labels"),
    "train": Command(module="jobs.train", summary="train, test and register a model; move champion through the gate"),
    "score": Command(module="jobs.score", summary="score every customer with a registered model"),
    "training-set": Command(module="jobs.serving.command", summary="stored features for a spine of customers and times, with a receipt"),
    "publish": Command(module="jobs.publish", summary="publish the marts"),
    "report": Command(module="jobs.report", summary="summary.json and one HTML page about the runs"),
    "maintain": Command(module="jobs.maintain", summary="OPTIMIZE, VACUUM and retention"),
    "docs": Command(module="jobs.docs", summary="generate the data dictionary and the feature catalogue"),
    "airflow": Command(module="jobs.airflow", summary="start, stop, look at the local Airflow; find and trigger missing dates"),
    "demo": Command(module="jobs.demo", summary="the whole chain on the simulated bank or on Berka, through Airflow"),
}


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; with `command` given, only that one's arguments are imported and added."""
    top = argparse.ArgumentParser(prog="kequn", description="Kequn (客群): nightly customer intelligence for a retail bank")
    below = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, entry in COMMANDS.items():
        sub = below.add_parser(name, help=entry.summary, description=entry.summary)
        if name == command:
            importlib.import_module(entry.module).add_arguments(sub)
    return top


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn errors into messages and exit codes."""
    argv = sys.argv[1:] if argv is None else argv
    # py4j logs every dropped JVM connection as an error of ours.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    named = next((word for word in argv if word in COMMANDS), None)
    try:
        arguments = parser(named).parse_args(argv)
    except Exception as error:  # noqa: BLE001 whatever a declaration raises while it is read
        return _told_unreadable(named, error)
    try:
        return int(importlib.import_module(COMMANDS[arguments.command].module).run(arguments))
    except KequnError as error:
        sys.stderr.write(f"kequn {arguments.command}: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 whatever it is, it is a bug, and has a code of its own
        traceback.print_exc()
        return KequnError.exit_code


def _told_unreadable(command: str | None, error: Exception) -> int:
    """A module that can't be imported: one of declared features is a matter of configuration, any other a bug."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    declared = [(Path(name), line) for name, line in places if Path(name).is_relative_to(DECLARED)]
    if not declared:
        traceback.print_exception(error)
        return KequnError.exit_code
    path, line = declared[-1]
    said = error.msg if isinstance(error, SyntaxError) else error
    where = f"{path.relative_to(DECLARED.parent)}, line {line}"
    sys.stderr.write(f"kequn {command}: [{where}] can't be read: {type(error).__name__}: {said}; mend the declaration\n")
    return ConfigurationError.exit_code


def entry() -> None:
    """The console command. Ends without tearing the interpreter down.

    Threads of native libraries (Arrow, delta-rs) can abort an interpreter on its way out: exit 134 after work well done.
    """
    words = sys.argv[1:]
    code = warm_python.exit_code_of(words)
    if code is None:
        code = main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
