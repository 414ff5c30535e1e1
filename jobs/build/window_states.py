"""Window states as stored: a night rolls those of the last one, and reads its own and the leaving days' tiles instead of a year's.

A run of `kequn features` for one date tells the ledger of which date states are stored, of which versions of its inputs and by which code
they were made. The next night makes the states of whom later commits concern from all their tiles, and rolls everybody
else's. Where there is nothing to roll (no state, other code, a date further back, `--force`, a changed price) everybody's are made
anew: the answer is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from features import windows
from features.catalogue import SWEPT, WINDOW_STATE
from features.spec import digest_of
from features.states import frames
from features.states.layout import layout_of
from features.states.stream import state_column
from jobs import ledger, tables
from jobs.build import corrections
from jobs.build.dates import between
from jobs.frames import made, release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from features.spec import Source, Wanted
    from jobs.build.corrections import Concerned
    from jobs.build.facts import Facts
    from jobs.context import JobContext
    from jobs.tables import Written

# After a longer gap as many days leave the windows as make them.
LONGEST_GAP = 40
# The code and conf that make states of day tiles: with other code of theirs none is rolled.
MAKERS = ("conf", "features", "jobs/build")
# The last dates whose states are kept: a night may be run again, or after a day that came late.
KEPT = 3


def made_by() -> str:
    """Digest of the code that makes states."""
    return ledger.code_version(MAKERS)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """States as of a date: so many, of this layout, made of these versions of inputs by this code."""

    as_of: date
    seen: Mapping[str, int]
    layout: str
    code: str
    rows: int

    @property
    def figures(self) -> dict[str, Any]:
        return {"as_of": str(self.as_of), "seen": dict(self.seen), "layout": self.layout, "code": self.code, "rows": self.rows}


def recorded(settings: Settings) -> list[Stored]:
    """What the newest run of `kequn features` knows to be stored, by whatever code, oldest first."""
    told = ledger.figures_of_newest(settings, "features").get("states", [])
    return [Stored(**one | {"as_of": date.fromisoformat(one["as_of"])}) for one in told]


@dataclass(frozen=True)
class Night:
    """The windows of one as-of date, taken by states. seen: versions of the inputs. `release` it.

    Nothing is made, and nothing to `store`, where no feature asks for a window. `made_anew` says why stored states were not rolled.
    """

    facts: Facts
    as_of: date
    seen: Mapping[str, int]
    known: Sequence[Stored]
    concerned: Concerned
    made_anew: list[str] = field(default_factory=list)
    _made: list[tuple[str, DataFrame]] = field(default_factory=list)

    def sweep(self, tiles: Mapping[Source, DataFrame], wanted: Sequence[Wanted], _: Sequence[date], owners: DataFrame | None) -> DataFrame:
        """Grain: owner × as_of_date; one column per wanted measure (as features.windows.swept). The rows are made here."""
        layout = digest_of(*(layout_of(source, wanted).digest for source in tiles))
        before, anew = self._rolled_from(layout, owners)
        stored = _read(self.facts.context, before) if before else None
        rolled = frames.rolled(stored, tiles, wanted, since=before.as_of if before else None, as_of=self.as_of, anew=anew, owners=owners)
        self._made.append((layout, made(rolled)))
        return self._made[-1][1].select(*windows.KEYS, *(item.column for item in wanted))

    def _rolled_from(self, layout: str, owners: DataFrame | None) -> tuple[Stored | None, DataFrame | None]:
        """The states to roll, None where everybody's are made anew, and the customers (customer_key) of whom they are."""
        context = self.facts.context
        before, because = self._before(layout)
        if before is None or because:
            self.made_anew.extend([because] if because else [])
            return None, None
        anew = frames.changed_hands(owners, before.as_of, self.as_of)
        late = corrections.concerning(context.settings, before.seen, self.seen, before.as_of)
        if late is None:
            return before, anew
        touched = self.concerned.by(late, before.as_of)
        if touched is None:
            self.made_anew.append(f"{sorted(late.touched)} changed since [{before.as_of}] in a way that concerns everybody")
            return None, None
        return before, touched if anew is None else touched.unionAll(anew).distinct()

    def _before(self, layout: str) -> tuple[Stored | None, str]:
        """The newest states that may be rolled, and why they may not; None and nothing where there are no earlier ones."""
        near = [one for one in self.known if _is_near(one, self.as_of)]
        before = next((one for one in reversed(near) if one.layout == layout and one.code == made_by()), None)
        if before is None:
            return before, _unlike(near[-1], layout) if near else ""
        if self.facts.context.request.force:
            return before, "--force makes everything again"
        rows = _rows(self.facts.context, before)
        return before, "" if rows == before.rows else f"of the [{before.rows}] states of [{before.as_of}] [{rows}] are left"

    @property
    def is_made(self) -> bool:
        return bool(self._made)

    def store(self) -> Written:
        """Write the states of the date."""
        ((_, rolled),) = self._made
        states = [state_column(source.name) for source in SWEPT]
        filled = " or ".join(f"length({name}) > 0" for name in states if name in rolled.columns)
        # Of a source that no feature asks for there is none.
        told = (
            column.name if column.name in rolled.columns else f"cast(null as {column.type}) as {column.name}"
            for column in WINDOW_STATE.columns
        )
        slice_ = rolled.where(filled).selectExpr(*told)
        where = between("as_of_date", self.as_of, self.as_of)
        return tables.replace(self.facts.context, WINDOW_STATE, slice_, where=where, dates=(self.as_of, self.as_of), may_be_empty=True)

    def recorded(self, written: Written) -> list[Stored]:
        """What is stored now that the states are `written`, oldest first."""
        ((layout, _),) = self._made
        now = Stored(as_of=self.as_of, seen=self.seen, layout=layout, code=made_by(), rows=written.rows_in)
        others = [one for one in _of_this_code(self.known) if one.as_of != self.as_of]
        return sorted([*others, now], key=lambda one: one.as_of)[-KEPT:]

    def release(self) -> None:
        for _, rolled in self._made:
            release(rolled)


def dates_rolled_from(as_of: date, known: Sequence[Stored]) -> list[date]:
    """Of which dates states may be rolled to an as-of date. Days that leave the windows in between have to be read: their windows began earlier."""
    return [one.as_of for one in _of_this_code(known) if _is_near(one, as_of)]


def _of_this_code(known: Sequence[Stored]) -> list[Stored]:
    return [one for one in known if one.code == made_by()]


def _unlike(stored: Stored, layout: str) -> str:
    """Why states are not of the kind that is rolled."""
    if stored.code != made_by():
        return f"those of [{stored.as_of}] were made by code [{stored.code}], this is [{made_by()}]"
    return f"those of [{stored.as_of}] are of layout [{stored.layout}], features ask for [{layout}]"


def _is_near(stored: Stored, as_of: date) -> bool:
    return as_of - timedelta(days=LONGEST_GAP) <= stored.as_of < as_of


def night(facts: Facts, dates: Sequence[date], seen: Mapping[str, int], known: Sequence[Stored], concerned: Concerned) -> Night | None:
    """Of one date, unless it lies before those of which states are kept: then, as for a range, nothing is rolled."""
    kept = _of_this_code(known)
    if len(dates) > 1 or (len(kept) == KEPT and dates[0] < kept[0].as_of):
        return None
    return Night(facts, dates[0], seen, known, concerned)


def _read(context: JobContext, stored: Stored) -> DataFrame:
    return tables.read(context, WINDOW_STATE).where(between("as_of_date", stored.as_of, stored.as_of))


def _rows(context: JobContext, stored: Stored) -> int:
    """How many of the states are there: not those that maintenance, or somebody else, has removed."""
    return _read(context, stored).count() if tables.version(context.settings, WINDOW_STATE) >= 0 else 0
