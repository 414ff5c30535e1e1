"""The core facts that as-of dates need: read from the partitions concerned only, as tiles and states.

A night reads thirteen months, because as-of dates see twelve calendar months; balances also need an opening level, which the
month-end rows of the three months before the window give.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from expectations.contracts import core
from features import margin, months, spine, tiles
from features.engine import Core
from features.operations import HORIZON, LONGEST_WINDOW
from features.sources.balance import BALANCE
from features.sources.channel import CHANNEL
from features.sources.credit import CREDIT
from features.sources.instalment import LOAN_INSTALMENT, PLAN_INSTALMENT
from features.sources.transaction import TRANSACTION
from jobs import tables
from jobs.build.dates import between, within
from jobs.errors import InputNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from expectations.contracts.types import Table
    from features.spec import Source
    from jobs.context import JobContext

INPUTS = (
    core.CUSTOMER, core.CUSTOMER_MERGE, core.ACCOUNT, core.ACCOUNT_PARTY, core.PRODUCT, core.RATE, core.TRANSACTION, core.BALANCE_DAILY,
    core.CHANNEL_EVENT, core.CREDIT_ACCOUNT, core.CREDIT_INSTALMENT, core.DEPOSIT_PLAN, core.DEPOSIT_INSTALMENT,
)  # fmt: skip

OPENING_DAYS = 92
# Settings of Spark that are off while the wide plan of features is made, and what they are where nobody says.
PLANNED_ONCE = {"spark.sql.adaptive.enabled": "true", "spark.sql.constraintPropagation.enabled": "true"}
PRICED_KINDS = ("transfer", "client", "loss", "unit_cost")
# A bank with customers has transactions in any week; none means that the date was not ingested.
FRESH_DAYS = 7


def opening_of(source: Source, since: date) -> date:
    """First business date of a source's tiles for as-of dates that see business dates from `since` on."""
    if source.days:
        return date.min
    return since - timedelta(days=OPENING_DAYS) if source is BALANCE else since


@dataclass(frozen=True)
class Facts:
    """Facts for as-of dates within [first, last]; frames are lazy, small reference data is collected once.

    reach: days before an as-of date that are seen, itself included.
    known_from: first business date of the stored tiles that the balances of these facts continue, which then tell the changes of the dates
    that are seen only; None where nothing goes before them.
    """

    context: JobContext
    first: date
    last: date
    reach: int = HORIZON
    known_from: date | None = None

    @property
    def since(self) -> date:
        """First business date that the first as-of date sees."""
        return self.first - timedelta(days=self.reach - 1)

    def opening(self, source: Source) -> date:
        """First business date of the source's tiles: levels start from an opening one, events do not."""
        return opening_of(source, self.since)

    def _current(self, table: Table, since: date, until: date | None = None) -> DataFrame:
        frame = tables.current(tables.read_or_empty(self.context, table), table)
        return frame.where(between(str(table.date), since, until or self.last)) if "month" in table.partition_by else frame

    def _images(self, table: Table) -> DataFrame:
        """But those that say that their key is deleted: they are never in force."""
        start, end = tables.interval_of(table).start, tables.interval_of(table).end
        return tables.read_or_empty(self.context, table).where(f"{end} is null or {end} > {start}")

    @cached_property
    def owners(self) -> DataFrame | None:
        """Whose facts count for whom, see features.spine; None where nobody merged."""
        merges = tables.current(self._images(core.CUSTOMER_MERGE), core.CUSTOMER_MERGE)
        rows = merges.select("customer_key", "survivor_key", "merged_on").collect()
        return spine.ownership_frame(self.context.spark, [spine.Merged(**row.asDict()) for row in rows])

    @cached_property
    def rates(self) -> list[margin.Rate]:
        columns = ("kind", "code", "value_ppm", "valid_from", "valid_to")
        rows = self._images(core.RATE).where(F.col("kind").isin(*PRICED_KINDS)).select(*columns).collect()
        return [margin.Rate(**row.asDict()) for row in rows]

    @cached_property
    def prices(self) -> DataFrame:
        first_images = self._images(core.PRODUCT).groupBy("product_code").agg({"family": "min"})
        products = [(row[0], row[1]) for row in first_images.collect()]
        return tiles.price_frame(self.context.spark, margin.prices(products, self.rates))

    def core(self, day_tiles: Mapping[str, DataFrame] | None = None) -> Core:
        """The facts for the engine; tiles come from `day_tiles` where given, else from core tables."""
        return Core(
            customers=tables.read(self.context, core.CUSTOMER), account_parties=self._images(core.ACCOUNT_PARTY),
            accounts=self._images(core.ACCOUNT), products=self._images(core.PRODUCT),
            deposit_plans=self._current(core.DEPOSIT_PLAN, self.since), owners=self.owners,
            tiles=lambda source: day_tiles[source.name] if day_tiles and source.name in day_tiles else self.tiles(source),
        )  # fmt: skip

    def tiles(self, source: Source) -> DataFrame:
        """The source's tiles over all business dates that the as-of dates see."""
        if source.days:
            ever = replace(self, first=self.last, reach=(self.last - date.min).days + 1)
            return months.month_tiles(ever.tiles(source.days), source).where(within("business_date", date.min, self.last))
        return _TILES[source.name](self)

    # --- tiles per source

    def transaction_tiles(self) -> DataFrame:
        return tiles.transaction_tiles(self._current(core.TRANSACTION, self.since))

    def channel_tiles(self) -> DataFrame:
        return tiles.channel_tiles(self._current(core.CHANNEL_EVENT, self.since), tiles.unit_cost_frame(self.context.spark, self.rates))

    def balance_tiles(self) -> DataFrame:
        opening = max(self.opening(BALANCE), self.known_from or date.min)
        balances, accounts = self._current(core.BALANCE_DAILY, opening), self._images(core.ACCOUNT)
        if self.known_from and self.known_from < self.since:
            of_days = balances.where(between("business_date", self.since, self.last))
            concerned = tiles.concerned(of_days, accounts, self.since, self.last)
            balances, accounts = (frame.join(F.broadcast(concerned), on="account_key", how="left_semi") for frame in (balances, accounts))
        if self.known_from and self.known_from < opening:
            # Nearly always nobody: then the older balances are not read either, as adaptive planning drops the join.
            silent = tiles.reappeared(balances, accounts, opening=opening, day=self.since)
            older = self._current(core.BALANCE_DAILY, self.known_from, opening - timedelta(days=1))
            balances = balances.unionByName(older.join(F.broadcast(silent), on="account_key", how="left_semi"))
        assets = tiles.account_products(accounts, self._images(core.PRODUCT))
        return tiles.balance_tiles(balances, assets, self.prices, tiles.account_terms(accounts))

    def credit_tiles(self) -> DataFrame:
        # A contract's state holds until it changes, however long ago that was: all changes are read, they are few.
        changes = tables.current(self._images(core.CREDIT_ACCOUNT), core.CREDIT_ACCOUNT).where(f"business_date <= date'{self.last}'")
        return tiles.credit_tiles(changes, self.prices)

    def loan_instalment_tiles(self) -> DataFrame:
        return tiles.instalment_tiles(self._instalments(core.CREDIT_INSTALMENT), LOAN_INSTALMENT)

    def plan_instalment_tiles(self) -> DataFrame:
        return tiles.instalment_tiles(self._instalments(core.DEPOSIT_INSTALMENT), PLAN_INSTALMENT)

    def _instalments(self, table: Table) -> DataFrame:
        # An instalment may be paid long after it was due, and long before: by when it is due a payment can't be told to be unseen.
        return self._current(table, self.since - timedelta(days=LONGEST_WINDOW), date.max)


_TILES: dict[str, Callable[[Facts], DataFrame]] = {
    TRANSACTION.name: Facts.transaction_tiles, CHANNEL.name: Facts.channel_tiles, BALANCE.name: Facts.balance_tiles, CREDIT.name: Facts.credit_tiles,
    LOAN_INSTALMENT.name: Facts.loan_instalment_tiles, PLAN_INSTALMENT.name: Facts.plan_instalment_tiles,
}  # fmt: skip


@contextmanager
def planned_once(spark: SparkSession) -> Iterator[None]:
    """Without adaptive planning: a wide plan is planned again after each of its stages, which costs more than the stages.

    And without constraints: what is known of a column doubles with every part of it that another column renames.
    """
    before = {name: str(spark.conf.get(name, default)) for name, default in PLANNED_ONCE.items()}
    for name in before:
        spark.conf.set(name, "false")
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


def covered(context: JobContext, dates: Sequence[date]) -> list[date]:
    """The dates for which transactions were ingested. Raises InputNotReadyError when there are none at all."""
    since = dates[0] - timedelta(days=FRESH_DAYS - 1)
    days = (
        tables.read(context, core.TRANSACTION).where(between("business_date", since, dates[-1]))
        .select("business_date").distinct().collect()
    )  # fmt: skip
    loaded = {row[0] for row in days}
    found = [day for day in dates if any(day - timedelta(days=back) in loaded for back in range(FRESH_DAYS))]
    if not found:
        raise InputNotReadyError(
            f"[{core.TRANSACTION.full_name}] holds no business date from [{since}] to [{dates[-1]}]; run `kequn ingest` for [{context.request.partition}] first"
        )
    return found
