"""The columns of each feed as conf/sources/bank.yml names them, made from the numeric rows of the blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.simulate import catalogue as c
from jobs.simulate import text
from jobs.simulate.columns import Rows
from jobs.simulate.draws import Ints

CODES = tuple(product.code for product in c.PRODUCTS)
PER_UNIT_PPM = 1_000_000


def encode(feed: str, rows: Rows) -> pa.Table:
    """The delivered text of these rows, in their order."""
    return pa.table(_ENCODERS[feed](rows))


def _customer(values: Ints) -> pa.Array:
    return text.numbers(values, prefix="C", width=10)


def _account(values: Ints) -> pa.Array:
    return text.numbers(values, prefix="6217", width=13)


def _money(rows: Rows, minor: Ints) -> pa.Array:
    return text.money(minor, currency=rows["currency"], digits_of=c.CURRENCY_DIGITS)


def _rate(ppm: Ints) -> pa.Array:
    return text.decimals(ppm, digits=6)


def _cny(size: int) -> pa.Array:
    return text.named(np.zeros(size, np.int64), c.CURRENCIES)


def _is_deleted(rows: Rows) -> pa.Array:
    """Only the night with faults takes rows back."""
    return text.named(rows["deleted"] if "deleted" in rows else np.zeros_like(rows["day"]), ("N", "Y"))


def _branch(values: Ints) -> pa.Array:
    return text.numbers(values, prefix="B", width=4)


def _customers(rows: Rows) -> dict[str, pa.Array]:
    city = rows["branch"] // 100
    second = pc.coalesce(text.named(np.maximum(rows["given_two"], -1), c.GIVEN), "")
    name = pc.binary_join_element_wise(text.named(rows["surname"], c.SURNAMES), text.named(rows["given_one"], c.GIVEN), second, "")
    return {
        "cust_no": _customer(rows["customer"]), "full_name": name,
        "id_no": text.national_ids(np.array([int(code) for code in c.CITY_CODE])[city], rows["birth_day"], rows["id_serial"]),
        "mobile": text.plain(rows["mobile"]), "gender": text.named(rows["gender"], c.GENDERS), "birth_date": text.days(rows["birth_day"]),
        "open_date": text.days(rows["open_day"]), "close_date": text.days(rows["close_day"]), "branch_no": _branch(rows["branch"]),
        "city": text.named(city, c.CITIES), "occupation": text.named(rows["occupation"], c.OCCUPATIONS), "kyc_risk": text.plain(rows["kyc_risk"]),
        "acquisition_channel": text.named(rows["acquisition"], c.ACQUISITION),
        "household_no": text.numbers(rows["household"], prefix="H", width=10), "is_employee": text.named(rows["is_employee"], ("N", "Y")),
        "preapproved_limit": text.plain(rows["preapproved"], blank_below=0), "status": text.named(rows["status"], c.STATUSES),
    }  # fmt: skip


def _customer_merges(rows: Rows) -> dict[str, pa.Array]:
    return {"cust_no": _customer(rows["customer"]), "survivor_no": _customer(rows["survivor"]), "merged_on": text.days(rows["merged"])}


def _accounts(rows: Rows) -> dict[str, pa.Array]:
    return {
        "acct_no": _account(rows["account"]), "product_code": text.named(rows["product"], CODES),
        "currency": text.named(rows["currency"], c.CURRENCIES), "branch_no": _branch(rows["branch"]), "open_date": text.days(rows["open_day"]),
        "close_date": text.days(rows["close_day"]), "maturity_date": text.days(rows["matures"]), "annual_rate": _rate(rows["rate"]),
        "opening_channel": text.named(rows["channel"], c.CHANNELS), "status": text.named(rows["status"], c.STATUSES),
    }  # fmt: skip


def _account_parties(rows: Rows) -> dict[str, pa.Array]:
    return {
        "acct_no": _account(rows["account"]), "cust_no": _customer(rows["customer"]), "role": text.named(rows["role"], c.ROLES),
        "from_date": text.days(rows["held_from"]), "to_date": text.days(rows["held_to"]), "is_deleted": _is_deleted(rows),
    }  # fmt: skip


def _consents(rows: Rows) -> dict[str, pa.Array]:
    return {
        "cust_no": _customer(rows["customer"]), "purpose": text.named(rows["purpose"], c.PURPOSES),
        "granted": text.named(rows["granted"], ("false", "true")),
    }  # fmt: skip


def _transactions(rows: Rows) -> dict[str, pa.Array]:
    return {
        "txn_id": text.numbers(rows["serial"], prefix="T", width=18), "acct_no": _account(rows["account"]),
        "posted_at": text.instants(rows["day"] * text.SECONDS_A_DAY + rows["second"]),
        "direction": text.named((rows["amount"] < 0).astype(np.int64), ("C", "D")), "amount": _money(rows, np.abs(rows["amount"])),
        "currency": text.named(rows["currency"], c.CURRENCIES), "txn_type": text.named(rows["type"], c.TYPES),
        "channel": text.named(rows["channel"], c.CHANNELS), "initiated_by": text.named(rows["by"], c.INITIATORS),
        "counterparty_no": text.numbers(rows["counterparty"], prefix="P", width=12), "counterparty_bank": text.named(rows["bank"], c.BANKS),
        "mcc_group": text.named(rows["mcc"], c.MCC_GROUPS), "merchant_no": text.numbers(rows["merchant"], prefix="M", width=8),
        "cross_border": text.named(rows["abroad"], ("N", "Y")), "is_deleted": _is_deleted(rows),
    }  # fmt: skip


def _balances(rows: Rows) -> dict[str, pa.Array]:
    return {
        "acct_no": _account(rows["account"]), "balance_date": text.days(rows["day"]), "currency": text.named(rows["currency"], c.CURRENCIES),
        "ledger_balance": _money(rows, rows["balance"]),
    }  # fmt: skip


def _channel_events(rows: Rows) -> dict[str, pa.Array]:
    return {
        "event_id": text.numbers(rows["serial"], prefix="E", width=18), "cust_no": _customer(rows["customer"]),
        "occurred_at": text.instants(rows["day"] * text.SECONDS_A_DAY + rows["second"]), "channel": text.named(rows["channel"], c.CHANNELS),
        "event_type": text.named(rows["type"], c.EVENT_TYPES), "function": text.named(rows["function"], c.FUNCTIONS),
        "device_id": text.numbers(rows["device"], prefix="D", width=13), "is_deleted": _is_deleted(rows),
    }  # fmt: skip


def _contacts(rows: Rows) -> dict[str, pa.Array]:
    return {
        "campaign_no": text.numbers(rows["campaign"], prefix="CAMP", width=6), "cust_no": _customer(rows["customer"]),
        "sent_at": text.instants(rows["sent"]), "arm": text.named(rows["arm"], c.ARMS), "channel": text.named(rows["channel"], c.CONTACT_CHANNELS),
        "response": text.named(rows["response"], c.RESPONSES), "responded_at": text.instants(rows["responded"]),
    }  # fmt: skip


def _loans(rows: Rows) -> dict[str, pa.Array]:
    return {
        "loan_no": text.numbers(rows["account"], prefix="L", width=13), "acct_no": _account(rows["account"]), "change_date": text.days(rows["day"]),
        "product_code": text.named(rows["product"], CODES), "currency": _cny(rows["day"].size), "contract_date": text.days(rows["opened"]),
        "maturity_date": text.days(rows["matures"]), "principal": text.decimals(rows["principal"], digits=2),
        "outstanding": text.decimals(rows["outstanding"], digits=2), "annual_rate": _rate(rows["rate"]), "days_past_due": text.plain(rows["dpd"]),
        "status": text.named(rows["status"], c.CREDIT_STATUSES),
    }  # fmt: skip


def _cards(rows: Rows) -> dict[str, pa.Array]:
    return {
        "card_no": text.numbers(rows["account"], prefix="K", width=13), "acct_no": _account(rows["account"]), "change_date": text.days(rows["day"]),
        "product_code": text.named(rows["product"], CODES), "currency": _cny(rows["day"].size), "open_date": text.days(rows["opened"]),
        "credit_limit": text.decimals(rows["limit"], digits=2), "balance": text.decimals(rows["balance"], digits=2),
        "minimum_payment": text.decimals(rows["minimum"], digits=2), "last_payment": text.decimals(rows["paid"], digits=2),
        "annual_rate": _rate(rows["rate"]), "days_past_due": text.plain(rows["dpd"]), "status": text.named(rows["status"], c.CREDIT_STATUSES),
    }  # fmt: skip


def _scheduled(number: str, prefix: str) -> Callable[[Rows], dict[str, pa.Array]]:
    def encoder(rows: Rows) -> dict[str, pa.Array]:
        return {
            number: text.numbers(rows["account"], prefix=prefix, width=13), "acct_no": _account(rows["account"]),
            "instalment_no": text.plain(rows["number"]), "due_date": text.days(rows["due_day"]), "currency": _cny(rows["day"].size),
            "due_amount": text.decimals(rows["due"], digits=2), "paid_date": text.days(rows["paid_day"]),
            "paid_amount": text.decimals(rows["paid"], digits=2),
        }  # fmt: skip

    return encoder


def _deposit_plans(rows: Rows) -> dict[str, pa.Array]:
    return {
        "plan_no": text.numbers(rows["account"], prefix="R", width=13), "acct_no": _account(rows["account"]), "start_date": text.days(rows["start"]),
        "maturity_date": text.days(rows["matures"]), "close_date": text.days(rows["closed"]), "planned_months": text.plain(rows["months"]),
        "instalment": text.decimals(rows["instalment"], digits=2), "currency": _cny(rows["day"].size),
        "status": text.named(rows["status"], c.PLAN_STATUSES),
    }  # fmt: skip


_ENCODERS: dict[str, Callable[[Rows], dict[str, pa.Array]]] = {
    "customers": _customers, "customer_merges": _customer_merges, "accounts": _accounts, "account_parties": _account_parties,
    "consents": _consents, "transactions": _transactions, "balances": _balances, "channel_events": _channel_events, "contacts": _contacts,
    "loans": _loans, "cards": _cards, "instalments": _scheduled("loan_no", "L"), "deposit_plans": _deposit_plans,
    "deposit_instalments": _scheduled("plan_no", "R"),
}  # fmt: skip
