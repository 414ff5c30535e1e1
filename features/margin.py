"""Contribution margin of a customer: the same arithmetic backwards (a feature) and forwards (a label).

    margin = Σ deposits balance × days × (transfer - client) / 365
           + Σ loans    balance × days × (client - transfer) / 365
           + fees - Σ loans balance × days × loss / 365 - Σ channel events × unit cost

Rates are yearly shares from core.rate, by product, else by product family. The rate of the day of a balance row holds
until the next row; every account has one at each month-end. A run-rate is balance × rate in *thousandths of a minor
unit a year*, a BIGINT cut toward zero: exact to add, and 10^12 minor units still fit over a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

LOAN_FAMILIES = ("credit_card", "consumer_loan", "mortgage")
DAYS_A_YEAR = 365
MILLI = 1000


@dataclass(frozen=True, kw_only=True)
class Rate:
    """An image of core.rate: value in parts per million, in force from valid_from up to (not including) valid_to."""

    kind: str
    code: str
    value_ppm: int
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a product earns from a day on, up to (not including) another: yearly, parts per million of the balance."""

    product_code: str
    since: date
    until: date | None
    spread_ppm: int
    loss_ppm: int


def prices(products: Sequence[tuple[str, str]], rates: Sequence[Rate]) -> list[Price]:
    """Gapless prices per product from its first rate on. products: (product_code, family)."""
    return [price for code, family in products for price in _prices_of(code, family, rates)]


def _prices_of(code: str, family: str, rates: Sequence[Rate]) -> list[Price]:
    concerning = [rate for rate in rates if rate.code in {code, family} and rate.kind in {"transfer", "client", "loss"}]
    days = sorted({rate.valid_from for rate in concerning} | {rate.valid_to for rate in concerning if rate.valid_to})
    untils = [*days[1:], None]
    return [_price(code, family, concerning, since, until) for since, until in zip(days, untils, strict=True)] if days else []


def _price(code: str, family: str, rates: Sequence[Rate], since: date, until: date | None) -> Price:
    transfer, client = (_in_force(kind, code, family, rates, since) for kind in ("transfer", "client"))
    # Without a transfer price there is no margin to speak of; a client rate alone would make it a pure cost.
    spread = 0 if transfer is None else transfer - (client or 0)
    earned = -spread if family in LOAN_FAMILIES else spread
    return Price(
        product_code=code, since=since, until=until, spread_ppm=earned, loss_ppm=_in_force("loss", code, family, rates, since) or 0
    )


def _in_force(kind: str, code: str, family: str, rates: Sequence[Rate], day: date) -> int | None:
    for wanted in (code, family):
        for rate in rates:
            if rate.kind == kind and rate.code == wanted and rate.valid_from <= day and (rate.valid_to is None or rate.valid_to > day):
                return rate.value_ppm
    return None


def run_rate(balance: str, ppm: str) -> str:
    """Thousandths of a minor unit a year that a balance earns (SQL)."""
    return f"(({balance}) * coalesce({ppm}, 0)) div {MILLI}"


def interest_minor(days: int) -> str:
    """Interest margin over the last `days` days, minor units (SQL over measures)."""
    return f"(balance_spread_milli_area_{days}d + credit_spread_milli_area_{days}d) / {DAYS_A_YEAR * MILLI}"


def loss_minor(days: int) -> str:
    """Expected loss over the last `days` days, minor units (SQL over measures)."""
    return f"credit_loss_milli_area_{days}d / {DAYS_A_YEAR * MILLI}"


def cost_minor(days: int) -> str:
    """Cost to serve over the last `days` days, minor units (SQL over measures)."""
    return f"channel_cost_milli_{days}d / {MILLI}"


def margin_minor(days: int) -> str:
    """Contribution margin over the last `days` days, minor units (SQL over measures)."""
    return f"{interest_minor(days)} + transaction_fee_{days}d - {loss_minor(days)} - {cost_minor(days)}"
