"""The simulated bank: equal bytes, exact balances, the mapping's columns, and behaviour that is there to be found."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lunardate import LunarDate

from conf import settings as conf
from conf import sources
from expectations.contracts import core
from expectations.contracts.types import Table
from jobs import __main__ as kequn
from jobs.errors import DataRejectedError, InputNotReadyError, UsageError
from jobs.ingest import landing as landings
from jobs.simulate import catalogue, command, ground
from jobs.simulate.bank import simulate
from jobs.simulate.draws import generator
from jobs.simulate.faults import AMOUNT_COLUMN, FAULTS, NEVER_EMPTY, NOBODYS_ACCOUNT, continental
from jobs.simulate.landing import FORMATS, folder, read_delivery
from jobs.simulate.moves import MOVE_DEFAULTS, affordable, posted
from jobs.simulate.night import BAD_ROWS
from jobs.simulate.planted import BUYS_ALONE, BUYS_TREATED
from jobs.simulate.population import draw_population
from jobs.simulate.scene import digital_share
from jobs.simulate.seasons import LUNAR_NEW_YEAR, add_months, first_date, months_between, span, spending_weights

CONF = Path(__file__).parents[2] / "conf"
MAPPING = yaml.safe_load((CONF / "sources" / "bank.yml").read_text(encoding="utf-8"))
END = date(2024, 3, 31)
NIGHT = END + timedelta(days=2)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,050 customers, which is two blocks, from February 2023 to March 2024: two lunar new years."""
    out = tmp_path_factory.mktemp("town")
    simulate(out=out, customers=2_050, months=14, seed=3, end=END, workers=2)
    return out


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 customers over two months and two nights, the second with faults."""
    out = tmp_path_factory.mktemp("village")
    simulate(out=out, customers=900, months=2, seed=5, end=END, nights=2, faults=True, workers=1)
    return out


def days_of(bank: Path, feed: str = "transactions") -> list[date]:
    return sorted(date.fromisoformat(path.name.split("=")[1]) for path in (bank / "landing" / feed).iterdir())


@functools.cache
def rows_of(bank: Path, feed: str) -> tuple[tuple[date, dict[str, str]], ...]:
    """Delivered rows with their business date."""
    return tuple(_rows_of(bank, feed))


def _rows_of(bank: Path, feed: str) -> Iterator[tuple[date, dict[str, str]]]:
    for day in days_of(bank, feed):
        if (folder(bank / "landing", feed=feed, business_date=day) / FORMATS[feed].file_name).exists():
            for row in read_delivery(bank / "landing", feed=feed, business_date=day).to_pylist():
                yield day, row


def truth_of(bank: Path) -> dict[str, dict[str, Any]]:
    return {row["cust_no"]: row for row in pq.read_table(bank / "truth" / "customers.parquet").to_pylist()}


def owners_of(bank: Path) -> dict[str, str]:
    return {row["acct_no"]: row["cust_no"] for _, row in rows_of(bank, "account_parties") if row["role"] == "OWNER"}


def contents(bank: Path, *, until: date | None = None) -> dict[str, str]:
    found = {}
    for path in sorted(bank.rglob("*")):
        if path.is_file() and (until is None or path.parent.name <= f"business_date={until}"):
            found[str(path.relative_to(bank))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def bank_day(local: str) -> date:
    moment = datetime.fromisoformat(local)
    return moment.date() + timedelta(days=moment.hour >= 23)


# --- bytes ---------------------------------------------------------------------------------------------------------------------


def test_equal_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        simulate(out=tmp_path / name, customers=2_010, months=1, seed=3, end=END, workers=workers, faults=True, bad_files=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_history_does_not_change_with_the_nights_after_it(tmp_path: Path) -> None:
    simulate(out=tmp_path / "history", customers=120, months=2, seed=3, end=END, workers=1)
    simulate(out=tmp_path / "nights", customers=120, months=2, seed=3, end=END, nights=2, workers=1)
    history = {name: digest for name, digest in contents(tmp_path / "history" / "landing", until=END).items() if "2024-03-31" not in name}
    nights = contents(tmp_path / "nights" / "landing", until=END)
    assert history.items() <= nights.items()
    assert contents(tmp_path / "history" / "landing") == nights


def test_another_seed_is_another_bank(tmp_path: Path) -> None:
    simulate(out=tmp_path / "one", customers=50, months=1, seed=1, end=END, workers=1)
    simulate(out=tmp_path / "two", customers=50, months=1, seed=2, end=END, workers=1)
    assert contents(tmp_path / "one") != contents(tmp_path / "two")


# --- form ----------------------------------------------------------------------------------------------------------------------


def test_feeds_and_columns_are_those_of_the_mapping(town: Path) -> None:
    assert {path.name for path in (town / "landing").iterdir()} == set(MAPPING["feeds"])
    for feed, declared in MAPPING["feeds"].items():
        delivered = next(
            read_delivery(town / "landing", feed=feed, business_date=day)
            for day in days_of(town, feed)
            if (folder(town / "landing", feed=feed, business_date=day) / FORMATS[feed].file_name).exists()
        )
        assert delivered.column_names == declared["columns"], feed
        assert set(delivered.schema.types) == {pa.string()}, feed


def test_formats_are_those_of_the_mapping() -> None:
    for feed, declared in MAPPING["feeds"].items():
        layout = FORMATS[feed]
        assert layout.kind == declared["format"]
        assert layout.is_gzip == (declared.get("compression") == "gzip")
        assert layout.encoding.lower() == declared.get("encoding", "utf-8").lower()
        assert layout.may_be_empty == declared.get("may_be_empty", False)


def test_every_day_has_every_manifest_and_manifests_tell_the_truth(village: Path) -> None:
    expected = [date(2024, 2, 1) + timedelta(days=one) for one in range(62)]
    for feed, layout in FORMATS.items():
        assert days_of(village, feed) == expected
        for day in expected:
            target = folder(village / "landing", feed=feed, business_date=day)
            manifest = json.loads((target / "_manifest.json").read_text(encoding="utf-8"))
            assert (manifest["source"], manifest["feed"], manifest["business_date"]) == ("bank", feed, day.isoformat())
            assert manifest["produced_at"] == f"{day}T17:00:00Z"
            assert manifest["files"] or layout.may_be_empty
            for entry in manifest["files"]:
                content = (target / entry["name"]).read_bytes()
                assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
                table = read_delivery(village / "landing", feed=feed, business_date=day)
                assert entry["rows"] == table.num_rows == manifest["rows"]
                if layout.control and day < NIGHT:  # the night holds an amount that is none
                    assert Decimal(manifest["control"]["amount_sum"]) == sum(
                        Decimal(one) for one in table.column(layout.control).to_pylist()
                    )


def test_customers_come_in_gb18030_with_names_beyond_gbk(town: Path) -> None:
    content = gzip.decompress((folder(town / "landing", feed="customers", business_date=date(2023, 2, 1)) / "part-000.csv.gz").read_bytes())
    text = content.decode("gb18030")
    assert "上海" in text
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        content.decode("gbk")


def one_of(table: Table, name: str) -> tuple[str, ...]:
    return next(column.one_of for column in table.columns if column.name == name)


CODES = {
    "transactions": {
        "txn_type": core.TRANSACTION_TYPES,
        "channel": core.CHANNELS,
        "direction": ("C", "D"),
        "initiated_by": ("C", "B", "T"),
    },
    "channel_events": {"channel": core.CHANNELS, "event_type": one_of(core.CHANNEL_EVENT, "event_type")},
    "contacts": {name: one_of(core.CONTACT, name) for name in ("arm", "channel", "response")},
    "products": {"family": core.PRODUCT_FAMILIES},
    "rates": {"kind": one_of(core.RATE, "kind")},
    "consents": {"purpose": one_of(core.CONSENT, "purpose")},
    "loans": {"status": one_of(core.CREDIT_ACCOUNT, "status")},
    "deposit_plans": {"status": one_of(core.DEPOSIT_PLAN, "status")},
}


@pytest.mark.parametrize("feed", CODES)
def test_codes_are_those_of_the_contract(town: Path, feed: str) -> None:
    for name, allowed in CODES[feed].items():
        seen = {row[name] for _, row in rows_of(town, feed)} - {None}
        assert seen <= set(allowed), name
        assert seen, name


def test_customers_come_by_every_channel(town: Path) -> None:
    assert {row["channel"] for _, row in rows_of(town, "channel_events")} == {"app", "web", "wechat", "branch", "atm", "call_centre"}


def test_truth_lies_beside_the_landing_zone(town: Path) -> None:
    assert not [path for path in (town / "landing").rglob("*") if "truth" in path.name]
    assert len(truth_of(town)) == 2_050
    planted = {"archetype", "uplift", "pattern", "silent_from"}
    assert not any(planted & set(declared["columns"]) for declared in MAPPING["feeds"].values())


# --- money and time --------------------------------------------------------------------------------------------------------------


def test_balances_follow_from_transactions_exactly(town: Path) -> None:
    moved: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for day, row in rows_of(town, "transactions"):
        moved[row["acct_no"], day] += Decimal(row["amount"]) * (1 if row["direction"] == "C" else -1)
    last: dict[str, Decimal] = {}
    told = set()
    for day, row in rows_of(town, "balances"):
        account, balance = row["acct_no"], Decimal(row["ledger_balance"])
        assert row["balance_date"] == day.isoformat()
        if account in last:
            assert balance == last[account] + moved[account, day], (account, day)
        last[account] = balance
        told.add((account, day))
    assert {key for key, amount in moved.items() if amount} <= told


def test_month_ends_tell_all_open_accounts(town: Path) -> None:
    status = {row["acct_no"]: row["status"] for _, row in rows_of(town, "accounts")}
    at_end = {row["acct_no"] for day, row in rows_of(town, "balances") if day == END}
    assert {account for account, one in status.items() if one != "C"} <= at_end


def test_only_credit_goes_below_zero(town: Path) -> None:
    product = {row["acct_no"]: row["product_code"] for _, row in rows_of(town, "accounts")}
    below = {product[row["acct_no"]] for _, row in rows_of(town, "balances") if row["ledger_balance"].startswith("-")}
    assert below == {"C01", "C02", "L01", "L02", "M01"}


def test_after_the_cut_off_it_is_the_next_business_date(town: Path) -> None:
    late = [(day, row["posted_at"]) for day, row in rows_of(town, "transactions") if row["posted_at"][11:13] == "23"]
    assert late
    for feed, column in (("transactions", "posted_at"), ("channel_events", "occurred_at")):
        assert all(bank_day(row[column]) == day for day, row in rows_of(town, feed))


def test_owners_exist_before_their_transactions(town: Path) -> None:
    since: dict[str, str] = {}
    for _, row in rows_of(town, "account_parties"):
        if row["role"] == "OWNER":
            since.setdefault(row["acct_no"], row["from_date"])
    for day, row in rows_of(town, "transactions"):
        assert since[row["acct_no"]] <= day.isoformat()


def test_loans_owe_what_their_account_says(town: Path) -> None:
    owed = {(row["acct_no"], row["change_date"]): Decimal(row["outstanding"]) for _, row in rows_of(town, "loans")}
    balance = {(row["acct_no"], row["balance_date"]): Decimal(row["ledger_balance"]) for _, row in rows_of(town, "balances")}
    shared = owed.keys() & balance.keys()
    assert len(shared) > 1_000
    assert all(owed[key] == -balance[key] for key in shared)


def test_instalments_are_numbered_without_gaps_and_some_are_missed(town: Path) -> None:
    for feed, number in (("instalments", "loan_no"), ("deposit_instalments", "plan_no")):
        seen: dict[str, set[int]] = defaultdict(set)
        latest: dict[tuple[str, str], str | None] = {}
        for _, row in rows_of(town, feed):
            seen[row[number]].add(int(row["instalment_no"]))
            latest[row[number], row["instalment_no"]] = row["paid_date"]
        assert all(max(numbers) - min(numbers) + 1 == len(numbers) for numbers in seen.values())
        assert 0.001 < sum(paid is None for paid in latest.values()) / len(latest) < 0.15
    assert any(int(row["days_past_due"]) > 30 for _, row in rows_of(town, "loans"))
    assert any(row["status"] == "default" for _, row in rows_of(town, "loans"))


def test_some_loans_are_paid_before_they_fall_due(town: Path) -> None:
    paid = [
        (row["loan_no"], date.fromisoformat(row["paid_date"]) - date.fromisoformat(row["due_date"]))
        for _, row in rows_of(town, "instalments")
        if row["paid_date"]
    ]
    early = [ahead for _, ahead in paid if ahead < timedelta()]
    assert 0.05 < len(early) / len(paid) < 0.25
    assert min(early) == timedelta(days=-5)
    borrowers, punctual = {loan for loan, ahead in paid if ahead < timedelta()}, {loan for loan, ahead in paid if ahead >= timedelta()}
    assert 0.05 < len(borrowers) / len(borrowers | punctual) < 0.25


# --- behaviour -------------------------------------------------------------------------------------------------------------------


def test_those_who_leave_fade_before_and_are_silent_after(town: Path) -> None:
    truth, owner = truth_of(town), owners_of(town)
    start = date(2023, 2, 1)
    faders = {
        customer: row["silent_from"] for customer, row in truth.items()
        if row["departure"] == "fades" and row["opened_on"] < start and start + timedelta(days=330) < row["silent_from"] < END
        and row["merged_into"] is None and row["takes_over_on"] is None
    }  # fmt: skip
    own: Counter[str] = Counter()
    for day, row in rows_of(town, "transactions"):
        customer = owner[row["acct_no"]]
        if customer in faders and row["initiated_by"] == "C" and truth[customer]["pattern"] == "none":
            before = (faders[customer] - day).days
            own["usual" if 210 < before <= 300 else "last" if 0 < before <= 60 else "after" if before <= 0 else "between"] += 1
    assert len(faders) > 25
    assert own["after"] == 0
    assert own["last"] / 60 < 0.6 * own["usual"] / 90


def test_asset_tiers_are_spread(town: Path) -> None:
    kinds = Counter(row["archetype"] for row in truth_of(town).values())
    assert set(kinds) == set(catalogue.ARCHETYPES)
    assets: dict[str, Decimal] = defaultdict(Decimal)
    product, owner = {row["acct_no"]: row["product_code"] for _, row in rows_of(town, "accounts")}, owners_of(town)
    for day, row in rows_of(town, "balances"):
        if day == END and product[row["acct_no"]][0] in "DTRW" and row["currency"] == "CNY":
            assets[owner[row["acct_no"]]] += Decimal(row["ledger_balance"])
    values = sorted(assets.values())
    assert values[-1] > 6_000_000
    assert 20 < sum(value >= 500_000 for value in values) < 400
    assert sum(value < 10_000 for value in values) > 100


def test_the_campaign_moves_the_persuadable_only(town: Path) -> None:
    truth = truth_of(town)
    latest = {(row["campaign_no"], row["cust_no"]): row for _, row in rows_of(town, "contacts")}
    bought: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for (_, customer), row in latest.items():
        bought[truth[customer]["uplift"], row["arm"]].append(row["response"] == "converted")
    share = {key: float(np.mean(values)) for key, values in bought.items()}
    for (uplift, arm), found in share.items():
        planted = (BUYS_TREATED if arm == "treated" else BUYS_ALONE)[catalogue.UPLIFTS.index(uplift)]
        error = np.sqrt(planted * (1 - planted) / len(bought[uplift, arm]))
        assert abs(found - planted) < 3 * error + 0.01, (uplift, arm)
    assert share["persuadable", "treated"] > 2 * share["persuadable", "control"]
    arms = Counter(row["arm"] for row in latest.values())
    assert 0.18 < arms["control"] / len(latest) < 0.32


def test_structured_cash_is_there_to_be_found(town: Path) -> None:
    truth, owner = truth_of(town), owners_of(town)
    near = Counter(
        owner[row["acct_no"]] for _, row in rows_of(town, "transactions")
        if row["txn_type"] == "cash_deposit" and 40_000 <= Decimal(row["amount"]) < 50_000
    )  # fmt: skip
    planted = {
        customer for customer, row in truth.items() if row["pattern"] == "structuring" and date(2023, 2, 1) < row["pattern_from"] < END
    }
    assert planted
    assert {customer for customer, times in near.items() if times >= 4} == planted


def test_money_that_passes_through_comes_and_goes_within_a_day(town: Path) -> None:
    truth, owner = truth_of(town), owners_of(town)
    came: dict[str, set[date]] = defaultdict(set)
    went: Counter[tuple[str, date]] = Counter()
    for day, row in rows_of(town, "transactions"):
        if row["txn_type"] == "transfer" and row["direction"] == "C" and Decimal(row["amount"]) >= 120_000 and row["initiated_by"] == "T":
            came[owner[row["acct_no"]]].add(day)
        if row["txn_type"] == "transfer" and row["direction"] == "D" and row["channel"] == "web" and Decimal(row["amount"]) >= 38_400:
            went[owner[row["acct_no"]], day - timedelta(days=1)] += 1
    passed = {customer for customer, days in came.items() if any(went[customer, day] >= 3 for day in days)}
    planted = {
        customer for customer, row in truth.items()
        if row["pattern"] in ("pass_through", "reactivated") and date(2023, 2, 1) < row["pattern_from"] < END - timedelta(days=31)
    }  # fmt: skip
    assert planted
    assert planted <= passed


def test_salaries_pensions_and_rent_come_every_month_to_those_who_have_them(town: Path) -> None:
    """Thirteen whole months after the first; by customers who were there before and stay lively."""
    truth, owner = truth_of(town), owners_of(town)
    months: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, row in rows_of(town, "transactions"):
        months[row["txn_type"], owner[row["acct_no"]]].add(row["posted_at"][:7])
    steady = {
        customer for customer, row in truth.items()
        if row["opened_on"] < date(2023, 1, 1) and row["archetype"] != "prospect" and row["departure"] == "stays" and row["dormant_since"] is None
        and row["merged_into"] is None and row["takes_over_on"] is None and row["pattern"] == "none"
    }  # fmt: skip
    for kind, has in (("salary", "has_salary"), ("pension", "has_pension"), ("rent", "has_rent")):
        with_it = [customer for customer in sorted(steady) if truth[customer][has]]
        assert len(with_it) > 30, kind
        assert np.mean([len(months[kind, customer]) for customer in with_it]) > 10, kind
        others = [customer for customer in truth if not truth[customer][has]]
        assert not any(months[kind, customer] for customer in others if truth[customer]["takes_over_on"] is None), kind


def test_assets_grow_and_shrink_as_planted(town: Path) -> None:
    """Of those who stay and had something: what they hold a year later, as a share of what they held."""
    truth, owner = truth_of(town), owners_of(town)
    product = {row["acct_no"]: row["product_code"] for _, row in rows_of(town, "accounts")}
    ends: dict[date, Counter[str]] = {date(2023, 3, 31): Counter(), END: Counter()}
    for day, row in rows_of(town, "balances"):
        if day in ends and product[row["acct_no"]][0] in "DTRW" and row["currency"] == "CNY":
            ends[day][owner[row["acct_no"]]] += round(float(row["ledger_balance"]))
    first, last = ends.values()
    held: dict[str, list[float]] = defaultdict(list)
    for customer, row in truth.items():
        if row["departure"] == "stays" and row["dormant_since"] is None and first[customer] > 50_000:
            held[row["trend"]].append(last[customer] / first[customer])
    middle = {trend: float(np.median(shares)) for trend, shares in held.items()}
    assert min(map(len, held.values())) > 30
    assert 0.9 < middle["stable"] < 1.1
    assert middle["growing"] > 1.1
    assert middle["shrinking"] < 0.95


def test_the_dormant_do_nothing_and_their_accounts_say_so(town: Path) -> None:
    truth, owner = truth_of(town), owners_of(town)
    asleep = {
        customer for customer, row in truth.items()
        if row["dormant_since"] and row["pattern"] == "none" and row["takes_over_on"] is None and row["merged_into"] is None
    }  # fmt: skip
    assert len(asleep) > 30
    own = Counter(owner[row["acct_no"]] for _, row in rows_of(town, "transactions") if row["initiated_by"] == "C")
    assert not asleep & own.keys()
    dormant = {owner[row["acct_no"]] for _, row in rows_of(town, "accounts") if row["status"] == "D"}
    assert {customer for customer in asleep if truth[customer]["dormant_since"] < date(2023, 2, 1)} <= dormant


def test_merchants_are_settled_and_some_turn_cards_into_cash(town: Path) -> None:
    truth, owner = truth_of(town), owners_of(town)
    settled: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    back = 0
    for _, row in rows_of(town, "transactions"):
        if row["txn_type"] == "settlement" and row["direction"] == "C":
            settled[owner[row["acct_no"]]].append((row["posted_at"][11:13] < "06", Decimal(row["amount"]) % 100 == 0))
        back += row["txn_type"] == "settlement" and row["direction"] == "D"
    kinds = {customer: truth[customer]["merchant"] for customer in settled}
    assert set(kinds.values()) == {"honest", "cash_out"}
    odd = {customer: float(np.mean([night or is_round for night, is_round in rows])) for customer, rows in settled.items()}
    assert all((odd[customer] > 0.9) == (kind == "cash_out") for customer, kind in kinds.items())
    count = sum(map(len, settled.values()))
    assert 0.01 < back / count < 0.1
    assert 0.002 < (count + back) / sum(1 for _ in rows_of(town, "transactions")) <= 0.02


def test_a_limit_is_offered_to_who_has_been_a_customer_for_half_a_year(town: Path) -> None:
    offered = {customer for customer, row in truth_of(town).items() if row["preapproved"] is not None}
    told = [(day, row) for day, row in rows_of(town, "customers") if row["preapproved_limit"] is not None]
    assert told
    assert {row["cust_no"] for _, row in told} <= offered
    assert all((day - date.fromisoformat(row["open_date"])).days >= 180 and int(row["preapproved_limit"]) > 0 for day, row in told)
    assert any((day - date.fromisoformat(row["open_date"])).days == 180 for day, row in told)


def test_customers_move_from_the_branch_to_the_app() -> None:
    days = months_between(date(2020, 1, 1), END)
    people = draw_population(generator(seed=3, block=0, purpose=0), first_customer=0, size=500, start=days[0].first, end=days[-1].last)
    by_year = [float(digital_share(people, days[month]).mean()) for month in (0, 12, 24, 36, 48)]
    assert by_year == sorted(by_year)
    assert by_year[0] + 0.2 < by_year[-1]


def test_an_account_handed_over_is_told_once_per_customer_and_night(town: Path) -> None:
    told = [(day, row["acct_no"], row["cust_no"]) for day, row in rows_of(town, "account_parties")]
    assert len(told) == len(set(told))
    owners: dict[str, set[str]] = {}
    for _, row in rows_of(town, "account_parties"):
        if row["role"] == "OWNER":
            owners.setdefault(row["acct_no"], set()).add(row["cust_no"])
    assert any(len(ones) > 1 for ones in owners.values())


def test_joint_foreign_and_merged_exist(town: Path) -> None:
    assert {row["role"] for _, row in rows_of(town, "account_parties")} == {"OWNER", "JOINT", "AUTH"}
    assert {row["currency"] for _, row in rows_of(town, "accounts")} == set(catalogue.CURRENCIES)
    merges = [row for _, row in rows_of(town, "customer_merges")]
    assert merges
    closed = {row["cust_no"] for _, row in rows_of(town, "customers") if row["status"] == "C"}
    assert {row["cust_no"] for row in merges} <= closed
    yen = {row["acct_no"] for _, row in rows_of(town, "accounts") if row["currency"] == "JPY"}
    assert all("." not in row["ledger_balance"] for _, row in rows_of(town, "balances") if row["acct_no"] in yen)


def test_everyone_is_somewhere_near_four_transactions_and_events_a_month(town: Path) -> None:
    for feed in ("transactions", "channel_events"):
        count = sum(1 for _ in rows_of(town, feed))
        assert 3 < count / 2_050 / 14 < 5.5


# --- the night with faults -------------------------------------------------------------------------------------------------------


def test_the_last_night_brings_late_corrected_repeated_deleted_and_bad_rows(village: Path) -> None:
    earlier: dict[str, dict[str, str]] = {}
    late, corrected, repeated, deleted, bad = [], [], [], [], []
    for day, row in rows_of(village, "transactions"):
        if day < NIGHT:
            assert row["txn_id"] not in earlier
            assert row["is_deleted"] == "N"
            earlier[row["txn_id"]] = row
        elif row["txn_id"].startswith("T9"):
            bad.append(row)
        elif row["is_deleted"] == "Y":
            deleted.append(row)
        elif row["txn_id"] in earlier:
            (repeated if row == earlier[row["txn_id"]] else corrected).append(row)
        elif bank_day(row["posted_at"]) < NIGHT:
            late.append(row)
    assert min(len(late), len(corrected), len(repeated), len(deleted), len(bad)) >= 1
    assert all(NIGHT - timedelta(days=20) <= bank_day(row["posted_at"]) < NIGHT for row in late)
    assert {Decimal(earlier[row["txn_id"]]["amount"]) - Decimal(row["amount"]) for row in corrected} <= {Decimal(1), Decimal(100)}
    # What is taken back was told, and is another row with another number that was told on the same day.
    told = Counter(tuple(sorted({**row, "txn_id": ""}.items())) for row in earlier.values())
    assert all(earlier[row["txn_id"]] == row | {"is_deleted": "N"} for row in deleted)
    assert all(told[tuple(sorted({**row, "txn_id": "", "is_deleted": "N"}.items()))] > 1 for row in deleted)


# What each kind of bad row looks like in the delivered transactions of the night.
LOOKS: dict[str, Callable[[dict[str, str]], bool]] = {
    "amount_unreadable": lambda row: row["amount"] == "12,5O",
    "orphan": lambda row: row["acct_no"] == NOBODYS_ACCOUNT,
    "event_of_the_future": lambda row: row["posted_at"][:10] == str(NIGHT + timedelta(days=2)),
    "date_impossible": lambda row: "-02-30" in row["posted_at"],
    "code_unknown": lambda row: row["txn_type"] not in core.TRANSACTION_TYPES,
    "decimal_continental_in_a_row": lambda row: row["amount"] == "1.234,56",
}


@pytest.mark.parametrize("customers", [1, 40, 900])
def test_the_night_has_every_kind_of_bad_row_whatever_the_size_of_the_bank(tmp_path: Path, customers: int) -> None:
    simulate(out=tmp_path, customers=customers, months=1, seed=5, end=END, nights=2, faults=True, workers=1)
    night = [row for day, row in _rows_of(tmp_path, "transactions") if day == NIGHT]
    assert {kind for kind, looks in LOOKS.items() if any(looks(row) for row in night)} == set(LOOKS)
    by_key: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in night:
        by_key[row["txn_id"]].append(row)
    twice = [rows for rows in by_key.values() if len(rows) > 1]
    assert {rows[0] == rows[1] for rows in twice} == {True, False}
    assert BAD_ROWS["transactions"].keys() == {*LOOKS, "key_twice_equal", "key_twice_different"}
    assert not (tmp_path / "truth" / "faults.json").read_text(encoding="utf-8").count("not_ready")


def test_bad_rows_do_not_refuse_the_night() -> None:
    """Of a small night's delivery so many rows may be set aside, whatever their share of it."""
    free = conf.load("ci", variables={}).quality.quarantined_rows_free
    for feed, kinds in BAD_ROWS.items():
        assert sum(len(rows) for kind, rows in kinds.items() if kind != "key_twice_equal") <= free, feed


# --- the nights with bad files ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 customers over a month and a night, with all there is to plant."""
    out = tmp_path_factory.mktemp("hamlet")
    simulate(out=out, customers=120, months=1, seed=5, end=END, nights=1, faults=True, bad_files=True, workers=1)
    return out


def planted_in(bank: Path) -> list[dict[str, Any]]:
    return json.loads((bank / "truth" / "faults.json").read_text(encoding="utf-8"))


def files_planted_in(bank: Path) -> list[dict[str, Any]]:
    return [one for one in planted_in(bank) if "rows" not in one]


def test_every_fault_of_the_catalogue_is_planted_and_files_one_a_night(hamlet: Path) -> None:
    assert {one["fault"] for one in planted_in(hamlet)} >= set(FAULTS)
    files = files_planted_in(hamlet)
    assert [one["business_date"] for one in files] == sorted({one["business_date"] for one in files})
    assert all(date.fromisoformat(one["business_date"]) > END + timedelta(days=1) for one in files)
    assert all(one["expected"] == FAULTS[one["fault"]].expected for one in planted_in(hamlet) if one["fault"] in FAULTS)


def test_rows_on_the_list_are_in_the_deliveries(hamlet: Path) -> None:
    rows = [one for one in planted_in(hamlet) if "rows" in one]
    for one in rows:
        day = date.fromisoformat(one["business_date"])
        delivered = read_delivery(hamlet / "landing", feed=one["feed"], business_date=day).to_pylist()
        assert all(any(changes.items() <= row.items() for row in delivered) for changes in one["rows"]), one


def verified(bank: Path, day: date, feeds: Iterable[str]) -> None:
    """What ingest holds against a day's deliveries before Spark reads a row."""
    mapping = sources.load("bank")
    taken = {feed: mapping.feeds[feed] for feed in feeds}
    deliveries = landings.discover(bank / "landing", feeds=taken, days=[day], waivers=())
    landings.verify(deliveries, taken, source=mapping.source)
    landings.check_not_empty(deliveries, taken, is_working_day=sources.calendar(mapping.calendar).is_working_day)


def test_each_bad_file_gets_what_the_list_says(hamlet: Path) -> None:
    found: dict[str, int] = {}
    for one in files_planted_in(hamlet):
        day = date.fromisoformat(one["business_date"])
        verified(hamlet, day, FORMATS.keys() - {one["feed"]})  # one bad file a night
        try:
            verified(hamlet, day, [one["feed"]])
        except (DataRejectedError, InputNotReadyError) as refused:
            found[one["fault"]] = refused.exit_code if str(day) in str(refused) else 0
    later = {"row_count_differs", "decimals_continental"}  # by batch rules: tests/integration/test_bad_input.py
    codes = {"rejected": 20, "not_ready": 30}
    assert found == {
        one["fault"]: codes[one["expected"]] for one in files_planted_in(hamlet) if one["expected"] in codes and one["fault"] not in later
    }


def test_what_batch_rules_must_find_is_there(hamlet: Path) -> None:
    where = {one["fault"]: (one["feed"], date.fromisoformat(one["business_date"])) for one in files_planted_in(hamlet)}
    feed, day = where["row_count_differs"]
    manifest = json.loads((folder(hamlet / "landing", feed=feed, business_date=day) / "_manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == read_delivery(hamlet / "landing", feed=feed, business_date=day).num_rows + 1
    feed, day = where["decimals_continental"]
    assert all(
        "," in one for one in read_delivery(hamlet / "landing", feed=feed, business_date=day).column(AMOUNT_COLUMN[feed]).to_pylist()
    )
    feed, day = where["file_of_yesterday_again"]
    today, eve = (read_delivery(hamlet / "landing", feed=feed, business_date=one) for one in (day, day - timedelta(days=1)))
    assert today.num_rows
    assert today.equals(eve)


def test_the_history_is_as_without_bad_files(hamlet: Path, tmp_path: Path) -> None:
    simulate(out=tmp_path, customers=120, months=1, seed=5, end=END, nights=1, faults=True, workers=1)
    assert contents(tmp_path / "landing", until=END) == contents(hamlet / "landing", until=END)


def test_a_bank_too_small_for_bad_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"\[manifest_missing\] needs a delivery of at least \[1\] rows on \[2024-04-02\], .*more --customers"
    ):
        simulate(out=tmp_path, customers=1, months=1, seed=5, end=END, bad_files=True, workers=1)


# --- planted faults --------------------------------------------------------------------------------------------------------------

GOOD_DAY = date(2024, 3, 29)
CASES = [
    (name, feed) for name, fault in FAULTS.items() for feed in fault.feeds if feed in ("transactions", "balances", "channel_events", "customers")
]  # fmt: skip


@pytest.fixture
def landing(village: Path, tmp_path: Path) -> Path:
    """A day and its eve of four feeds, to be broken."""
    for feed in ("transactions", "balances", "channel_events", "customers"):
        for day in (date(2024, 2, 1), GOOD_DAY - timedelta(days=1), GOOD_DAY):
            source = folder(village / "landing", feed=feed, business_date=day)
            shutil.copytree(source, folder(tmp_path, feed=feed, business_date=day))
    return tmp_path


@pytest.mark.parametrize(("name", "feed"), CASES)
def test_a_fault_changes_this_delivery_only_and_the_manifest_vouches_unless_it_is_the_fault(landing: Path, name: str, feed: str) -> None:
    day = date(2024, 2, 1) if feed == "customers" else GOOD_DAY
    before = contents(landing)
    FAULTS[name](landing, feed, day)
    after = contents(landing)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    target = folder(landing, feed=feed, business_date=day)
    assert touched
    assert all((landing / path).parent == target for path in touched)
    if name == "manifest_missing":
        assert not (target / "_manifest.json").exists()
        return
    manifest = json.loads((target / "_manifest.json").read_text(encoding="utf-8"))
    content = (target / FORMATS[feed].file_name).read_bytes()
    vouched = manifest["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert vouched == (name not in {"checksum_differs", "gzip_truncated"})


def test_every_fault_of_the_catalogue_says_why_and_what_follows() -> None:
    assert len(FAULTS) >= 20
    assert all(fault.because and fault.feeds for fault in FAULTS.values())
    assert {fault.expected for fault in FAULTS.values()} == {"rejected", "not_ready", "quarantined", "unchanged"}


def test_a_fault_refuses_what_it_can_not_break(landing: Path) -> None:
    with pytest.raises(ValueError, match=r"does not apply to feed \[customers\]"):
        FAULTS["column_type_changed"](landing, "customers", GOOD_DAY)
    with pytest.raises(ValueError, match="holds no file"):
        FAULTS["column_missing"](landing, "customers", date(2024, 3, 30))


def test_never_empty_feeds_agree_with_the_mapping() -> None:
    assert set(NEVER_EMPTY) == {feed for feed, declared in MAPPING["feeds"].items() if not declared.get("may_be_empty", False)}


def test_continental_amounts() -> None:
    assert [continental(one) for one in ("1234.56", "88.00", "1234567.80", None)] == ["1.234,56", "88,00", "1.234.567,80", None]


# --- calendar and parts ----------------------------------------------------------------------------------------------------------


def test_lunar_new_years_are_right() -> None:
    for day in LUNAR_NEW_YEAR:
        assert LunarDate(day.year, 1, 1).to_solar_date() == day


def test_holiday_calendars_load() -> None:
    china = sources.calendar("cn")
    assert not china.is_working_day(date(2024, 2, 12))  # lunar new year's week
    assert china.is_working_day(date(2024, 2, 19))
    assert sources.calendar("every_day").is_working_day(date(2024, 2, 11))
    assert {day.year for day in china.holidays} == set(range(2019, 2028))


@pytest.mark.parametrize(
    ("end", "months", "first"),
    [
        (date(2025, 12, 31), 24, date(2024, 1, 1)),
        (date(2024, 2, 29), 1, date(2024, 2, 1)),
        (date(2025, 6, 15), 3, date(2025, 3, 16)),
    ],
)
def test_history_covers_so_many_months(end: date, months: int, first: date) -> None:
    assert first_date(end=end, months=months) == first
    assert sum(month.delivered_to - month.delivered_from + 1 for month in months_between(first, end)) == (end - first).days + 1


def test_months_are_added_at_their_end() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2024, 1, 31), -2) == date(2023, 11, 30)


def test_people_spend_before_the_lunar_new_year_and_rest_in_it() -> None:
    february = months_between(date(2024, 2, 1), date(2024, 2, 29))[0]
    weights = spending_weights(february)  # new year on the 10th
    assert weights[:7].mean() > 2 * weights[9:15].mean()


@given(
    opening=st.integers(0, 500), floor=st.integers(-300, 0),
    amounts=st.lists(st.integers(-400, 400).filter(bool), max_size=12),
)  # fmt: skip
def test_nothing_unaffordable_is_posted(opening: int, floor: int, amounts: list[int]) -> None:
    """Against a walk through the account, row by row."""
    size = len(amounts)
    rows = {name: np.full(size, default, dtype=np.int64) for name, default in MOVE_DEFAULTS.items()}
    rows |= {"amount": np.array(amounts, dtype=np.int64), "second": np.arange(size, dtype=np.int64)}
    balances = np.zeros((1, catalogue.SLOTS), dtype=np.int64)
    balances[0, 0] = opening
    floors = np.zeros_like(balances)
    floors[0, 0] = floor
    kept = affordable(rows, opening=balances, floor=floors)
    happened, ends = posted([{name: values[kept] for name, values in rows.items()}], opening=balances)
    balance = opening
    for amount in happened["amount"]:
        balance += int(amount)
        assert balance >= floor
    assert ends["balance"].tolist() == ([balance] if happened["amount"].size else [])
    assert all(kept[position] for position, amount in enumerate(amounts) if amount > 0)


def test_the_command_refuses_nonsense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--customers", "20", "--months", "3", "--end", "2024-03-31", "--out", str(tmp_path)]
    for option, number in (("--customers", "0"), ("--months", "0"), ("--seed", "-1"), ("--nights", "-1"), ("--workers", "0")):
        assert command.run(parser.parse_args([*words, option, number])) == 2
        assert f"{option} [{number}] must be at least" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([*words, "--end", "2024-02-30"])
    assert "[2024-02-30] is not a business date; give one as YYYY-MM-DD" in capsys.readouterr().err
    assert command.run(parser.parse_args([*words, "--workers", "1"])) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["transactions"] > 0


@pytest.mark.parametrize(("words", "said"), [([], set()), (["rows"], {"rows"}), (["files"], {"files"}), (["all"], {"rows", "files"})])
def test_faults_are_asked_for_by_word(tmp_path: Path, words: list[str], said: set[str]) -> None:
    asked = [*SIMULATE, "--customers", "60", "--end", "2024-03-31", "--out", str(tmp_path), "--faults", *words]
    assert kequn.main(asked) == 0
    kinds = {"rows" if "rows" in one else "files" for one in planted_in(tmp_path)}
    assert kinds == (said or {"rows", "files"})  # `--faults` alone plants everything


# --- the folder it writes to -----------------------------------------------------------------------------------------------------

SIMULATE = ["simulate", "--months", "1", "--workers", "1"]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `kequn simulate` for a few customers; the code and what was said."""

    def run(out: Path, *, end: str = "2024-03-31", months: str = "1") -> tuple[int, str]:
        code = kequn.main([*SIMULATE, "--customers", "5", "--end", end, "--months", months, "--out", str(out)])
        return code, capsys.readouterr().err

    return run


def test_a_folder_that_cannot_be_written(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be", encoding="utf-8")
    for out in (tmp_path / "file", tmp_path / "file" / "bank"):
        code, told = say(out)
        assert code == 10
        assert re.search(rf"The folder \[{out}\] can't be written: .*: Not a directory; name a folder that can by --out", told)


def test_an_earlier_simulation_is_replaced(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert say(tmp_path)[0] == 0
    before = contents(tmp_path)
    assert say(tmp_path)[0] == 0
    assert contents(tmp_path) == before


def test_one_that_was_ended_is_replaced_too(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    ground.clear(tmp_path, {"customers": 5})
    folder(tmp_path / "landing", feed="loans", business_date=END).mkdir(parents=True)
    assert say(tmp_path)[0] == 0


@pytest.mark.parametrize("place", ["landing/transactions/business_date=2024-03-31", "truth"])
def test_data_that_no_simulation_wrote_are_left_alone(say: Callable[..., tuple[int, str]], tmp_path: Path, place: str) -> None:
    kept = tmp_path / place / "part-000.parquet"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a real bank's")
    code, told = say(tmp_path)
    assert code == 2
    assert re.search(
        r"holds \['(landing/transactions|truth/part-000.parquet)'\], which no simulation wrote: .*name another folder by --out", told
    )
    assert kept.read_bytes() == b"a real bank's"


@pytest.mark.parametrize("stray", ["landing/mortgages/business_date=2024-03-31/data.csv", "landing/loans/notes.txt", "landing/README"])
def test_strange_files_among_simulated_ones_are_left_alone(say: Callable[..., tuple[int, str]], tmp_path: Path, stray: str) -> None:
    assert say(tmp_path)[0] == 0
    kept = tmp_path / stray
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("mine", encoding="utf-8")
    code, told = say(tmp_path)
    assert code == 2
    assert "is no delivery of the simulated bank; a simulation would remove it: move it away" in told
    assert kept.exists()


@pytest.mark.parametrize(
    ("end", "months"), [("2036-01-31", "1"), ("2010-01-31", "2"), ("9999-12-31", "1"), ("2024-03-31", "100000"), ("1990-06-30", "12")]
)
def test_years_without_a_known_lunar_new_year_are_refused(
    say: Callable[..., tuple[int, str]], tmp_path: Path, end: str, months: str
) -> None:
    code, told = say(tmp_path, end=end, months=months)
    assert code == 2
    assert re.search(rf"\[{months}\] months until \[{end}\] .*lunar new year is known, \[2010\] to \[2035\]; choose --end", told)
    assert not any(tmp_path.iterdir())


def test_every_known_year_can_be_simulated() -> None:
    assert span(end=date(2035, 12, 31), months=26 * 12, nights=0) == (date(2010, 1, 1), date(2035, 12, 31))
    with pytest.raises(UsageError, match=r"and \[1\] nights after it"):
        span(end=date(2035, 12, 31), months=1, nights=1)
