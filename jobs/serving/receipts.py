"""Receipts of training sets, in the deployment's folder: what was asked, the spine, and what was computed for it."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jobs.errors import DataRejectedError, UsageError
from jobs.serving.drawn import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from conf.settings import Settings

FOLDER = "training_sets"
RECEIPT_FILE, SPINE_FILE, COMPUTED_FILE = "receipt.json", "spine.parquet", "computed.parquet"
NEAREST = 3


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a training set was drawn from. `versions` of tables are evidence only: VACUUM removes old ones, revisions stay.

    computed: how many rows are of dates that are not stored. features_of: by date of the spine the stored one that its features are of.
    """

    receipt: str
    known_at: str
    purpose: str
    features: tuple[str, ...]
    max_age_days: int
    spec_hashes: Mapping[str, str]
    versions: Mapping[str, int]
    rows: int
    spine: str
    result: str
    computed: int
    features_of: Mapping[str, str]


def digest(rows: pa.Table) -> str:
    """Of the rows' values in their order, whatever their chunks and what lies under a null."""
    found = hashlib.sha256(repr(rows.column_names).encode())
    for column in rows.columns:
        found.update(column.is_valid().to_numpy().tobytes())
        present = column.drop_null()
        values = present.to_numpy()
        # Texts, decimals and lists are objects, whose bytes are addresses.
        found.update(repr(present.to_pylist()).encode() if values.dtype.hasobject else values.tobytes())
    return found.hexdigest()


def folder_of(settings: Settings, number: str) -> Path:
    """Where a receipt, its spine and what was computed for it are kept."""
    return settings.home / FOLDER / number


def keep(settings: Settings, receipt: Receipt, spine: pa.Table, computed: pa.Table | None) -> None:
    """Put the receipt, its spine and what was computed into the deployment's folder, the receipt last.

    Raises ConfigurationError where the folder can't be written.
    """
    import pyarrow.parquet as pq

    folder = folder_of(settings, receipt.receipt)
    for name, rows in ((SPINE_FILE, spine), (COMPUTED_FILE, computed)):
        if rows is not None:
            with whole(folder / name) as draft:
                pq.write_table(rows, draft, compression="zstd")
    with whole(folder / RECEIPT_FILE) as draft:
        draft.write_text(json.dumps(asdict(receipt), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def kept(settings: Settings, number: str) -> tuple[Receipt, pa.Table, pa.Table | None]:
    """A receipt, its spine, and the rows that were computed for it.

    Raises UsageError for a number that there is none of, DataRejectedError for a receipt that is not whole any more.
    """
    import pyarrow.parquet as pq

    folder = folder_of(settings, number)
    if not (folder / RECEIPT_FILE).is_file():
        raise UsageError(_told_unknown(settings, number))
    try:
        told = json.loads((folder / RECEIPT_FILE).read_text(encoding="utf-8"))
        made = pq.read_table(folder / COMPUTED_FILE) if (folder / COMPUTED_FILE).is_file() else None
        return Receipt(**told | {"features": tuple(told["features"])}), pq.read_table(folder / SPINE_FILE), made
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataRejectedError(
            f"Receipt [{number}] in [{folder}] can't be read: {type(error).__name__}: {error}; restore its files, or draw the set anew"
        ) from error


def _told_unknown(settings: Settings, number: str) -> str:
    there = sorted(path.parent.name for path in (settings.home / FOLDER).glob(f"*/{RECEIPT_FILE}"))
    near = difflib.get_close_matches(number, there, n=NEAREST, cutoff=0.6) or there[:NEAREST]
    return (
        f"There is no receipt [{number}] in [{settings.home / FOLDER}]; there are [{len(there)}], such as {near}; "
        "a set's number is in its .receipt, and `kequn training-set` prints it"
    )
