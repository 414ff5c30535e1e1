"""Core facts × as-of dates → features and labels. Pure: frames in, frames out; jobs reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from pyspark.sql import functions as F

from features import labelling, windows
from features.catalogue import GROUPS, SOURCES
from features.sources.credit import CREDIT
from features.sources.holding import PLAN
from features.spine import dates_frame, spine, still_themselves, with_households

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from features.labelling import Label
    from features.spec import FeatureGroup, Source, Wanted
    from features.windows import Measured

    Sweep: TypeAlias = Callable[[Mapping[Source, DataFrame], Sequence[Wanted], Sequence[date], DataFrame | None], DataFrame]


@dataclass(frozen=True, kw_only=True)
class Core:
    """What is known: images of customers, account_parties, accounts and products; current deposit plans; day tiles.

    tiles: the tiles of a source, over all business dates that the as-of dates see. owners: features.spine.ownership_frame.
    sweep: how the windows of customers' own tiles are taken.
    only: customer_key, whom rows are wanted of; None for everybody. `customers` may hold more: who lives with them.
    """

    customers: DataFrame
    account_parties: DataFrame
    accounts: DataFrame
    products: DataFrame
    deposit_plans: DataFrame
    tiles: Callable[[Source], DataFrame]
    owners: DataFrame | None = None
    sweep: Sweep = windows.swept
    only: DataFrame | None = None

    def spine(self, dates: DataFrame) -> DataFrame:
        """Grain: open customer × as_of_date, see features.spine."""
        everybody = spine(self.customers, dates, self.owners)
        return everybody if self.only is None else everybody.join(F.broadcast(self.only), on="customer_key", how="left_semi")

    def of(self, customers: DataFrame) -> Core:
        """What is known of these customers only. customers: customer_key, with their relatives (features.spine)."""

        def mine(frame: DataFrame) -> DataFrame:
            return frame.join(F.broadcast(customers), on="customer_key", how="left_semi")

        def tiles(source: Source) -> DataFrame:
            known = self.tiles(source)
            if "customer_key" in source.entity:
                return mine(known)
            # A contract may have been another's before: what happened then belongs to what is known of it.
            return known.join(F.broadcast(mine(known).select(*source.entity).distinct()), on=list(source.entity), how="left_semi")

        return replace(
            self,
            only=customers,
            customers=self.customers.join(F.broadcast(with_households(customers, self.customers)), on="customer_key", how="left_semi"),
            account_parties=mine(self.account_parties),
            deposit_plans=mine(self.deposit_plans),
            tiles=tiles,
        )

    def measured(self, sqls: Sequence[str], dates: Sequence[date]) -> Measured:
        """The measures that the expressions speak of; grain customer × as_of_date with facts. One pass over each source."""
        wanted = {source: items for source in SOURCES if (items := source.wanted_by(tuple(sqls)))}
        swept = {source: self.tiles(source) for source in wanted if source.is_swept}
        found: Measured = []
        if swept:
            taken = [item for source in swept for item in wanted[source]]
            found.append((self.sweep(swept, taken, dates, self.owners), taken))
        as_of = dates_frame(self.customers.sparkSession, dates)
        return found + [
            (windows.measures(self._seen(source, as_of), items), items) for source, items in wanted.items() if source not in swept
        ]

    def _seen(self, source: Source, dates: DataFrame) -> DataFrame:
        """Grain: contract's step or state × as_of_date that sees it."""
        if source is CREDIT:
            return windows.seen_steps(windows.credit_steps(self.tiles(source), self.owners), dates)
        if source is PLAN:
            return windows.seen_plans(self.deposit_plans, dates, self.owners)
        return windows.seen_holdings(self.account_parties, self.accounts, self.products, dates, self.owners)


def features_of(core: Core, dates: Sequence[date], groups: Sequence[FeatureGroup] = GROUPS) -> DataFrame:
    """Grain: open customer × as_of_date; every feature of the groups, see features.spec.columns_of. One pass over each source."""
    as_of = dates_frame(core.customers.sparkSession, dates)
    sqls = [sql for group in groups for sql in group.sqls]
    return windows.assemble(core.spine(as_of), core.measured(sqls, dates), groups)


def observed(core: Core, labels: Sequence[Label], dates: Sequence[date], *, delivered: Mapping[str, Collection[date]]) -> Measured:
    """What all labels ask for: measures as of their dates and as of the ends of their outcomes, in one pass.

    delivered: by a label's name, the business dates for which its facts have come.
    """
    ends = {label.end_of(day) for label in labels for day in dates if label.is_complete(day, delivered[label.name])}
    sqls = [sql for label in labels for sql in label.sqls]
    return core.measured(sqls, sorted({*dates, *ends}))


def labels_of(
    core: Core, label: Label, measured: Measured, dates: Sequence[date], *, delivered: Collection[date]
) -> DataFrame:  # fmt: skip
    """Grain: open customer × as_of_date; columns of the label's table.

    measured: what `observed` told of these dates. delivered: business dates for which the label's facts have come.
    """
    at_start = windows.with_measures(core.spine(dates_frame(core.customers.sparkSession, dates)), measured)
    known = [day for day in dates if label.is_complete(day, delivered)]
    return labelling.label(label, at_start, _outcomes(core, label, measured, known), dates=dates, delivered=delivered)


def _outcomes(core: Core, label: Label, measured: Measured, dates: Sequence[date]) -> DataFrame:
    """Grain: customer of the spine × as_of_date who is nobody else's at the end of the outcome; with `outcome`."""
    begun = core.spine(dates_frame(core.customers.sparkSession, dates))
    at_end = begun.withColumn("as_of_date", F.date_add("as_of_date", label.horizon_days))
    ended = windows.with_measures(still_themselves(at_end, core.owners), measured)
    at_start = F.date_sub("as_of_date", label.horizon_days).alias("as_of_date")
    return ended.select("customer_key", at_start, F.expr(label.outcome).alias("outcome"))
