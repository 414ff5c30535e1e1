"""Where DuckDB's SQL differs from Spark's, as data: what the catalogue's expressions are made of is otherwise the same text in both."""

from __future__ import annotations

import re

# Functions that Spark has: DuckDB has none of the name, or another one.
MACROS = {
    "datediff(a, b)": "date_diff('day', b, a)",
    "date_sub(day, days)": "cast(day - cast(days as integer) as date)",
    "date_add(day, days)": "cast(day + cast(days as integer) as date)",
    "unix_date(day)": "date_diff('day', date '1970-01-01', day)",
    "dayofweek(day)": "isodow(day) % 7 + 1",  # 1 for Sunday
    "pmod(a, b)": "((a % b) + b) % b",
    "shiftleft(bits, places)": "bits << places",
    # Whole months between the same days of months and between last days; else 31sts, rounded to eight digits.
    "months_between(a, b)": (
        "12 * (year(a) - year(b)) + month(a) - month(b) + case when day(a) = day(b) or (a = last_day(a) and b = last_day(b)) then 0 "
        "else round((day(a) - day(b)) / 31, 8) end"
    ),
}  # fmt: skip
# Words: quoted names, integer division, integers of 64 bits, arrays.
WORDS = {
    "`": '"',
    r"\bdiv\b": "//",
    r"\b(\d+)L\b": r"cast(\1 as bigint)",
    r"\barray\(": "list_value(",
    r"\barray<bigint>": "bigint[]",
}


def in_duckdb(text: str) -> str:
    """Spark's expression or query as DuckDB takes it, given the macros."""
    for word, its in WORDS.items():
        text = re.sub(word, its, text)
    return text


def macros() -> list[str]:
    """Statements that make the functions."""
    return [f"create or replace temp macro {called} as {does}" for called, does in MACROS.items()]
