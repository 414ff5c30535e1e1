"""One delivery: the data file of a feed and business date in its format, and the manifest that vouches for it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from jobs.simulate.text import joined_bytes, json_lines

MANIFEST = "_manifest.json"
SCHEMA_VERSION = 1
GZIP_LEVEL = 1


@dataclass(frozen=True, kw_only=True)
class FeedFormat:
    """How a feed's file is written. `control` is the column whose sum the manifest tells."""

    kind: str
    is_gzip: bool = False
    encoding: str = "utf-8"
    may_be_empty: bool = True
    control: str | None = None

    @property
    def file_name(self) -> str:
        """Name of the data file."""
        ending = {"csv": ".csv", "json": ".jsonl", "parquet": ".parquet"}[self.kind]
        return "part-000" + ending + (".gz" if self.is_gzip else "")


CSV = FeedFormat(kind="csv", is_gzip=True)
JSON = FeedFormat(kind="json")
FORMATS = {
    "products": JSON, "rates": CSV, "customers": FeedFormat(kind="csv", is_gzip=True, encoding="gb18030"), "customer_merges": CSV,
    "accounts": CSV, "account_parties": CSV, "consents": JSON,
    "transactions": FeedFormat(kind="parquet", may_be_empty=False, control="amount"),
    "balances": FeedFormat(kind="csv", is_gzip=True, may_be_empty=False, control="ledger_balance"),
    "channel_events": FeedFormat(kind="json", is_gzip=True, may_be_empty=False), "contacts": JSON, "loans": CSV, "cards": CSV,
    "instalments": CSV, "deposit_plans": CSV, "deposit_instalments": CSV,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What one delivery put down."""

    feed: str
    rows: int
    size: int


def folder(landing: Path, *, feed: str, business_date: date) -> Path:
    """Where a feed's files of a business date lie."""
    return landing / feed / f"business_date={business_date.isoformat()}"


def deliver(landing: Path, *, feed: str, business_date: date, table: pa.Table | None) -> Delivered:
    """Write a delivery; no table, or one without rows where a feed may be empty, gives a manifest without files."""
    layout = FORMATS[feed]
    target = folder(landing, feed=feed, business_date=business_date)
    target.mkdir(parents=True, exist_ok=True)
    rows = 0 if table is None else table.num_rows
    files = []
    size = 0
    if table is not None and (rows or not layout.may_be_empty):
        content = file_bytes(layout, table)
        (target / layout.file_name).write_bytes(content)
        files.append(file_entry(layout.file_name, content, rows=rows))
        size = len(content)
    control = {"amount_sum": control_sum(table, layout.control)} if layout.control else None
    write_manifest(target, manifest(feed=feed, business_date=business_date, files=files, rows=rows, control=control))
    return Delivered(feed=feed, rows=rows, size=size)


def rewrite(landing: Path, *, feed: str, business_date: date, table: pa.Table, content: bytes | None = None) -> None:
    """Replace a delivery's file; the manifest tells of `table`, and of the bytes of `content` where they are not the table's."""
    layout = FORMATS[feed]
    target = folder(landing, feed=feed, business_date=business_date)
    written = file_bytes(layout, table) if content is None else content
    (target / layout.file_name).write_bytes(written)
    files = [file_entry(layout.file_name, written, rows=table.num_rows)]
    control = {"amount_sum": control_sum(table, layout.control)} if layout.control else None
    write_manifest(target, manifest(feed=feed, business_date=business_date, files=files, rows=table.num_rows, control=control))


def read_delivery(landing: Path, *, feed: str, business_date: date) -> pa.Table:
    """A delivery's rows as text. Raises FileNotFoundError if it has no file."""
    layout = FORMATS[feed]
    path = folder(landing, feed=feed, business_date=business_date) / layout.file_name
    if layout.kind == "parquet":
        return pq.read_table(path, partitioning=None)
    content = path.read_bytes()
    lines = (gzip.decompress(content) if layout.is_gzip else content).decode(layout.encoding)
    if layout.kind == "json":
        rows = [json.loads(line) for line in lines.splitlines()]
        return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in rows[0]]))
    names = lines.split("\n", 1)[0].split(",")
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return pa_csv.read_csv(io.BytesIO(lines.encode()), convert_options=options)


def manifest(
    *, feed: str, business_date: date, files: list[dict[str, object]], rows: int, control: dict[str, str] | None
) -> dict[str, object]:
    """The manifest: produced at one o'clock of the following local day, which is 17:00 UTC."""
    content: dict[str, object] = {
        "source": "bank", "feed": feed, "business_date": business_date.isoformat(), "schema_version": SCHEMA_VERSION,
        "produced_at": f"{business_date.isoformat()}T17:00:00Z", "files": files, "rows": rows,
    }  # fmt: skip
    return content | ({"control": control} if control else {})


def write_manifest(target: Path, content: dict[str, object]) -> None:
    """Write the manifest: the last file of a delivery."""
    (target / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def file_entry(name: str, content: bytes, *, rows: int) -> dict[str, object]:
    """What the manifest says about a file."""
    return {"name": name, "rows": rows, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def file_bytes(layout: FeedFormat, table: pa.Table) -> bytes:
    """The file's content. Gzip without a time stamp, so that equal rows are equal bytes."""
    if layout.kind == "parquet":
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="snappy")
        return buffer.getvalue()
    content = csv_bytes(table, layout.encoding) if layout.kind == "csv" else json_bytes(table)
    return gzip.compress(content, GZIP_LEVEL, mtime=0) if layout.is_gzip else content


def csv_bytes(table: pa.Table, encoding: str) -> bytes:
    """CSV with a header line, quoted where needed."""
    buffer = io.BytesIO()
    buffer.write((",".join(table.column_names) + "\n").encode())
    if table.num_rows:
        _write_rows(table, buffer)
    content = buffer.getvalue()
    return content if encoding == "utf-8" else content.decode("utf-8").encode(encoding)


def _write_rows(table: pa.Table, buffer: io.BytesIO) -> None:
    start = buffer.tell()
    try:
        pa_csv.write_csv(table, buffer, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    except pa.ArrowInvalid:  # a value holds a comma, a quote or a line end
        buffer.truncate(start)
        buffer.seek(start)
        pa_csv.write_csv(table, buffer, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))


def json_bytes(table: pa.Table) -> bytes:
    """One JSON object a line."""
    if table.num_rows == 0:
        return b""
    return joined_bytes(json_lines({name: table.column(name).combine_chunks() for name in table.column_names}))


def control_sum(table: pa.Table | None, column: str | None) -> str:
    """Sum of an amount column as decimal text; what can't be read counts nothing."""
    if table is None or table.num_rows == 0 or column is None or column not in table.column_names:
        return "0.00"
    values = table.column(column)
    readable = pc.match_substring_regex(values, r"^-?\d+(\.\d+)?$")
    total = pc.sum(pc.cast(values.filter(readable), pa.decimal128(30, 2))).as_py()
    return str(Decimal("0.00") if total is None else total)
