"""The kinds of failure, each with its process exit code, so that a scheduler knows what to do without reading logs."""

from __future__ import annotations


class KequnError(Exception):
    """Root of what the pipeline says to people. The message names the table, the [value], what there was, what to do."""

    exit_code = 70


class UsageError(KequnError):
    """The command was called wrongly."""

    exit_code = 2


class ConfigurationError(KequnError):
    """Settings, a mapping or a waiver can't be used."""

    exit_code = 10


class DataRejectedError(KequnError):
    """A delivery or a frame breaks a promise that stops the job. Nothing of it was written."""

    exit_code = 20


class InputNotReadyError(KequnError):
    """An input is not there yet: try again later."""

    exit_code = 30


class ChainBrokenError(KequnError):
    """A DAG's run failed, never came, or came late. The failed task's own kind is in its log."""

    exit_code = 1


class ConflictError(KequnError):
    """Somebody else works on the same job and date: try again later."""

    exit_code = 40


class GateError(KequnError):
    """A model did not pass its gate; the champion stays."""

    exit_code = 50


class InvariantError(KequnError):
    """What must never be, is: a bug, or a table touched from outside."""

    exit_code = 70
