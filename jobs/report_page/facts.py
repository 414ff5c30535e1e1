"""What a report tells, read from the warehouse by DuckDB: no JVM. A table that does not exist yet has no rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expectations.contracts import features, mart, ops, scores
from jobs import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from conf.settings import Settings
    from expectations.contracts.types import Table

Row = dict[str, Any]
MONTHLY_FROM_DAYS = 120
LIKELY_TO_LEAVE = 15


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Lists of rows, one dict each; the queries below say their grain."""

    since: date
    until: date
    runs: list[Row] = field(default_factory=list)
    feeds: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    broken: list[Row] = field(default_factory=list)
    sizes: list[Row] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    churn_bins: list[Row] = field(default_factory=list)
    leaving: list[Row] = field(default_factory=list)
    unscored: list[Row] = field(default_factory=list)
    bands: list[Row] = field(default_factory=list)
    publications: list[Row] = field(default_factory=list)
    customers: int = 0

    @property
    def monthly(self) -> bool:
        """Long periods are shown by month."""
        return (self.until - self.since).days > MONTHLY_FROM_DAYS


class Warehouse:
    """SQL over Delta tables; a table's name in SQL is its full name with an underscore."""

    def __init__(self, settings: Settings) -> None:
        import duckdb

        self._settings = settings
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'")

    def rows(self, sql: str, *read: Table, **values: Any) -> list[Row]:
        """Rows of a query over `read`, [] when one of them does not exist; `$name` in SQL is a value."""
        for table in read:
            opened = tables.log(self._settings, table)
            if opened is None:
                return []
            self._connection.register(table.full_name.replace(".", "_"), opened.to_pyarrow_dataset())
        found = self._connection.execute(sql, values or None)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def gather(settings: Settings, since: date, until: date) -> Facts:
    """Everything about the dates since..until, both inclusive."""
    warehouse = Warehouse(settings)
    period = {"since": since, "until": until}
    bucket = "month" if Facts(since=since, until=until).monthly else "day"
    runs = _runs(warehouse, since, until)
    ours = {"runs": [run["run_id"] for run in runs]}
    last = _last_date(warehouse, since, until)
    return Facts(
        since=since,
        until=until,
        runs=runs,
        feeds=warehouse.rows(FEEDS, ops.DELIVERY, **period),
        deliveries=warehouse.rows(DELIVERIES.format(bucket=bucket), ops.DELIVERY, **period),
        checks=warehouse.rows(CHECKS, ops.QUALITY_RESULT, **period),
        broken=warehouse.rows(BROKEN, ops.QUALITY_RESULT, **period),
        sizes=warehouse.rows(SIZES, features.SEGMENT_DAILY, **period),
        moves=warehouse.rows(MOVES, features.SEGMENT_DAILY, until=until),
        churn_bins=warehouse.rows(CHURN_BINS, scores.CHURN, **period),
        bands=warehouse.rows(BANDS, scores.CHURN, **period),
        unscored=warehouse.rows(UNSCORED, scores.CHURN, **period),
        leaving=_leaving(warehouse, since, until),
        publications=warehouse.rows(PUBLICATIONS, ops.PUBLISH_LOG, **ours) if runs else [],
        customers=last,
    )


def _runs(warehouse: Warehouse, since: date, until: date) -> list[Row]:
    """Finished runs whose last date lies in the period, in order of finishing and of their ids; JSON columns opened."""
    found = warehouse.rows("select * from ops_run order by finished_at, run_id", ops.RUN)
    kept = [run for run in found if str(since) <= run["partition"].split("..")[-1] <= str(until)]
    opened = ("rows", "outputs", "figures")
    return [{**run, **{name: json.loads(run[name] or "{}") for name in opened}} for run in kept]


def _last_date(warehouse: Warehouse, since: date, until: date) -> int:
    """Customers on the last date with segments."""
    found = warehouse.rows(CUSTOMERS, features.SEGMENT_DAILY, since=since, until=until)
    return int(found[0]["customers"]) if found else 0


def _leaving(warehouse: Warehouse, since: date, until: date) -> list[Row]:
    """Grain: customer, the likeliest to leave on the last scored date; tier, value and permission where they are known."""
    found = warehouse.rows(LEAVING, scores.CHURN, since=since, until=until, rows=LIKELY_TO_LEAVE)
    keys = [row["customer_key"] for row in found]
    known = warehouse.rows("select * from mart_customer_360 where list_contains($keys, customer_key)", mart.CUSTOMER_360, keys=keys)
    by_key: Mapping[int, Row] = {row["customer_key"]: row for row in known}
    return [{**row, "published": by_key.get(row["customer_key"], {})} for row in found]


# A date that was told again counts as it was told last. Grain: told feed × date × core table; once feed × date, as a feed of two tables
# delivers its rows once: of its tables the one from which most was set aside.
_TOLD = """
with told as (select * from ops_delivery where business_date between $since and $until
              qualify row_number() over (partition by feed, business_date, target order by finished_at desc, run_id) = 1),
     once as (select * from told qualify row_number() over (partition by feed, business_date order by quarantined desc, target) = 1)
"""

# Grain: feed × core table over the period.
FEEDS = (
    _TOLD
    + """
select feed, target, count(distinct business_date) as dates, sum(rows_in) as rows_in, sum(inserted) as inserted, sum(updated) as updated,
       sum(unchanged) as unchanged, sum(duplicates) as duplicates, sum(quarantined) as quarantined
from told group by feed, target order by feed, target
"""
)

# Grain: feed × day or month.
DELIVERIES = (
    _TOLD
    + """
select feed, date_trunc('{bucket}', business_date)::date as day, sum(rows_in)::bigint as rows_in, sum(inserted)::bigint as inserted,
       sum(updated)::bigint as updated, sum(unchanged)::bigint as unchanged, sum(duplicates)::bigint as duplicates,
       sum(quarantined)::bigint as quarantined
from once group by feed, day order by feed, day
"""
)

# The last date of a partition `D` or `A..B` lies in the period.
_CHECKED = "cast(right(partition, 10) as date) between $since and $until"

# Grain: checked table.
CHECKS = f"""
select checked_table, count(*) as checks, count_if(passed) as passed, count_if(not passed and severity = 'quarantine') as set_aside,
       count_if(not passed and severity = 'warn') as warned, count_if(not passed and severity = 'stop') as stopped
from ops_quality_result where {_CHECKED} group by checked_table order by checked_table
"""

# Grain: feed × table × rule that was broken in the period.
BROKEN = f"""
select feed, checked_table, rule, any_value(because) as because, severity, sum(unexpected_rows)::bigint as rows, count(*) as times,
       max(observed) as observed, max(right(partition, 10)) as last_date
from ops_quality_result where not passed and {_CHECKED}
group by feed, checked_table, rule, severity order by severity, rows desc, feed, rule
"""

CUSTOMERS = """
select count(distinct customer_key) as customers from features_segment_daily
where as_of_date = (select max(as_of_date) from features_segment_daily where as_of_date between $since and $until)
"""

# Grain: as-of date × scheme × segment.
SIZES = """
select as_of_date, scheme, segment, count(*) as customers from features_segment_daily
where as_of_date between $since and $until group by all order by as_of_date, scheme, segment
"""

# Grain: scheme × segment before × segment after, between the last two dates; null: not there on that date. The first of them may lie
# before the period: the page of one night tells who moved in that night.
MOVES = """
with dates as (select distinct as_of_date from features_segment_daily where as_of_date <= $until order by 1 desc limit 2),
     ends as (select min(as_of_date) as first, max(as_of_date) as last from dates having count(*) = 2),
     before as (select d.* from features_segment_daily d join ends on d.as_of_date = ends.first),
     after as (select d.* from features_segment_daily d join ends on d.as_of_date = ends.last)
select coalesce(b.scheme, a.scheme) as scheme, b.segment as before, a.segment as after, count(*) as customers,
       (select first from ends) as first_date, (select last from ends) as last_date
from before b full join after a on b.customer_key = a.customer_key and b.scheme = a.scheme group by all order by all
"""

# The model and date that were scored last; whom the model does not score has a band, but no probability.
_NEWEST = """
with newest as (select max(as_of_date) as day from scores_churn where as_of_date between $since and $until),
     everybody as (select c.* from scores_churn c join newest on c.as_of_date = newest.day
                where model_version = (select max(model_version) from scores_churn join newest on as_of_date = day)),
     scored as (select * from everybody where churn_probability is not null)
"""

# Grain: bin of 2.5 points of probability.
CHURN_BINS = (
    _NEWEST + "select least(floor(churn_probability * 40), 39)::int as bin, count(*) as customers from scored group by bin order by bin"
)

# Grain: band × strongest reason.
BANDS = _NEWEST + (
    "select churn_band as band, coalesce(reason_1, 'other') as reason, count(*) as customers, avg(churn_probability) as mean, "
    "any_value(as_of_date) as as_of_date, any_value(model_version) as model_version from scored group by band, reason order by band, customers desc"
)  # fmt: skip

LEAVING = _NEWEST + (
    "select customer_key, churn_probability, churn_band, reason_1, reason_2, reason_3, as_of_date, model_version from scored "
    "order by churn_probability desc, customer_key limit $rows"
)  # fmt: skip

# Grain: band of customers without a score.
UNSCORED = _NEWEST + (
    "select churn_band as band, count(*) as customers from everybody where churn_probability is null group by band order by band"
)  # fmt: skip

PUBLICATIONS = "select * from ops_publish_log where list_contains($runs, run_id) order by finished_at, published_table"
