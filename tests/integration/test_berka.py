"""The public Berka files through the real mapping: nothing lost, both periods, every quirk that the mapping states."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from conf import settings as conf
from expectations.contracts import core
from jobs import ledger, tables
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


def test_dates_outside_the_history_are_not_made_up(berka: Path, tmp_path: Path) -> None:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path), "KEQUN_SOURCE": "berka", "KEQUN_LANDING": str(berka)})
    gap = order.order_of(settings, Request(job="ingest", since=date(1994, 5, 1), until=date(1994, 5, 31), scope="transactions"))
    assert gap.days == ()
    with pytest.raises(InputNotReadyError, match=r"delivers for \['1993-01-01..1994-03-31', '1995-04-19..1998-12-09'\] only"):
        order.order_of(settings, Request(job="ingest", since=date(1999, 1, 1), until=date(1999, 1, 1), scope="transactions"))
