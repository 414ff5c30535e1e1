"""Reading a mapping's expressions: which delivered columns, targets and functions they name, and their plain Spark SQL.

Delivered columns get a prefix, because many targets carry the name of the text they are made from; our functions are
replaced by Spark SQL; `owner` and `to_base` become references to columns that a join brings.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jobs.ingest.functions import Functions

RAW = "raw__"
TOKEN = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<quoted>`[^`]*`)|(?P<number>\d+[A-Za-z0-9_.]*)|(?P<name>[A-Za-z_]\w*)|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Lookup:
    """A value that comes by a join: what is looked up, and the Spark SQL of its keys."""

    of: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """An expression as plain Spark SQL, and what it stands on. A lookup is written as its `lookup_column`."""

    sql: str
    raw: frozenset[str]
    names: frozenset[str]
    calls: frozenset[str]
    lookups: tuple[Lookup, ...]


@dataclass
class _Found:
    raw: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    lookups: list[Lookup] = field(default_factory=list)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def lookup_column(lookup: Lookup) -> str:
    """Name of the column that a lookup's join adds: equal lookups share one."""
    return f"lookup__{lookup.of}__{hashlib.sha256('|'.join(lookup.keys).encode()).hexdigest()[:8]}"


def tokens(text: str) -> list[_Token]:
    return [_Token(str(match.lastgroup), match.group()) for match in TOKEN.finditer(text)]


def names_in(text: str) -> set[str]:
    """Every identifier of an expression, quoted text left out."""
    return {token.text for token in tokens(text) if token.kind == "name"}


def expand(text: str, *, raw: Collection[str], functions: Functions) -> Expanded:
    """The expression as plain Spark SQL. Raises ConfigurationError for unbalanced or wrongly filled calls."""
    found = _Found()
    sql = _expanded(tokens(text), raw=raw, functions=functions, found=found)
    return Expanded(
        sql=sql, raw=frozenset(found.raw), names=frozenset(found.names), calls=frozenset(found.calls),
        lookups=tuple(dict.fromkeys(found.lookups)),
    )  # fmt: skip


def _expanded(sequence: Sequence[_Token], *, raw: Collection[str], functions: Functions, found: _Found) -> str:
    written: list[str] = []
    at = 0
    while at < len(sequence):
        token = sequence[at]
        opens = _opening(sequence, at)
        if token.kind == "name" and opens is not None:
            found.calls.add(token.text)
        if token.kind == "name" and opens is not None and token.text in functions.known:
            arguments, at = _arguments(sequence, opens)
            filled = [_expanded(argument, raw=raw, functions=functions, found=found).strip() for argument in arguments]
            made = functions.call(token.text, filled)
            found.lookups.extend(made.lookups)
            written.append(made.sql)
            continue
        written.append(_reference(token, sequence, at, raw=raw, found=found, is_call=opens is not None))
        at += 1
    return "".join(written)


def _reference(token: _Token, sequence: Sequence[_Token], at: int, *, raw: Collection[str], found: _Found, is_call: bool) -> str:
    name = token.text.strip("`") if token.kind == "quoted" else token.text
    if token.kind not in {"name", "quoted"} or is_call or _names_a_type(sequence, at):
        return token.text
    if name in raw:
        found.raw.add(name)
        return f"`{RAW}{name}`"
    found.names.add(name)
    return token.text


def _names_a_type(sequence: Sequence[_Token], at: int) -> bool:
    """`cast(x as date)` and `date '1993-01-01'` name types, even where a delivered column is called date."""
    before = [token.text.lower() for token in sequence[:at] if token.kind != "space"]
    after = [token.kind for token in sequence[at + 1 :] if token.kind != "space"]
    return before[-1:] == ["as"] or after[:1] == ["text"]


def _opening(sequence: Sequence[_Token], at: int) -> int | None:
    """Index of the parenthesis that follows a name, if one does."""
    after = at + 1
    while after < len(sequence) and sequence[after].kind == "space":
        after += 1
    return after if after < len(sequence) and sequence[after].text == "(" else None


def _arguments(sequence: Sequence[_Token], opens: int) -> tuple[list[list[_Token]], int]:
    """The arguments of the call that opens there, and the index after its end."""
    arguments: list[list[_Token]] = [[]]
    depth = 0
    for at in range(opens, len(sequence)):
        token = sequence[at]
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            return ([] if arguments == [[]] else arguments), at + 1
        if token.text == "," and depth == 1:
            arguments.append([])
        elif at > opens:
            arguments[-1].append(token)
    raise ConfigurationError(f"[{''.join(token.text for token in sequence)}] has a parenthesis that is not closed")
