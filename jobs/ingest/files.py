"""One landed file against its manifest entry and its mapping: everything that its bytes alone can tell."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import json
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conf.sources import Feed
    from jobs.ingest.landing import LandedFile

SPACED_KEY = re.compile(rb'"\s+:')
# Legacy multi-byte text is valid UTF-8 by chance where it is short, but hardly ever one of three bytes a character from here on.
FIRST_OF_THREE_BYTES = "\u0800"
LOOKED_AT = 4096
A_FEW_ROWS = 10


class Problem(NamedTuple):
    """A rule (expectations.landing) that a file breaks, and what was seen."""

    rule: str
    said: str


# Rows of other files are counted as they are read (row_count_matches_manifest); one that is said to hold none is not read.
UNTOLD = Problem("no_rows_means_none", "holds rows, the manifest says [0]")


def problems(file: LandedFile, feed: Feed) -> list[Problem]:
    """What is wrong with the file; empty: nothing."""
    try:
        content = file.path.read_bytes()
    except OSError as error:
        return [Problem("file_is_there", f"the manifest names it, but it can't be read ({error.strerror})")]
    if len(content) != file.bytes:
        return [Problem("bytes_match_manifest", f"has [{len(content)}] bytes, the manifest says [{file.bytes}]")]
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256.lower():
        return [Problem("checksum_matches_manifest", f"has sha256 [{digest[:12]}…], the manifest says [{file.sha256[:12]}…]")]
    if feed.format == "parquet":
        return _parquet_problems(file, content, feed)
    return _text_problems(file, content, feed)


def _text_problems(file: LandedFile, content: bytes, feed: Feed) -> list[Problem]:
    if (feed.compression == "gzip") != file.path.name.endswith(".gz"):
        said = f"is named so that Spark would read it wrongly: the mapping says compression [{feed.compression}], and .gz must say so too"
        return [Problem("compression_is_declared", said)]
    if feed.compression == "gzip":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            return [Problem("file_is_whole", f"is not a whole gzip file ({error})")]
    other = _other_encoding(content, feed.encoding)
    if other:
        return [Problem("encoding_is_declared", f"is written in {other}, the mapping says encoding [{feed.encoding}]")]
    if content and not content.endswith(b"\n"):
        return [Problem("lines_are_whole", "ends in the middle of a line: half written")]
    if not file.rows and content.count(b"\n") > (feed.format == "csv"):
        return [UNTOLD]
    first = content.split(b"\n", 1)[0].decode(feed.encoding, errors="replace").rstrip("\r")
    return _header_problems(first, feed) if feed.format == "csv" else _json_problems(first, feed) or _unknown_keys(content, feed)


def _other_encoding(content: bytes, encoding: str) -> str | None:
    """What the text is written in, where that is not what the mapping says.

    Text that reads as UTF-8 from end to end is UTF-8, be it a single Chinese name. Of a UTF-8 feed a few broken lines are
    rows' faults; text of which no line beyond ASCII reads as UTF-8 is another's.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:LOOKED_AT]:
        return "UTF-16 or UTF-32"
    is_utf8_declared = encoding.upper().replace("-", "") == "UTF8"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "no UTF-8" if is_utf8_declared and _is_beyond_a_few_rows(content) else None
    return "UTF-8" if not is_utf8_declared and max(text, default="") >= FIRST_OF_THREE_BYTES else None


def _is_beyond_a_few_rows(content: bytes) -> bool:
    lines = [line for line in content.splitlines() if not line.isascii()]
    return len(lines) > A_FEW_ROWS and not any(map(_reads_as_utf8, lines))


def _reads_as_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _header_problems(line: str, feed: Feed) -> list[Problem]:
    delivered = [name.strip().strip('"').lstrip("\ufeff") for name in line.split(feed.separator)]
    return different_columns(delivered, feed.columns)


def different_columns(delivered: Sequence[str], expected: Sequence[str]) -> list[Problem]:
    """Missing, extra, renamed or re-ordered columns, with both lists."""
    if list(delivered) == list(expected):
        return []
    missing, extra = [c for c in expected if c not in delivered], [c for c in delivered if c not in expected]
    what = f"missing {missing}, extra {extra}" if missing or extra else "the order differs"
    rule = "columns_match_mapping" if missing or extra else "columns_are_in_order"
    return [Problem(rule, f"columns differ ({what}): delivered {list(delivered)}, expected {list(expected)}")]


def _json_problems(line: str, feed: Feed) -> list[Problem]:
    """Keys of the first object, whose order means nothing. A first line that is no object is a row's fault, not the file's."""
    if not line:
        return []
    try:
        first = json.loads(line)
    except ValueError:
        return []
    if not isinstance(first, dict) or set(first) == set(feed.columns):
        return []
    return different_columns(list(first), feed.columns)


def _unknown_keys(content: bytes, feed: Feed) -> list[Problem]:
    """The first line with keys that no column takes: reading would drop them without a word.

    Where all keys are as many as the known ones together, none is unknown: so lines are only taken apart where that differs,
    as it also does where a text holds what looks like a key.
    """
    known = sum(content.count(f'"{name}":'.encode(feed.encoding)) for name in feed.columns)
    if content.count(b'":') == known and not SPACED_KEY.search(content):
        return []
    for number, line in enumerate(content.decode(feed.encoding, errors="replace").split("\n"), start=1):
        try:
            found = json.loads(line)
        except ValueError:
            continue  # a row's fault
        extra = sorted(set(found) - set(feed.columns)) if isinstance(found, dict) else []
        if extra:
            said = f"line [{number}] has keys {extra} that no column takes; expected {list(feed.columns)}"
            return [Problem("columns_match_mapping", said)]
    return []


def _parquet_problems(file: LandedFile, content: bytes, feed: Feed) -> list[Problem]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(io.BytesIO(content))
    except (pa.ArrowInvalid, OSError) as error:
        return [Problem("file_is_whole", f"is not a Parquet file ({error})")]
    if not file.rows and opened.metadata.num_rows:
        return [UNTOLD]
    schema = opened.schema_arrow
    found = different_columns(schema.names, feed.columns)
    if found:
        return found
    typed = [
        f"{field.name} {field.type}" for field in schema if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type))
    ]
    return [Problem("columns_are_text", f"changed types {typed}; every column is delivered as text")] if typed else []
