"""What as-of dates see of core facts, as SQL text that Spark and DuckDB both run: each rule of who, when and whose is written here once.

A relation is text: a name, `{name}` for a frame that is given to `run`, or a subquery in brackets. `dates` holds as_of_date alone and means
everybody; with `each` it holds customer_key too, and a row meets its own customer's dates only. Hints are comments in DuckDB;
what its functions are called otherwise, features.dialect tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import margin, stream
from features.kernel import NOTHING
from features.operations import LONGEST_WINDOW, Merge, Span
from features.spec import Empty

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from features.spec import Feature, Source, TileColumn, Wanted
    from features.stream import Asked

_OF_IMAGES = (
    "birth_date", "gender", "opened_on", "region", "occupation", "kyc_risk", "acquisition_channel", "is_employee", "preapproved_limit_minor",
)  # fmt: skip
# Told of no image, but counted over them.
COUNTED = {"household_size": "bigint"}
CUSTOMER_ATTRIBUTES = (*_OF_IMAGES, *COUNTED)


def run(text: str, **frames: DataFrame) -> DataFrame:
    """The text's rows, lazily, in the Spark session of the frames that it names in braces."""
    session = next(iter(frames.values())).sparkSession
    return session.sql(text, None, **frames)


# --- whose, and when ------------------------------------------------------------------------------------------------


def is_valid(facts: str, day: str) -> str:
    """Whether an image of business validity is in force on the day."""
    return f"{facts}.valid_from <= {day} and ({facts}.valid_to is null or {facts}.valid_to > {day})"


def is_owned(facts: str, day: str) -> str:
    """Whether the row's owner owns it on the day; null bounds: always."""
    return f"({facts}.owned_from is null or {facts}.owned_from <= {day}) and ({facts}.owned_to is null or {facts}.owned_to > {day})"


def _meets(facts: str, *, each: bool) -> str:
    return f"d.customer_key = {facts}.customer_key and " if each else ""


def owned(facts: str, owners: str | None) -> str:
    """Grain: the facts' × ownership; customer_key is the owner's, for as-of dates in [owned_from, owned_to).

    Facts of a merged customer appear once per owner, each for its own as-of dates. owners: of features.spine.OWNERSHIP_DDL; None where
    nobody merged, which spares every plan the join.
    """
    if owners is None:
        return f"(select f.*, cast(null as date) as owned_from, cast(null as date) as owned_to from {facts} f)"
    return (
        "(select /*+ broadcast(o) */ f.* except (customer_key), coalesce(o.owner_key, f.customer_key) as customer_key, o.owned_from, o.owned_to "
        f"from {facts} f left join {owners} o on f.customer_key = o.merged_key)"
    )


def themselves(rows: str, owners: str | None) -> str:
    """Those rows of customer_key × as_of_date whose customer has not been merged into another one by then."""
    if owners is None:
        return rows
    gone = f"o.merged_key = r.customer_key and o.owner_key <> o.merged_key and {is_owned('o', 'r.as_of_date')}"
    return f"(select r.* from {rows} r where not exists (select 1 from {owners} o where {gone}))"


def spine(customers: str, dates: str, owners: str | None, *, each: bool = False) -> str:
    """Grain: customer_key × as_of_date, every customer open on the date, with `customer_<attribute>` columns.

    customers: images of core.customer, whole households among them: `customer_household_size` counts who of one is open on the date, null where
    no household is known. Open: active, opened by then, not closed, not merged into another customer.
    """
    attributes = ", ".join(f"c.{name} as customer_{name}" for name in _OF_IMAGES)
    here = _open(customers, dates, owners, f"c.customer_key, d.as_of_date, c.household_key, {attributes}", on=_meets("c", each=each))
    homes = f"(select distinct household_key as home, as_of_date from {here} h where household_key is not null)"
    members = _open(customers, homes, owners, "c.customer_key, d.home, d.as_of_date", on="c.household_key = d.home and ")
    sizes = f"(select home, as_of_date, count(*) as household_size from {members} m group by home, as_of_date)"
    return (
        f"(select h.* except (household_key), s.household_size as customer_household_size from {here} h "
        f"left join {sizes} s on s.home = h.household_key and s.as_of_date = h.as_of_date)"
    )


def _open(customers: str, dates: str, owners: str | None, columns: str, *, on: str) -> str:
    """Grain: customer who is open × row of `dates`."""
    is_open = "c.status = 'active' and c.opened_on <= d.as_of_date and (c.closed_on is null or c.closed_on > d.as_of_date)"
    here = f"(select /*+ broadcast(d) */ {columns} from {customers} c join {dates} d on {on}{is_valid('c', 'd.as_of_date')} and {is_open})"
    return themselves(here, owners)


# --- contracts and states ---------------------------------------------------------------------------------------------


def credit_steps(tiles: str) -> str:
    """Grain: credit contract × day of change [since, until); the state that held, and the dpd before it."""
    return (
        "(select t.*, t.business_date as since, lead(t.business_date) over by_contract as until, lag(t.dpd) over by_contract as dpd_before "
        f"from {tiles} t window by_contract as (partition by t.credit_account_id order by t.business_date))"
    )


def seen_steps(steps: str, dates: str, *, each: bool = False) -> str:
    """Grain: step × as_of_date that sees it; the step covers the ages low..high, in days before the as-of date. steps: owned."""
    in_reach = f"s.since <= d.as_of_date and (s.until is null or s.until > date_sub(d.as_of_date, {LONGEST_WINDOW}))"
    return (
        "(select /*+ broadcast(d) */ s.*, d.as_of_date, datediff(d.as_of_date, s.since) as high, "
        "greatest(0, coalesce(datediff(d.as_of_date, s.until) + 1, 0)) as low "
        f"from {steps} s join {dates} d on {_meets('s', each=each)}{in_reach} and {is_owned('s', 'd.as_of_date')})"
    )


def seen_holdings(parties: str, accounts: str, products: str, dates: str, *, each: bool = False) -> str:
    """Grain: account × as_of_date, with its primary owner on the date (on its last day, if closed).

    parties: images of core.account_party, owned; accounts, products: images of core.account, core.product.
    """
    of_day = f"{is_valid('h', 'd.as_of_date')} and {is_owned('h', 'd.as_of_date')} and h.held_from <= d.as_of_date"
    held = (
        f"(select /*+ broadcast(d) */ h.account_key, h.customer_key, h.held_to, d.as_of_date from {parties} h "
        f"join {dates} d on {_meets('h', each=each)}h.role = 'owner' and {of_day})"
    )
    known = (
        "(select /*+ broadcast(p) */ h.customer_key, h.as_of_date, a.product_code, a.currency, a.opened_on, a.closed_on, a.matures_on, "
        f"a.opening_channel, a.status, p.family from {held} h "
        f"join {accounts} a on a.account_key = h.account_key and {is_valid('a', 'h.as_of_date')} "
        f"left join {products} p on p.product_code = a.product_code and {is_valid('p', 'h.as_of_date')} "
        "where h.held_to is null or h.held_to >= least(h.as_of_date, coalesce(a.closed_on, h.as_of_date)))"
    )
    return _aged(known, "opened_on", "x.status <> 'closed'")


def seen_plans(plans: str, dates: str, *, each: bool = False) -> str:
    """Grain: plan × as_of_date. plans: current images of core.deposit_plan, owned."""
    seen = (
        f"(select /*+ broadcast(d) */ p.*, d.as_of_date from {plans} p "
        f"join {dates} d on {_meets('p', each=each)}p.started_on <= d.as_of_date and {is_owned('p', 'd.as_of_date')})"
    )
    return _aged(seen, "started_on", "true")


def _aged(rows: str, opened: str, is_running: str) -> str:
    """With age, closed_age, matures_in in days and is_open; what opens or closes after the as-of date is not seen."""
    ended = "x.closed_on <= x.as_of_date"
    return (
        f"(select x.*, datediff(x.as_of_date, x.{opened}) as age, case when {ended} then datediff(x.as_of_date, x.closed_on) end as closed_age, "
        f"datediff(x.matures_on, x.as_of_date) as matures_in, {is_running} and not coalesce({ended}, false) as is_open "
        f"from {rows} x where x.{opened} <= x.as_of_date)"
    )


def measures(seen: str, wanted: Sequence[Wanted]) -> str:
    """Grain: customer_key × as_of_date with rows in `seen`; one column per wanted measure."""
    taken = ", ".join(f"cast({item.aggregate} as bigint) as {item.column}" for item in wanted)
    return f"(select customer_key, as_of_date, {taken} from {seen} seen group by customer_key, as_of_date)"


def filled(item: Wanted) -> str:
    """The measure, where a customer has no rows what that means; of all months before the as-of date's the life to date, that month's days with it."""
    if item.source.days:
        this_month = item.source.days.column_of(item.measure, Span.MTD)
        if item.measure.empty is Empty.UNKNOWN:
            return f"greatest({item.column}, {this_month}) as {item.told}"
        return f"coalesce({item.column}, 0) + coalesce({this_month}, 0) as {item.told}"
    return f"coalesce({item.column}, 0) as {item.column}" if item.measure.empty is Empty.ZERO else item.column


def finished(name: str, feature: Feature) -> str:
    """The feature, called by its full name, of measures that are filled."""
    return f"cast({feature.sql} as {feature.type}) as {name}"


# --- day tiles --------------------------------------------------------------------------------------------------------


def day_tiles(events: str, source: Source) -> str:
    """Grain: the source's entity × business_date (with its customer_key); columns of the source's tile."""
    keys = ", ".join(dict.fromkeys([*source.entity, "customer_key", "business_date"]))
    partials = ", ".join(f"cast({column.partial} as bigint) as `{column.name}`" for column in source.columns)
    return f"(select {keys}, {partials} from {events} events group by {keys})"


def _seen_tiles(tiles: str, asked: Asked, spans: str) -> str:
    """Those of the tiles that an as-of date of their owner sees, with the first one. spans: of stream.Each. tiles: owned."""
    reached = "" if asked.reach is None else f" and t.business_date > date_sub(s.first_as_of, {asked.reach})"
    return (
        f"(select /*+ broadcast(s) */ t.*, s.first_as_of from {tiles} t "
        f"join {spans} s on s.customer_key = t.customer_key and t.business_date <= s.last_as_of{reached})"
    )


def tile_rows(tiles: str, asked: Asked, position: int, *, first: date | None = None, spans: str | None = None) -> str:
    """Grain: tile × ownership; columns of stream.ROW_DDL. The kernel adds up what merged customers have on one day. tiles: owned.

    first: the first of everybody's as-of dates; spans: of stream.Each, everybody's own. Tiles of long before it carry the columns that are
    asked for further back only: of a year's tiles that is most of the bytes.
    """
    tiles, first_day = (_seen_tiles(tiles, asked, spans), "first_as_of") if spans else (tiles, f"date '{first}'")
    by_name = {column.name: tile_value(column) for column in asked.source.columns}
    known = [by_name[name] for name in asked.columns]
    tile = f"array({', '.join(known)})"
    if asked.far < len(known):
        far = f"cast(array({', '.join(known[: asked.far])}) as array<bigint>)"
        tile = f"case when business_date > date_sub({first_day}, {stream.NEAR_DAYS}) then {tile} else {far} end"
    return (
        f"(select customer_key, coalesce(unix_date(owned_from), {stream.FIRST_DAY}) as owned_from, "
        f"coalesce(unix_date(owned_to), {stream.LAST_DAY}) as owned_to, {position} as source, unix_date(business_date) as day, {tile} as tile "
        f"from {tiles} tiles where customer_key is not null)"
    )


def tile_value(column: TileColumn) -> str:
    return f"coalesce(`{column.name}`, {f'{NOTHING + 1}L - 1L' if column.merge is Merge.MAX else '0L'})"


def instalment_events(instalments: str) -> str:
    """Grain: instalment × fact: that it fell due (is_due) or that it was paid; business_date is that of the fact."""
    facts = f"(select i.*, f.is_due, case when f.is_due then i.due_on else i.paid_on end as business_date from {instalments} i cross join {_FACTS})"
    return f"(select * from {facts} facts where business_date is not null)"


_FACTS = "(values (true), (false)) as f(is_due)"


def priced(facts: str, prices: str) -> str:
    """Grain: the facts', with the prices in force for their product on their business date; null where there are none."""
    in_force = "p.since <= f.business_date and (p.until is null or p.until > f.business_date)"
    return (
        f"(select /*+ broadcast(p) */ f.*, p.spread_ppm, p.loss_ppm from {facts} f "
        f"left join {prices} p on p.product_code = f.product_code and {in_force})"
    )


def credit_changes(changes: str, prices: str) -> str:
    """Grain: the changes', current images of core.credit_account; with the run-rates of features.margin."""
    owed = "case when c.status = 'closed' then 0 else coalesce(c.balance_minor, 0) end"
    rates = ", ".join(f"{margin.run_rate(owed, f'c.{part}_ppm')} as {part}_milli" for part in ("spread", "loss"))
    return f"(select c.*, {rates} from {priced(changes, prices)} c)"
