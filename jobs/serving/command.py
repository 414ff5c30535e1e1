"""`kequn training-set`: draw a training set from stored features and from day tiles, or draw one again from its receipt."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.spec import PURPOSES
from jobs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from jobs.serving.training import TrainingSet


def add_arguments(parser: ArgumentParser) -> None:
    """--spine and what to draw for it, or --receipt; --out."""
    parser.add_argument(
        "--spine",
        metavar="SPINE",
        help=".parquet, .csv, a Delta folder, or a table such as features.label_value_12m, with customer_key and as_of_date or timestamp",
    )
    parser.add_argument(
        "--features", nargs="+", metavar="NAME", help="full names, groups, or models:/<model>@champion; default: all permitted"
    )
    parser.add_argument("--purpose", choices=PURPOSES, help="what the set is for; features that do not permit it are refused")
    parser.add_argument(
        "--as-known-at", metavar="INSTANT", help="ISO instant with a zone, for dates that are stored; default: now, for any"
    )
    parser.add_argument("--max-age-days", type=int, default=0, help="how much older than a row's date its features may be (default 0)")
    parser.add_argument("--receipt", metavar="NUMBER", help="draw the set of this receipt again")
    parser.add_argument("--out", metavar="PATH", required=True, help="a .parquet file, or a folder for a Delta table")


def run(arguments: Namespace) -> int:
    """Writes the set and prints in brief what its receipt says, and where it is kept.

    Raises UsageError, InputNotReadyError, DataRejectedError, ConfigurationError.
    """
    from jobs.store import FeatureStore

    if bool(arguments.spine and arguments.purpose) == bool(arguments.receipt):
        raise UsageError("Give either --spine SPINE and --purpose PURPOSE, or --receipt NUMBER")
    out = _free(Path(arguments.out))
    store = FeatureStore()
    drawn = (
        store.draw_again(arguments.receipt) if arguments.receipt
        else store.training_set(
            arguments.spine, purpose=arguments.purpose, features=arguments.features, as_known_at=_instant(arguments.as_known_at),
            max_age_days=arguments.max_age_days,
        )
    )  # fmt: skip
    (drawn.write_parquet if out.suffix == ".parquet" else drawn.write_delta)(out)
    sys.stdout.write(json.dumps({"out": str(out), **_brief(drawn), "kept_in": str(store.folder_of(drawn.receipt))}) + "\n")
    return 0


def _brief(drawn: TrainingSet) -> dict[str, Any]:
    """Without what is a line for each feature, date and table. features_of: the first and the last date that the features are of."""
    import pyarrow.compute as pc

    from jobs.serving.training import FEATURES_OF

    told, dates = drawn.receipt, pc.min_max(drawn.arrow.column(FEATURES_OF)).as_py()
    return {
        "receipt": told.receipt, "known_at": told.known_at, "purpose": told.purpose, "rows": told.rows, "features": len(told.features),
        "computed": told.computed, FEATURES_OF: [day and str(day) for day in dates.values()],
    }  # fmt: skip


def _free(out: Path) -> Path:
    """Before anything is drawn: a refused command leaves nothing behind."""
    if out.exists():
        raise UsageError(f"[{out}] is there already; name another --out")
    if not out.parent.is_dir():
        raise UsageError(f"There is no folder [{out.parent}] to put [{out.name}] into; make it, or name another --out")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise UsageError(f"The folder [{out.parent}] may not be written to; name another --out")
    return out


def _instant(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"--as-known-at [{text}] is no ISO instant, such as 2026-01-01T06:00:00+08:00") from None
