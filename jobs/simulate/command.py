"""`kequn simulate`: write the landing zone of a simulated bank."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from jobs.context import parse_date
from jobs.errors import UsageError

DONE = 0
WRONG_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `kequn simulate`."""
    parser.add_argument("--customers", type=int, required=True, help="how many customers, those who join later included")
    parser.add_argument("--months", type=int, required=True, help="months of history that end with --end")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same bytes (default 1)")
    parser.add_argument("--end", type=_date, required=True, help="last business date of the history, YYYY-MM-DD")
    parser.add_argument("--nights", type=int, default=0, help="further business dates after --end, one delivery each (default 0)")
    parser.add_argument(
        "--faults", nargs="?", const="all", choices=("rows", "files", "all"),
        help="rows: late and corrected rows and bad rows of every kind on the last business date; files: bad files of every kind, one kind on each of "
        "the working days after it; all: both, also when none of them is said. truth/faults.json lists what was planted where",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a core); changes no byte")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder that gets landing/ and truth/; those of an earlier simulation are replaced"
    )


def run(args: argparse.Namespace) -> int:
    """Simulate and print a summary as one JSON line."""
    least = {"customers": 1, "months": 1, "seed": 0, "nights": 0, "workers": 1}
    below = [
        f"--{name} [{given}] must be at least {low}"
        for name, low in least.items()
        if (given := getattr(args, name)) is not None and given < low
    ]
    if below:
        sys.stderr.write(f"kequn simulate: {'; '.join(below)}\n")
        return WRONG_USAGE
    from jobs.simulate.bank import simulate

    summary = simulate(
        out=args.out, customers=args.customers, months=args.months, seed=args.seed, end=args.end, nights=args.nights,
        faults=args.faults in {"rows", "all"}, bad_files=args.faults in {"files", "all"}, workers=args.workers, progress=_tell,
    )  # fmt: skip
    sys.stdout.write(json.dumps(summary) + "\n")
    return DONE


def _date(text: str) -> date:
    """A business date, and a sentence for what is none: other errors argparse words itself."""
    try:
        return parse_date(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")
