"""Nights on which anything comes late, or is told otherwise, of whatever table: what is stored of every date is what a rebuild gives.

A case takes minutes, so that it is asked for by command: `make oracle`. The small form is
tests/integration/test_corrections.py, where every way of being late is written out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import settings as conf
from expectations.contracts.types import KNOWN
from jobs import tables
from tests.fixtures.bank import CONTRACTS, deliver_rows
from tests.fixtures.context import context_of
from tests.fixtures.examples import examples
from tests.fixtures.random_bank import FIRST, LAST, RandomBank
from tests.fixtures.rebuilt import build, expect_a_rebuild

pytestmark = [pytest.mark.full, pytest.mark.timeout(7200)]

EARLIER = [date(2024, 1, 31), date(2024, 2, 29)]
NIGHTS = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 5)]  # in a row, then a gap
PEOPLE = 12
Rows = dict[str, list[dict[str, Any]]]
BANKS = st.integers(0, 2**32).map(Random)


def numbered(rows: Rows) -> Rows:
    """With keys of their own, one row per key and start of validity."""
    names = {
        "transactions": "transaction_id", "channel_events": "event_id", "credit_instalments": "instalment_no", "deposit_instalments": "instalment_no",
    }  # fmt: skip
    for table, name in names.items():
        of_type = str if name.endswith("_id") else int
        rows |= {table: [row | {name: of_type(nth)} for nth, row in enumerate(rows[table])]}
    return {table: list({key_of(table, row): row for row in mine}.values()) for table, mine in rows.items()}


def key_of(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    start = tables.interval_of(CONTRACTS[table]).start
    return (*(row[name] for name in CONTRACTS[table].key), row.get(start))


def split(rows: Rows, random: Random) -> tuple[Rows, Rows]:
    """What comes in time, and a fifth of the facts that does not."""
    late: Rows = {
        table: [row for row in mine if random.random() < 0.2] for table, mine in rows.items() if CONTRACTS[table].interval == KNOWN
    }
    held_back = {(table, key_of(table, row)) for table, mine in late.items() for row in mine}
    return {table: [row for row in mine if (table, key_of(table, row)) not in held_back] for table, mine in rows.items()}, late


def some(late: Rows, told: Rows, other: Rows, random: Random) -> Rows:
    """Of a few tables a few rows: late ones, and ones that say another thing of what was told, from any day on."""
    found: Rows = {}
    for table in random.sample(sorted(other), random.randint(1, 4)):
        coming = [late[table].pop() for _ in range(min(2, len(late.get(table, ()))))]
        for row, another in zip(told[table], random.sample(other[table], len(other[table])), strict=False):
            if random.random() < 2 / len(told[table]):
                dated = (
                    {}
                    if CONTRACTS[table].interval == KNOWN
                    else {"valid_from": FIRST + timedelta(days=random.randint(0, (LAST - FIRST).days))}
                )
                coming.append(another | {name: row[name] for name in CONTRACTS[table].key} | dated)
        found |= {table: list({key_of(table, row): row for row in coming}.values())} if coming else {}
    return found


@examples(3, 10, phases=[Phase.generate])
@given(random=BANKS)
def test_random_corrections_come_out_as_a_rebuild(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    home = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("bank"))})
    told, late = split(numbered(RandomBank(spark, random, people=PEOPLE).rows), random)
    other = numbered(RandomBank(spark, random, people=PEOPLE).rows)
    deliver_rows(context_of(spark, home, "ingest"), told, datetime(2024, 2, 29))
    ranged = context_of(spark, home, "features", *EARLIER)
    build(replace(ranged, request=replace(ranged.request, options={"month_ends": True})))
    for nth, night in enumerate(NIGHTS):
        coming = some(late, told, other, random)
        deliver_rows(context_of(spark, home, "ingest", night), coming, datetime(2024, 3, 1 + nth))
        context = context_of(spark, home, "features", night)
        build(context)
        assert expect_a_rebuild(context, [*EARLIER, *NIGHTS[: nth + 1]]) > 0, sorted(coming)
