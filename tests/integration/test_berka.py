"""The public Berka files through the real mapping: nothing lost, both periods, every quirk that the mapping states."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from conf import settings as conf
from expectations.contracts import core
from jobs import ledger, tables
from jobs.build.features_command import build
from jobs.build.wide import wide_features
from jobs.context import JobContext, JobReport, Request, new_run_id, now
from jobs.errors import InputNotReadyError
from jobs.ingest import order
from jobs.ingest.job import ingest

FIRST, LAST = date(1993, 1, 1), date(1998, 12, 9)


@pytest.fixture(scope="module")
def ingested(spark: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobContext, dict[str, JobReport]]:
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "berka"
    if not folder.exists():
        pytest.skip("the Berka files are not beside this checkout")
    variables = {"KEQUN_HOME": str(tmp_path_factory.mktemp("berka")), "KEQUN_SOURCE": "berka", "KEQUN_LANDING": str(folder)}
    settings = conf.load("ci", variables=variables)
    reports = {}
    for group in ("reference", "channel", "transactions", "credit"):
        request = Request(job="ingest", since=FIRST, until=LAST, scope=group)
        context = JobContext(settings=settings, request=request, spark=spark, run_id=new_run_id(), generation=0, started_at=now())  # type: ignore[arg-type]
        reports[group] = ingest(context)
        ledger.record(context, reports[group], inputs="", seconds=0.0, peak_mb=0, finished_at=now())
    return context, reports


def _reconciled(reports: dict[str, JobReport], group: str) -> dict[str, int]:
    """Rows that landed as new, per feed and table; nothing may be set aside or dropped."""
    found = reports[group].figures["reconciled"]
    assert all(one["inserted"] == one["rows_in"] for name, one in found.items() if "loan_outcomes" not in name), found
    return {name: one["rows_in"] for name, one in found.items()}


def test_every_row_of_every_file_lands(ingested: tuple[JobContext, dict[str, JobReport]]) -> None:
    _, reports = ingested
    assert _reconciled(reports, "reference") == {
        "products -> core.product": 7, "customers -> core.customer": 5_369, "customers -> core.customer_identity": 5_369,
        "accounts -> core.account": 4_500, "dispositions -> core.account_party": 5_369,
    }  # fmt: skip
    assert _reconciled(reports, "transactions") == {
        "transactions -> core.transaction": 49_102 + 30_200, "balances -> core.balance_daily": 63_399, "standing_orders -> core.standing_order": 6_471,
    }  # fmt: skip
    assert _reconciled(reports, "credit") == {
        "loans -> core.credit_account": 682, "loan_outcomes -> core.credit_account": 682, "cards -> core.debit_card": 892,
    }  # fmt: skip


def test_the_quirks_of_transactions(ingested: tuple[JobContext, dict[str, JobReport]]) -> None:
    context, _ = ingested
    transactions = tables.read(context, core.TRANSACTION)
    by_direction = {row["direction"]: row["count"] for row in transactions.groupBy("direction").count().collect()}
    # credits of both files; debits, for which each file has two words
    assert by_direction == {"in": 22_994 + 11_882, "out": 25_457 + 651 + 17_462 + 856}
    assert transactions.where("business_date between '1994-04-01' and '1995-04-18'").count() == 0
    first = transactions.orderBy("business_date").first()
    # No time of day: the start of 1 January 1993 in Prague is 23:00 UTC of the day before.
    assert first is not None
    assert (first["occurred_at"], first["business_date"], first["local_hour"]) == (datetime(1992, 12, 31, 23), FIRST, None)
    assert transactions.where("type = 'fee' and is_customer_initiated").count() == 0


def test_women_loans_and_owners(ingested: tuple[JobContext, dict[str, JobReport]]) -> None:
    context, _ = ingested
    people = tables.read(context, core.CUSTOMER_IDENTITY).join(tables.read(context, core.CUSTOMER), on="customer_key", how="inner")
    born = [(row["id_number"], row["gender"], row["birth_date"]) for row in people.select("id_number", "gender", "birth_date").collect()]
    # A birth number is yymmdd; 50 is added to the month of a woman.
    assert {gender for number, gender, _ in born if int(number[2:4]) > 50} == {"F"}
    assert {gender for number, gender, _ in born if int(number[2:4]) <= 50} == {"M"}
    assert all(f"{day:%y}{day.month + 50 * (gender == 'F'):02d}{day:%d}" == number for number, gender, day in born)
    loans = tables.read(context, core.CREDIT_ACCOUNT)
    assert {row["status"] for row in loans.where("business_date = opened_on").select("status").collect()} == {"active"}
    outcome = {row["status"]: row["count"] for row in loans.where("business_date > opened_on").groupBy("status").count().collect()}
    assert outcome == {"closed": 203, "default": 31 + 45, "active": 403}
    parties = {row["role"]: row["count"] for row in tables.read(context, core.ACCOUNT_PARTY).groupBy("role").count().collect()}
    assert parties == {"owner": 4_500, "authorised": 869}


# Windows in days of the names behind them; what SQL is asked for beside them, over the entries that a window sees. None: of 365 days.
WINDOWED = {
    "activity__txn_count": ((7, 30, 90, 180, 365), "count(*) filter (is_cash)"),
    "activity__active_days": ((30, 90, 365), "count(distinct day) filter (is_cash)"),
    "activity__days_since_last": ((None,), "as_of_date - max(day) filter (is_cash)"),
    "activity__out_sum": ((7, 30, 90, 365), "coalesce(sum(amount) filter (not is_in), 0)"),
    "activity__in_sum": ((7, 30, 90, 365), "coalesce(sum(amount) filter (is_in), 0)"),
    "activity__ticket_mean": ((90,), "avg(amount) filter (is_cash and not is_in)"),
    "activity__ticket_largest": ((90,), "max(amount) filter (is_cash and not is_in)"),
    "spend_mix__cash_share": ((90,), "count(*) filter (is_cash) / nullif(count(*), 0)"),
    "spend_mix__pays_utility": ((90,), "count(*) filter (symbol = 'household') > 0"),
    "spend_mix__pays_insurance": ((365,), "count(*) filter (symbol = 'insurrance payment') > 0"),
    "cash_flow__net_flow": ((30, 90), "coalesce(sum(if(is_in, amount, -amount)), 0)"),
    "cash_flow__savings_rate": ((90,), "1 - coalesce(sum(amount) filter (not is_in), 0) / nullif(sum(amount) filter (is_in), 0)"),
    "cash_flow__other_bank_out": ((30, 90), "coalesce(sum(amount) filter (is_transfer and not is_in and bank is not null), 0)"),
    "cash_flow__transfer_in_share": (
        (90,),
        "coalesce(sum(amount) filter (is_transfer and is_in), 0) / nullif(sum(amount) filter (is_in), 0)",
    ),
}
# The same over the levels of days.
LEVELS = {
    "balances__aum_mad": ((30, 90, 180, 365), "coalesce(sum(ledger), 0) / {window}"),
    "balances__aum_highest": ((90, 365), "max(ledger)"),
}
BY_SQL = """
    with entries as (
        select account_id, cast(strptime('19' || date, '%Y%m%d') as date) as day, type in ('credit', 'PRIJEM') as is_in,
            cast(amount as decimal(18, 2)) as amount, coalesce(trim(k_symbol), '') as symbol, bank,
            symbol = '' and operation in ('credit in cash', 'withdrawal in cash', 'credit card withdrawal') as is_cash,
            symbol = '' and operation in ('remittance to another bank', 'collection from another bank') as is_transfer
        from read_csv('{folder}/preloan/trans_test.csv', delim = ';', all_varchar = true)),
    booked as (select account_id, day, sum(sum(if(is_in, amount, -amount))) over (partition by account_id order by day) as ledger
        from entries group by account_id, day),
    until as (select *, lead(day, 1, date '1998-01-01') over (partition by account_id order by day) as until from booked),
    levels as (select account_id, ledger, cast(unnest(generate_series(day, until - 1, interval 1 day)) as date) as day from until),
    asked as (
        select account_id, cast(strptime('19' || date, '%Y%m%d') as date) as opened, unnest(generate_series(date '1996-01-31', date '1997-12-31', interval 1 day)) as day
        from read_csv('{folder}/account.asc', delim = ';', all_varchar = true) where account_id in (select account_id from entries)),
    month_ends as (select account_id, cast(day as date) as as_of_date from asked where day = last_day(day) and opened <= day)
    select account_id, as_of_date, {features},
        coalesce((select arg_max(ledger, day) from booked b where b.account_id = m.account_id and b.day <= as_of_date), 0) as balances__aum_eod
    from month_ends m
"""


def _features(declared: dict[str, tuple[tuple[int | None, ...], str]], rows: str) -> list[str]:
    return [
        f"(select {sql.format(window=window)} from {rows} e where e.account_id = m.account_id and day <= as_of_date and day > as_of_date - {window or 365})"
        f" as {f'{name}_{window}d' if window else name}"
        for name, (windows, sql) in declared.items() for window in windows
    ]  # fmt: skip


def test_stored_features_of_the_preloan_accounts_are_what_sql_tells_of_the_file(ingested: tuple[JobContext, dict[str, JobReport]]) -> None:
    """Of 354 accounts, at the month-ends of 1996 and 1997."""
    context, _ = ingested
    folder = context.settings.landing
    with duckdb.connect() as connection:
        features = ", ".join([*_features(WINDOWED, "entries"), *_features(LEVELS, "levels")])
        expected = connection.sql(BY_SQL.format(folder=folder, features=features)).to_arrow_table().to_pylist()
        owner = dict(
            connection.sql(
                f"select account_id, client_id from read_csv('{folder}/disp.asc', delim = ';', all_varchar = true) where type = 'OWNER'"
            ).fetchall()
        )
    key = {
        row["source_id"]: row["customer_key"]
        for row in tables.read(context, core.CUSTOMER_IDENTITY).select("source_id", "customer_key").collect()
    }
    dates = sorted({row["as_of_date"] for row in expected})
    groups = [f"{name}_v1" for name in ("activity", "balances", "spend_mix", "cash_flow")]
    asked = Request(job="features", since=dates[0], until=dates[-1], scope="month-ends", options={"month_ends": True, "only": groups})
    build(replace(context, request=asked))
    named = [name for name in expected[0] if "__" in name]
    stored = wide_features(context, dates, names=named)
    found = {(row["customer_key"], row["as_of_date"]): row.asDict() for row in stored.collect()}
    assert len({row["account_id"] for row in expected}) == 354
    assert len(dates) == 24
    assert all(any(row[name] for row in expected) for name in named)
    for row in expected:
        mine = found[key[owner[row["account_id"]]], row["as_of_date"]]
        for name in named:
            # What all amounts add up to: the bank rounds its balances on the way.
            near = {"abs": 1} if name.startswith("balances") else {"rel": 1e-9}
            assert mine[name] == (None if row[name] is None else pytest.approx(float(row[name]), **near)), (name, row)


def test_dates_outside_the_history_are_not_made_up(berka: Path, tmp_path: Path) -> None:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path), "KEQUN_SOURCE": "berka", "KEQUN_LANDING": str(berka)})
    gap = order.order_of(settings, Request(job="ingest", since=date(1994, 5, 1), until=date(1994, 5, 31), scope="transactions"))
    assert gap.days == ()
    with pytest.raises(InputNotReadyError, match=r"delivers for \['1993-01-01..1994-03-31', '1995-04-19..1998-12-09'\] only"):
        order.order_of(settings, Request(job="ingest", since=date(1999, 1, 1), until=date(1999, 1, 1), scope="transactions"))
