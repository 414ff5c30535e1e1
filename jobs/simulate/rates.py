"""Exchange rates and internal prices, the same for every customer: a slow swell around a level, drawn from no generator."""

from __future__ import annotations

import math

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.draws import Floats
from jobs.simulate.seasons import Month


def cny_per_unit(month: Month) -> Floats:
    """CNY for a unit of each currency in the month."""
    time = month.year * 12 + month.month
    swell = [1.0 if level == 1.0 else 1 + 0.025 * math.sin(time / 5 + position) for position, level in enumerate(c.CNY_PER_UNIT)]
    return np.asarray(np.round(np.array(c.CNY_PER_UNIT) * np.array(swell), 6), dtype=np.float64)


def minor_per_cny_cent(month: Month) -> Floats:
    """Minor units of each currency for a CNY cent."""
    return np.asarray(10.0 ** (np.array(c.CURRENCY_DIGITS) - 2) / cny_per_unit(month), dtype=np.float64)


def rate_rows(month: Month, *, first: bool) -> list[dict[str, str]]:
    """The rates feed of the month's first delivery: everything at first, then exchange rates and moving treasury prices."""
    rows = [_row("fx", code, value) for code, value in zip(c.CURRENCIES, cny_per_unit(month), strict=True)]
    shift = 0.001 * math.sin((month.year * 12 + month.month) / 9)
    rows += [_row("transfer", family, round(rate + shift, 5)) for family, rate in c.TRANSFER_RATE.items()]
    if not first:
        return rows
    rows += [_row("client", product.code, product.client) for product in c.PRODUCTS if product.client]
    rows += [_row("loss", product.code, product.loss) for product in c.PRODUCTS if product.loss]
    return rows + [_row("unit_cost", channel, cost) for channel, cost in c.UNIT_COST_CNY.items()]


def _row(kind: str, code: str, value: float) -> dict[str, str]:
    return {"kind": kind, "code": code, "value": f"{value:.8f}".rstrip("0").rstrip(".")}
