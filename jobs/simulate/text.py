"""From numbers to the text that a bank delivers, a whole column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.simulate.draws import Ints

SECONDS_A_DAY = 86_400
DECIMAL_DIGITS = 20


def numbers(values: Ints, *, prefix: str, width: int) -> pa.Array:
    """An id: prefix and number with leading zeros; negative reads as blank."""
    text = pc.utf8_lpad(pa.array(values, mask=values < 0).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, text, "")


def plain(values: Ints, *, blank_below: int | None = None) -> pa.Array:
    """A whole number; blank below a limit if there is one."""
    mask = None if blank_below is None else values < blank_below
    return pa.array(values, mask=mask).cast(pa.string())


def named(codes: Ints, names: Sequence[str]) -> pa.Array:
    """The name of each code; negative reads as blank."""
    index = pa.array(codes.astype(np.int16), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(names))).cast(pa.string())


def days(values: Ints) -> pa.Array:
    """yyyy-MM-dd; negative beyond any birthday reads as blank, so -1 stands for missing."""
    return pa.array(values.astype(np.int32), mask=values == -1).cast(pa.date32()).cast(pa.string())


def instants(seconds: Ints) -> pa.Array:
    """yyyy-MM-dd HH:mm:ss of local seconds since 1970; negative reads as blank."""
    return pa.array(seconds, mask=seconds < 0).cast(pa.timestamp("s")).cast(pa.string())


def decimals(minor: Ints, *, digits: int) -> pa.Array:
    """Decimal text of minor units; -1 digits are not allowed."""
    words = np.empty((minor.size, 2), dtype=np.int64)
    words[:, 0] = minor
    words[:, 1] = np.where(minor < 0, -1, 0)
    kind = pa.decimal128(DECIMAL_DIGITS, digits)
    return pa.Array.from_buffers(kind, minor.size, [None, pa.py_buffer(words.tobytes())]).cast(pa.string())


def money(minor: Ints, *, currency: Ints, digits_of: Sequence[int]) -> pa.Array:
    """Decimal text of amounts with as many digits as the currency has."""
    digits = np.asarray(digits_of)[currency]
    if not (digits == 0).any():
        return decimals(minor, digits=2)
    return pc.if_else(pa.array(digits == 0), plain(minor), decimals(minor, digits=2))


def json_lines(columns: Mapping[str, pa.Array]) -> pa.Array:
    """One JSON object a row; values are text or null."""
    parts: list[object] = []
    for position, (name, values) in enumerate(columns.items()):
        quoted = pc.coalesce(pc.binary_join_element_wise('"', values, '"', ""), "null")
        parts += [f'{"," if position else "{"}"{name}":', quoted]
    return pc.binary_join_element_wise(*parts, "}\n", "")


def joined_bytes(lines: pa.Array) -> bytes:
    """The text of a column, one value after the other."""
    if isinstance(lines, pa.ChunkedArray):
        lines = lines.combine_chunks()
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]].tobytes() if len(lines) else b""


def national_ids(city_codes: npt.NDArray[np.int64], birth_days: Ints, serials: Ints) -> pa.Array:
    """Made-up identity numbers of the national form: region, birth date, serial, check digit."""
    dates = birth_days.astype("datetime64[D]")
    year = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    number = ((city_codes * 10_000 + year) * 100 + month) * 100_000 + day * 1000 + serials
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    digits = number[:, None] // 10 ** np.arange(16, -1, -1) % 10
    return pc.binary_join_element_wise(
        pa.array(number).cast(pa.string()), named((digits * weights).sum(axis=1) % 11, tuple("10X98765432")), ""
    )
