"""`kequn features list`, `show` and `search`: looking through the catalogue. No JVM, no tables: what is declared."""

from __future__ import annotations

import difflib
import sys
import unicodedata
from typing import TYPE_CHECKING

from features import catalogue
from features.operations import SPAN_TITLES
from features.spec import PURPOSES
from jobs.build import versions
from jobs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from features.spec import Feature, FeatureGroup, Wanted


def add_arguments(parser: ArgumentParser) -> None:
    """The words `list`, `show NAME` and `search WORDS`, beside the build's own options.

    Plain words, not subcommands: argparse takes the value of a mistyped option for a subcommand and hides the mistake.
    """
    looking = parser.add_argument_group("look through the catalogue instead of building")
    # fmt: off
    looking.add_argument("look", nargs="*", metavar="list | show NAME | search WORD | compare NAME | retire NAME_v1",
                         help="features by group; all about one; by words; how two versions of a group differ; the end of a version")
    # fmt: on
    looking.add_argument("--group", help="list, or build, one group only, NAME or NAME_v2")
    looking.add_argument("--purpose", choices=PURPOSES, help="list only those that may be used for it")


def run(arguments: Namespace) -> int:
    """Raises UsageError for words that are not understood, and for a name that is not declared, with the nearest ones."""
    sys.stdout.write("\n".join(_answer(arguments)) + "\n")
    return 0


def _answer(arguments: Namespace) -> list[str]:
    match arguments.look:
        case ["list"]:
            return listed(group=arguments.group, purpose=arguments.purpose)
        case ["show", name]:
            return shown(name)
        case ["search", _, *_]:
            return found(arguments.look[1:])
        case words:
            raise UsageError(
                f"{words} is neither `list`, `show NAME`, `search WORD`, `compare NAME` nor `retire NAME_v1`; "
                "dates of a build follow --as-of, --from and --to"
            )


def listed(*, group: str | None = None, purpose: str | None = None) -> list[str]:
    """A heading per group, then a line per feature. Raises UsageError for an unknown group."""
    groups = [versions.named(group)] if group else list(catalogue.versions())
    lines = []
    for one in groups:
        mine = [feature for feature in one.features if purpose is None or purpose in feature.purposes]
        lines += [f"{one.name} v{one.version}  {one.title} {one.title_zh}", *_table([(one, feature) for feature in mine]), ""]
    return lines[:-1]


def shown(name: str) -> list[str]:
    """Everything that is declared of a feature, down to the core table; or a group's list. Raises UsageError."""
    if name in {known for group in catalogue.versions() for known in (group.name, group.version_name)}:
        return listed(group=name)
    if name not in catalogue.FEATURES:
        raise UsageError(_unknown("feature or group", name, [*catalogue.FEATURES, *(group.name for group in catalogue.GROUPS)]))
    group, feature = catalogue.FEATURES[name]
    facts = {
        "title": f"{feature.title} {feature.title_zh}", "meaning": feature.description, "unit": feature.unit, "type": feature.type,
        "without rows": feature.empty_told, "class": feature.sensitivity.value, "may be used for": ", ".join(feature.purposes),
        "owner": feature.owner, "table": group.table.full_name, "expression": feature.sql,
    }  # fmt: skip
    width = max(map(len, facts))
    return [name, *(f"  {label:<{width}}  {value}" for label, value in facts.items()), *_beneath(feature)]


def found(words: Sequence[str]) -> list[str]:
    """Features that speak of every word, those with it in their name first. Raises UsageError when there are none."""
    wanted = [word.casefold() for word in words]
    named: list[tuple[FeatureGroup, Feature]] = []
    told: list[tuple[FeatureGroup, Feature]] = []
    for name, (group, feature) in catalogue.FEATURES.items():
        everything = f"{name} {feature.title} {feature.title_zh} {feature.description} {group.title} {group.title_zh}".casefold()
        if all(word in everything for word in wanted):
            (named if all(word in name for word in wanted) else told).append((group, feature))
    if not named and not told:
        raise UsageError(f"No feature speaks of {list(words)}; {_nearest(' '.join(wanted), _vocabulary())}; see `kequn features list`")
    return _table([*named, *told])


def _table(features: Sequence[tuple[FeatureGroup, Feature]]) -> list[str]:
    rows = [(group.full_name(feature), feature.unit, feature.title, feature.title_zh) for group, feature in features]
    widths = [max((_shown_width(row[column]) for row in rows), default=0) for column in range(3)]
    return ["  " + "  ".join([*(_padded(text, width) for text, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows]


def _shown_width(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _shown_width(text))


def _beneath(feature: Feature) -> Iterator[str]:
    """The measures that the expression speaks of, and the tile columns they are taken of."""
    for source in catalogue.SOURCES:
        for item in source.wanted_by((feature.sql,)):
            yield f"  {item.column} = {_taken(item)}, of {source.reads}"
            yield from (f"    {column.name} = {column.merge}({column.sql}): {column.description}" for column in item.tile_columns)


def _taken(item: Wanted) -> str:
    if item.measure.operation is None:
        return item.aggregate
    window = (
        ""
        if item.window is None
        else f" over {item.window} days"
        if isinstance(item.window, int)
        else f" over {SPAN_TITLES[item.window][0]}"
    )
    return f"{item.measure.operation}({item.measure.column}){window}"


def _vocabulary() -> list[str]:
    return sorted({word for _, feature in catalogue.FEATURES.values() for word in feature.title.casefold().replace(",", "").split()})


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    return f"There is no {what} [{name}]; {_nearest(name, known)}; see `kequn features list`"


def _nearest(name: str, known: Sequence[str]) -> str:
    return f"nearest are {difflib.get_close_matches(name, known, n=3, cutoff=0.4)}"
