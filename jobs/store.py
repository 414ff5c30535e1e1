"""The data scientist's door: features of a date, of a customer, and how they are spread. DuckDB over the same tables; no JVM.

Feature rows are bitemporal. A correction appends a revision with the time at which it was known, so the same question has
three answers: as corrected (the default), as first published, and as it was known at a time.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from conf import settings as conf
from conf import sources
from features import catalogue
from features.spec import PURPOSES, columns_of
from jobs.build import versions
from jobs.build.wide import KEYS, chosen, permitted
from jobs.context import now
from jobs.errors import ConfigurationError, InputNotReadyError, UsageError
from jobs.serving import computed, lake, published, receipts, spines, training
from jobs.serving.drawn import Drawn
from jobs.serving.published import Asked
from jobs.serving.training import FEATURES_OF, Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from conf.settings import Settings
    from features.spec import FeatureGroup
    from jobs.serving.published import Published
    from jobs.serving.receipts import Receipt
    from jobs.serving.training import TrainingSet

MODEL_URI = "models:/"
QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
NEAREST = 5


class FeatureStore:
    """Reads the features of one deployment.

    Features are named in full (`activity__out_sum_30d`), by their group (`activity`: those that the purpose permits) or by a
    registered model (`models:/churn@champion`: those it was trained on, in the versions that it was trained on). Names mean the
    current version of a group; another one is named with its number (`activity_v2`). A feature that does not permit the purpose is refused.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """settings: of the deployment; without them those that KEQUN_HOME and KEQUN_ENV name. Raises ConfigurationError."""
        try:
            self._settings = settings or conf.load()
        except conf.SettingsError as error:
            raise ConfigurationError(str(error)) from error

    def read(
        self, as_of: date | str, *, purpose: str, features: Sequence[str] | None = None, revision: Published = "corrected",
        as_known_at: datetime | None = None,
    ) -> Drawn:  # fmt: skip
        """Everybody on a date. Grain: customer_key × as_of_date, in that order; then the features by full name.

        as_known_at: as it was known at that instant (with a zone); customers of whom nothing was known then have no row.
        A date that is not stored is computed from day tiles, as is known now: neither as first published nor as known at a time.
        Raises InputNotReadyError for a date that can't be computed either, with the nearest that are stored; UsageError for names and purposes.
        """
        day = _day(as_of)
        names, groups = self._chosen(features, purpose)
        try:
            rows = self._rows(names, groups, Asked(first=day, last=day, published=revision, as_known_at=as_known_at))
        except InputNotReadyError:
            return self._computed(names, groups, day, is_now=revision == "corrected" and as_known_at is None)
        if not len(rows) and as_known_at is None:
            return self._computed(names, groups, day, is_now=revision == "corrected")
        return rows

    def history(
        self, customer_key: int, *, purpose: str, features: Sequence[str] | None = None, revision: Published = "corrected",
        as_known_at: datetime | None = None,
    ) -> Drawn:  # fmt: skip
        """One customer on every stored date. Grain: as_of_date. No row: the customer was never open on such a date."""
        names, groups = self._chosen(features, purpose)
        return self._rows(names, groups, Asked(published=revision, as_known_at=as_known_at, where=f"customer_key = {int(customer_key)}"))

    def stats(self, feature: str, *, purpose: str, since: date | str | None = None, until: date | str | None = None) -> Drawn:
        """How a feature is spread over customers. Grain: as_of_date.

        customers, missing and distinct values; of numbers mean, std (of the sample), min, max and quantiles; of names the most
        frequent, with how many have it.
        """
        (name,), (group,) = self._chosen([feature], purpose)
        first, last = (None if day is None else _day(day) for day in (since, until))
        is_name = columns_of([group])[name][1].type == "string"
        rows = published.rows(self._settings, group, [name], Asked(first=first, last=last))
        told = _of_names(name) if is_name else _of_numbers(name)
        counts = f"count(*) as customers, count(*) - count({name}) as missing, count(distinct {name}) as distinct_values"
        return _drawn(f"select as_of_date, {counts}, {told} from ({rows}) group by as_of_date order by as_of_date")

    def revisions(
        self, *, purpose: str, features: Sequence[str] | None = None, since: date | str | None = None, until: date | str | None = None,
        known_since: datetime | None = None,
    ) -> Drawn:  # fmt: skip
        """What corrections did to published rows. Grain: as_of_date × feature that a revision changed, in that order.

        rows, those of them whose value came or went, mean and largest absolute change (null for names); filled: further rows, published
        before the feature was declared. known_since: of revisions known from that instant (with a zone) on. Without any, no row.
        """
        names, groups = self._chosen(features, purpose)
        first, last = (None if day is None else _day(day) for day in (since, until))
        asked = Asked(first=first, last=last, known_since=known_since)
        parts = [published.changes(self._settings, group, published.names_of(group, names), asked) for group in groups]
        return _drawn(f"select * from ({' union all '.join(parts)}) order by as_of_date, feature")

    def dates(self, features: Sequence[str], *, purpose: str) -> list[date]:
        """The dates for which all of the features are stored, ascending."""
        _, groups = self._chosen(features, purpose)
        return sorted(published.stored_dates(self._settings, groups))

    def training_set(
        self, spine: Any, *, purpose: str, features: Sequence[str] | None = None, as_known_at: datetime | None = None, max_age_days: int = 0
    ) -> TrainingSet:
        """The spine's rows, in their order, with what was known of each: never more than was known of its date.

        Of dates that are not stored (and have no stored one of max_age_days before them) features are computed from day tiles, as is known
        now; the receipt says of how many rows. With as_known_at the dates are those that were stored then, and others are refused: day tiles
        do not keep what they were.

        spine: an Arrow, pandas, Polars or Spark frame, a file, or a table by its full name (jobs.serving.spines). Adds features_of (the date
        that the features are of) and the features by full name. max_age_days: how much older than the row's date that may be; 0: the
        date itself. Leaves a receipt in the deployment's folder, from which the set can be drawn again.
        Raises UsageError for the spine's columns, names and purposes; InputNotReadyError for dates that are neither stored nor can be computed, with the rows.
        """
        if max_age_days < 0:
            raise UsageError(f"max_age_days is [{max_age_days}]; give 0 for the date itself, or more")
        names, groups = self._chosen(features, purpose)
        given = spines.of_table(self._settings, spine) if isinstance(spine, str) and spine in spines.tables() else spine
        taken = spines.taken(given, sources.load(self._settings.source.mapping), reserved={*names, FEATURES_OF})
        wish = Wish(
            names=names, groups=groups, purpose=purpose, max_age_days=max_age_days, known_at=as_known_at or now(), may_compute=as_known_at is None,
        )  # fmt: skip
        drawn = training.draw(self._settings, taken, wish)
        training.keep(self._settings, taken, drawn)
        return drawn

    def draw_again(self, receipt: str) -> TrainingSet:
        """The training set of a receipt, equal to what was drawn.

        Raises UsageError for an unknown one, DataRejectedError when it can't be read, or can't be drawn as it was.
        """
        first, rows, made = receipts.kept(self._settings, receipt)
        numbers = dict(versions.number_of(table.removeprefix("features.")) for table in first.spec_hashes)
        groups = versions.in_versions(self._settings, numbers, asked_by=f"Receipt [{receipt}]")
        names = chosen(first.features, first.purpose, groups)
        taken = spines.taken(rows, sources.load(self._settings.source.mapping))
        wish = Wish(
            names=names, groups=published.groups_of(names, groups), purpose=first.purpose, max_age_days=first.max_age_days,
            known_at=datetime.fromisoformat(first.known_at), may_compute=False, kept=made,
            dates={date.fromisoformat(day): date.fromisoformat(of) for day, of in first.features_of.items()},
        )  # fmt: skip
        return training.drawn_again(self._settings, taken, wish, first)

    def folder_of(self, receipt: Receipt) -> Path:
        """Where a training set's receipt is kept, with its spine."""
        return receipts.folder_of(self._settings, receipt.receipt)

    # --- how

    def _chosen(self, features: Sequence[str] | None, purpose: str) -> tuple[tuple[str, ...], list[FeatureGroup]]:
        """Full names, and the groups that hold them, one version of each."""
        if purpose not in PURPOSES:
            raise UsageError(f"[{purpose}] is no purpose that features are permitted for; there are {list(PURPOSES)}")
        numbers: dict[str, int] = {}
        meant: list[str] = []
        for name, group, number in [] if features is None else self._meant(features, purpose):
            if number is not None and numbers.setdefault(group, number) != number:
                raise UsageError(
                    f"[{group}] is asked for in versions [{numbers[group]}] and [{number}], whose columns are called alike; ask twice"
                )
            meant.append(name)
        groups = versions.in_versions(self._settings, numbers, asked_by="What is asked for")
        names = chosen(None if features is None else list(dict.fromkeys(meant)), purpose, groups)
        return names, published.groups_of(names, groups)

    def _meant(self, features: Iterable[str], purpose: str) -> Iterator[tuple[str, str, int | None]]:
        """Full names, each with its group and the version of it that is meant; None where there is no such group."""
        current = {group.name: group for group in catalogue.GROUPS}
        known = current | {group.version_name: group for group in catalogue.versions()}
        for name in features:
            if group := known.get(name):
                yield from ((full, group.name, group.version) for full in permitted(purpose, [group]))
            elif name.startswith(MODEL_URI):
                yield from self._of_model(name)
            else:
                of = name.partition("__")[0]
                yield name, of, current[of].version if of in current else None

    def _of_model(self, uri: str) -> Iterator[tuple[str, str, int]]:
        from jobs import tracking

        model = tracking.load(self._settings, tracking.resolve(self._settings, uri))
        numbers = model.facts["group_versions"]
        yield from ((name, of, numbers[of]) for name in model.features for of in [name.partition("__")[0]])

    def _rows(self, names: Sequence[str], groups: Sequence[FeatureGroup], asked: Asked) -> Drawn:
        parts = [published.rows(self._settings, group, published.names_of(group, names), asked) for group in groups]
        # A group may have been published where another was not yet: a row of either is a row.
        joined = f"({parts[0]})" + "".join(f" full join ({part}) using ({', '.join(KEYS)})" for part in parts[1:])
        return _drawn(f"select {', '.join([*KEYS, *names])} from {joined} order by {', '.join(KEYS)}")

    def _computed(self, names: Sequence[str], groups: Sequence[FeatureGroup], day: date, *, is_now: bool) -> Drawn:
        span = computed.answered(self._settings) if is_now and computed.tells(groups) else None
        if span and span[0] <= day <= span[1]:
            return Drawn(computed.everybody(self._settings, names, day))
        because = computed.told(self._settings, groups) if is_now else "what is not stored can be told as corrected and as known now only"
        raise InputNotReadyError(f"No features of [{day}]: {self._nearest(groups, day)}; {because}")

    def _nearest(self, groups: Sequence[FeatureGroup], day: date) -> str:
        """What there is instead, group by group where they differ."""
        lacking: dict[tuple[str, ...], list[str]] = {}
        for group in groups:
            stored = published.stored_dates(self._settings, [group])
            if day not in stored:
                nearest = sorted(stored, key=lambda one: abs(one - day))[:NEAREST]
                lacking.setdefault(tuple(str(one) for one in sorted(nearest)), []).append(group.table.full_name)
        described = "; ".join(f"{_listed(tables)} {[*dates] or 'none at all'}" for dates, tables in lacking.items())
        return f"{described}; run `kequn features --as-of {day}`"


def _listed(tables: Sequence[str]) -> str:
    return f"[{tables[0]}] has" if len(tables) == 1 else f"[{tables[0]}] and [{len(tables) - 1}] more have"


def _drawn(sql: str) -> Drawn:
    with lake.connect() as connection:
        return Drawn(connection.sql(sql).to_arrow_table())


def _day(day: date | str) -> date:
    """Raises UsageError for what is no date; an instant is none."""
    if isinstance(day, datetime):
        raise UsageError(f"[{day}] is an instant; an as-of date is a business date, as datetime.date or YYYY-MM-DD")
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"[{day}] is not a business date; give one as YYYY-MM-DD") from None


def _of_numbers(name: str) -> str:
    number = f"cast({name} as double)"
    quantiles = ", ".join(f"quantile_cont({number}, {at}) as {label}" for label, at in QUANTILES.items())
    return f"avg({number}) as mean, stddev_samp({number}) as std, min({number}) as min, max({number}) as max, {quantiles}"


def _of_names(name: str) -> str:
    return f"mode({name}) as most_frequent, list_max(map_values(histogram({name}))) as most_frequent_customers"
