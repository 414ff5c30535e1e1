"""What was planted, customer by customer: written beside the landing zone, never in it, for tests only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulate import catalogue as c
from jobs.simulate.draws import NEVER, Ints
from jobs.simulate.population import Population


def write_truth(path: Path, people: Population) -> None:
    """One row per customer of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(truth_table(people), path)


def truth_table(people: Population) -> pa.Table:
    """One row per customer: archetype, departure, trouble, uplift, pattern, and what drives value. Money in CNY."""
    number = people.first_customer + np.arange(people.size)
    return pa.table({
        "cust_no": pa.array([f"C{one:010d}" for one in number]),
        "archetype": _named(people.archetype, c.ARCHETYPES),
        "trend": _named(people.trend, c.TRENDS),
        "opened_on": _days(people.open_day),
        "departure": _named(people.departure, c.DEPARTURES),
        "fades_from": _days(people.fade_day),
        "silent_from": _days(people.silent_day),
        "returns_on": _days(people.return_day),
        "dormant_since": _days(people.dormant_since),
        "distress_from": _days(people.distress_from),
        "distress_to": _days(np.where(people.distress_from < NEVER, people.distress_to, NEVER)),
        "pays_late": pa.array(people.pays_late),
        "revolves": pa.array(people.revolves),
        "pattern": _named(people.pattern, c.PATTERNS),
        "pattern_from": _days(people.pattern_day),
        "uplift": _named(people.uplift, c.UPLIFTS),
        "income": pa.array(np.round(people.income, 2)),
        "wealth_target": pa.array(np.round(people.wealth_target, 2)),
        "purchases_a_month": pa.array(np.round(people.purchases, 4)),
        "logins_a_month": pa.array(np.round(people.logins, 4)),
        "has_salary": pa.array(people.has_salary),
        "employer": pa.array(people.employer),
        "has_pension": pa.array(people.has_pension),
        "merchant": _named(people.merchant, c.MERCHANTS),
        "preapproved": pa.array(people.preapproved, mask=people.preapproved < 0),
        "has_rent": pa.array(people.rent > 0),
        "digital_bias": pa.array(np.round(people.digital_bias, 4)),
        "takes_over_on": _days(people.takes_over),
        "merged_into": pa.array([f"C{people.first_customer + one:010d}" if one >= 0 else None for one in people.merged_into],
                                pa.string()),
    })  # fmt: skip


def _days(days: Ints) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=days >= NEVER).cast(pa.date32())


def _named(codes: Ints, names: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names)).cast(pa.string())
