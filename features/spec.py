"""What a feature is: frozen data. Sources hold integer day tiles and measures over them; groups hold finished features.

An as-of date D sees business_date <= D; a window of W days at D is business_date in (D - W, D], others are a `Span`. In an
aggregate's SQL a contract's row covers the ages `low`..`high`, in days before D, so that a window is `low < W`; `age` is a
state's, in days since it began. `{w}` stands for the window. Names of columns are derived, never typed:
`<source>_<measure>_<W>d` (or `_mtd`, `_ltd`) for measures, `<group>__<feature>_<W>d` for features.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from expectations.contracts.types import Column, Sensitivity, Table, Write
from features.operations import HORIZON, LONGEST_MONTH, SPAN_TITLES, SPANNED, Merge, Operation, Span, suffix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.operations import Window


class Empty(StrEnum):
    """What a customer without rows gets."""

    ZERO = "zero"  # nothing happened: counts and sums
    UNKNOWN = "unknown"  # null: there is nothing to take a share, a maximum or a date of
    STATED = "stated"  # what the feature states, of the customer and the date alone; never null
    OWN = "own"  # an attribute of the customer, whether there are rows or not; null where it is not known


_EMPTY_TOLD = {Empty.ZERO: "zero 零", Empty.UNKNOWN: "unknown 未知", Empty.OWN: "attribute 客户属性"}


class Kind(StrEnum):
    """How a source's rows meet as-of dates."""

    EVENTS = "events"  # a row belongs to one day
    STEPS = "steps"  # a row's level holds from its day until the next row's
    STATES = "states"  # rows are the state on the as-of date itself


MARKETING, CREDIT, SERVICE, RISK = "marketing", "credit", "service", "risk"
PURPOSES = (MARKETING, CREDIT, SERVICE, RISK)


@dataclass(frozen=True, kw_only=True)
class TileColumn:
    """One integer per entity and business date: `merge` over the events' `sql`. bits: how many a bit set has, from the lowest on."""

    name: str
    sql: str
    merge: Merge = Merge.SUM
    description: str
    bits: int = 63

    @property
    def partial(self) -> str:
        """Aggregate that makes the tile from events. A day without matching events is 0, an extremum null."""
        return f"coalesce(sum({self.sql}), 0)" if self.merge is Merge.SUM else f"{self.merge}({self.sql})"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number over the rows of a source that an as-of date sees: an `operation` on a column of customers' tiles,
    or an aggregate's `sql` where rows are contracts or states.
    """

    name: str
    empty: Empty
    operation: Operation | None = None
    column: str = ""
    beside: str = ""
    argument: int = 0
    sql: str = ""

    @property
    def is_windowed(self) -> bool:
        return "{w}" in self.sql if self.sql else self.operation not in {Operation.LEVEL, Operation.MONTH_END}

    def speaks_of(self, column: str) -> bool:
        """Whether the column of a tile is needed."""
        return column in {self.column, self.beside} or re.search(rf"\b{column}\b", self.sql) is not None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where measures come from. `entity` and the business date are the grain of the tiles; `reads` names the core table.

    is_stored: tiles are kept as a table. Where a core row is a tile already (a change of a loan) a copy would tell nothing.
    days: the source of whose day tiles these are the months (features.months); None for a source of day tiles.
    """

    name: str
    title: str
    title_zh: str
    kind: Kind
    reads: str
    measures: tuple[Measure, ...]
    columns: tuple[TileColumn, ...] = ()
    entity: tuple[str, ...] = ("customer_key",)
    is_stored: bool = False
    days: Source | None = None

    @property
    def is_swept(self) -> bool:
        """Whether the kernel takes its windows: tiles are the customer's own. Contracts' levels are not the customer's until added up."""
        return self.kind is not Kind.STATES and self.entity == ("customer_key",)

    @cached_property
    def table(self) -> Table:
        """Contract of the stored tiles."""
        name, title, title_zh = f"tile_{self.name}", f"Day tiles: {self.title}", f"日切片：{self.title_zh}"
        if self.days:
            name, title, title_zh = f"month_tile_{self.days.name}", f"Month tiles: {self.title}", f"月切片：{self.title_zh}"
        keys = tuple(
            Column(name=name, type="bigint", description="Entity", nullable=False, sensitivity=Sensitivity.C2) for name in self.entity
        )
        return Table(
            layer="features", name=name, title=title, title_zh=title_zh,
            grain=f"{' × '.join(self.entity)} × {'month' if self.days else 'business_date'}", key=(*self.entity, "business_date"), write=Write.REPLACE,
            date="business_date", partition_by=("month",),
            columns=(
                *keys,
                Column(name="business_date", type="date", nullable=False,
                       description="First day after the month, from which on its facts are seen" if self.days else "Bank day"),
                *(Column(name=c.name, type="bigint", description=c.description, sensitivity=Sensitivity.C2) for c in self.columns),
            ),
        )  # fmt: skip

    @cached_property
    def columns_beneath(self) -> dict[str, tuple[TileColumn, ...]]:
        """By a measure's name the columns of the tile that it is taken of. Asked for each window of each column: found once."""
        return {measure.name: tuple(column for column in self.columns if measure.speaks_of(column.name)) for measure in self.measures}

    def column_of(self, measure: Measure, window: Window | None) -> str:
        return f"{self.name}_{measure.name}" if window is None else f"{self.name}_{measure.name}_{suffix(window)}"

    def windows_of(self, measure: Measure, text: str) -> list[Window]:
        """The windows over which SQL speaks of the measure: days ascending, then spans."""
        found = set(re.findall(rf"\b{self.name}_{measure.name}_(?:(\d+)d|({'|'.join(Span)}))\b", text))
        return [*sorted(int(days) for days, _ in found if days), *(span for span in Span if ("", span) in found)]

    def tells(self, measure: Measure, span: Span) -> bool:
        """Whether the measure may be taken over the span."""
        if not (self.is_swept and self.kind is Kind.EVENTS and measure.operation in SPANNED[span]):
            return False
        if span is Span.MTD:
            return True
        # Multiples of a day's sum, and the greatest of them, are others once two customers have merged: months can't tell.
        merges = {column.name: column.merge for column in self.columns}
        return self.is_stored and not measure.argument and (measure.operation is not Operation.MAX or merges[measure.column] is Merge.MAX)

    def wanted_by(self, sqls: tuple[str, ...]) -> tuple[Wanted, ...]:
        """The measures that finishing expressions speak of, each once, in order of declaration and window.

        A life to date is asked of two sources: of the days' the month to date, of the months' all before it.
        """
        text = "\n".join(sqls)
        found: list[Wanted] = []
        for measure in self.measures:
            if measure.is_windowed:
                windows = (self.days or self).windows_of(measure, text)
                if self.days:
                    windows = [window for window in windows if window is Span.LTD]
                elif Span.LTD in windows and self.tells(measure, Span.LTD):
                    windows = [*(window for window in windows if not isinstance(window, Span)), Span.MTD]
                found += [Wanted(source=self, measure=measure, window=window) for window in windows]
            elif re.search(rf"\b{self.name}_{measure.name}\b", text):
                found.append(Wanted(source=self, measure=measure, window=None))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A measure over one window."""

    source: Source
    measure: Measure
    window: Window | None

    @property
    def column(self) -> str:
        return self.source.column_of(self.measure, self.window)

    @property
    def told(self) -> str:
        """The column that expressions speak of."""
        return (self.source.days or self.source).column_of(self.measure, self.window)

    @property
    def aggregate(self) -> str:
        """SQL over the rows that an as-of date sees."""
        return self.measure.sql.replace("{w}", str(self.window))

    @property
    def tile_columns(self) -> tuple[TileColumn, ...]:
        """The columns of the tile that it is taken of."""
        return self.source.columns_beneath[self.measure.name]

    @property
    def reach(self) -> int | None:
        """How many days it looks back, the as-of date included; None: as far as there are rows."""
        if self.source.kind is not Kind.EVENTS or self.window is Span.LTD:
            return None
        if self.measure.operation is Operation.MONTHS:
            return HORIZON
        return LONGEST_MONTH if isinstance(self.window, Span) else self.window

    @property
    def meaning(self) -> str:
        """Equal text, equal numbers: the measure, its window and the tile columns beneath it. Descriptions take no part."""
        return repr((self.measure, self.window, [(column.name, column.sql, str(column.merge)) for column in self.tile_columns]))


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One published number or label about a customer as of a date. `sql` finishes measures, in portable SQL.

    stated: with Empty.STATED what a customer without rows gets: SQL over the columns of the spine.
    """

    name: str
    title: str
    title_zh: str
    description: str
    unit: str
    sql: str
    type: str = "double"
    windows: tuple[Window, ...] = ()
    empty_means: Empty = Empty.UNKNOWN
    stated: str = ""
    sensitivity: Sensitivity = Sensitivity.C2
    purposes: tuple[str, ...] = PURPOSES
    owner: str = "customer-intelligence"

    def over(self, window: Window) -> Feature:
        """The declaration for one of its windows."""
        of, of_zh = SPAN_TITLES[window] if isinstance(window, Span) else (f"{window} days", f"近{window}日")
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "name": f"{self.name}_{suffix(window)}",
            "title": f"{self.title}, {of}",
            "title_zh": f"{of_zh}{self.title_zh}",
            "sql": self.sql.replace("{w}", suffix(window)),
            "windows": (),
        }
        return Feature(**fields)

    @property
    def is_nullable(self) -> bool:
        return self.empty_means in {Empty.UNKNOWN, Empty.OWN}

    @property
    def empty_told(self) -> str:
        """What a customer without rows gets, for people, in both languages."""
        if self.empty_means is Empty.STATED:
            return self.stated if self.stated.isdigit() else "of the customer and the date alone 仅由客户信息和日期得出"
        return _EMPTY_TOLD[self.empty_means]

    @property
    def finished(self) -> tuple[Feature, ...]:
        """One feature per window; itself when it has none."""
        return tuple(self.over(window) for window in self.windows) or (self,)


@dataclass(frozen=True, kw_only=True)
class FeatureGroup:
    """Features that are versioned, stored, owned and permitted together. A change of meaning is a new version.

    restricted: no column of the stored group may be published (jobs/marts/guards.py).
    """

    name: str
    version: int
    title: str
    title_zh: str
    declared: tuple[Feature, ...]
    entity: str = "customer"
    restricted: bool = False

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        return tuple(feature for declared in self.declared for feature in declared.finished)

    def full_name(self, feature: Feature) -> str:
        return f"{self.name}__{feature.name}"

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(
                name=self.full_name(feature), type=feature.type, description=f"{feature.title} ({feature.title_zh}): {feature.description}",
                unit=feature.unit, nullable=feature.is_nullable, sensitivity=feature.sensitivity,
            )
            for feature in self.features
        )  # fmt: skip

    @cached_property
    def table(self) -> Table:
        """Contract of the stored group."""
        return Table(
            layer="features", name=self.version_name, title=self.title, title_zh=self.title_zh,
            grain="customer × as_of_date × revision", key=("customer_key", "as_of_date"), write=Write.REVISIONS,
            date="as_of_date", partition_by=("month",), restricted=self.restricted,
            columns=(
                Column(name="customer_key", type="bigint", description="Customer", nullable=False, sensitivity=Sensitivity.C2),
                Column(name="as_of_date", type="date", description="Everything up to this business date is seen", nullable=False),
                *self.columns,
            ),
        )  # fmt: skip

    @property
    def table_columns(self) -> tuple[str, ...]:
        return ("customer_key", "as_of_date", *(column.name for column in self.columns))

    @property
    def version_name(self) -> str:
        """Name and version, as its table is called: `rhythm_v2`."""
        return f"{self.name}_v{self.version}"

    @property
    def sqls(self) -> tuple[str, ...]:
        return tuple(feature.sql for feature in self.features)


def columns_of(groups: Sequence[FeatureGroup]) -> dict[str, tuple[FeatureGroup, Feature]]:
    """What the columns of a wide row hold: full names; those of a second version of a group have its number in them.

    `rhythm__night_share_90d` of the version that comes first, `rhythm_v2__night_share_90d` of version 2 beside it.
    """
    first = {group.name: group for group in reversed(groups)}
    return {
        f"{group.name if first[group.name] is group else group.version_name}__{feature.name}": (group, feature)
        for group in groups for feature in group.features
    }  # fmt: skip


def digest_of(*declarations: object) -> str:
    """Hash of frozen declarations: equal text, equal meaning."""
    return hashlib.sha256("\n".join(repr(declaration) for declaration in declarations).encode()).hexdigest()[:16]
