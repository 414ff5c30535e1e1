"""A window, a measure or a column of day tiles more: what is made again for it, what stays, and what readers are told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from conf.settings import Settings
from features import catalogue
from features.measures import total
from features.operations import HORIZON
from features.sources.transaction import TRANSACTION
from features.spec import Feature, FeatureGroup, TileColumn
from jobs import ledger, tables
from jobs.build import tile_store
from jobs.context import JobContext
from jobs.serving import computed
from jobs.store import FeatureStore
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build, expect_a_rebuild

Contexts = Callable[..., JobContext]

JAN_31, FEB_01, FEB_02, YEAR_END = date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), date(2024, 12, 31)
RHYTHM, BALANCES, TENURE = (next(group for group in catalogue.GROUPS if group.name == name) for name in ("rhythm", "balances", "tenure"))
OUT = Feature(
    name="out",
    title="Spent",
    title_zh="支出",
    description="Spent",
    unit="minor units",
    type="bigint",
    sql="transaction_out_{w}",
    windows=(30,),
)
IN = replace(OUT, name="in", sql="transaction_in_{w}")
MONTHS = replace(OUT, name="months", sql="transaction_active_months_360d", windows=())
ROUND = replace(OUT, name="round", sql="transaction_round_{w}")
OTHERS = tuple(
    replace(group, declared=tuple(feature for feature in group.declared if feature.name in {"aum_eod", "tenure_days"}))
    for group in (BALANCES, TENURE)
)
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": "account_key\n1\n2",
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | customer_key | business_date | amount | direction
        oldest         | 2            | 2024-01-01    | 5      | out
        older          | 2            | 2024-12-30    | 5      | out
        a              | 1            | 2026-01-20    | 10     | out
        b              | 1            | 2026-01-31    | 20     | out
        c              | 1            | 2026-01-25    | 35     | in
    """,
    "balances": "account_key | customer_key | business_date | balance\n1 | 1 | 2024-06-30 | 800\n1 | 1 | 2024-12-15 | 900\n1 | 1 | 2026-01-15 | 1000",
}  # fmt: skip


def of(*features: Feature) -> tuple[FeatureGroup, ...]:
    return (replace(RHYTHM, declared=features), *OTHERS)


def versions(settings: Settings) -> dict[str, int]:
    made = (*(source.table for source in catalogue.TILED), catalogue.WINDOW_STATE, *(group.table for group in catalogue.versions()))
    return {table.full_name: tables.version(settings, table) for table in made}


def one_column_more(patch: pytest.MonkeyPatch) -> None:
    """As an edited features/sources/transaction.py would declare it."""
    whole = TileColumn(name="round", sql="case when amount_base_minor % 1000 = 0 then 1 else 0 end", description="Of whole tens")
    declared = vars(TRANSACTION)
    for derived in ("table", "columns_beneath"):
        patch.delitem(declared, derived, raising=False)
    patch.setitem(declared, "columns", (*TRANSACTION.columns, whole))
    patch.setitem(declared, "measures", (*TRANSACTION.measures, total("round")))


def test_only_what_is_declared_anew_is_made_again(context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, of(OUT))
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))

    def made_by(generation: int) -> set[str]:
        """Tables that are other ones after the date is asked for again."""
        before = versions(settings)
        build(context_for("features", JAN_31, generation=generation))
        return {name for name, version in versions(settings).items() if version != before[name]}

    group, states = "features.rhythm_v1", "features.window_state"
    two_windows = replace(OUT, windows=(7, 30))
    declare(monkeypatch, of(two_windows))
    assert made_by(1) == {group, states}
    declare(monkeypatch, of(two_windows, IN))
    assert made_by(2) == {group, states}
    one_column_more(monkeypatch)
    declare(monkeypatch, of(two_windows, IN, ROUND))
    assert made_by(3) == {group, states, "features.tile_transaction"}
    assert made_by(4) == set()

    rows = FeatureStore(settings).read(JAN_31, purpose="risk", features=["rhythm"]).arrow.to_pylist()
    assert [list(row.values())[2:] for row in rows] == [[2000, 3000, 3500, 2], [0, 0, 0, 0]]
    # Nothing that was told was wrong: the columns were filled, of both customers.
    told = FeatureStore(settings).revisions(purpose="risk", features=["rhythm"]).arrow.to_pylist()
    assert {row["feature"]: (row["rows"], row["filled"]) for row in told} == {
        "rhythm__out_7d": (0, 2), "rhythm__in_30d": (0, 2), "rhythm__round_30d": (0, 2),
    }  # fmt: skip
    (state,) = ledger.figures_of_newest(settings, "features")["states"]
    assert state["as_of"] == str(JAN_31)

    # A value that is told otherwise later is a correction, in whatever column.
    deliver(
        context_for("ingest", generation=1), {"transactions": "transaction_id | customer_key | business_date | amount\nd | 2 | 2026-01-30 | 10"}, datetime(2026, 2, 1)
    )  # fmt: skip
    report = build(context_for("features", JAN_31, generation=5))
    assert {name: (one["rows"], one["filled"]) for name, one in report.figures["revised"][group]["features"].items()} == dict.fromkeys(
        ("rhythm__out_7d", "rhythm__out_30d", "rhythm__round_30d"), (1, 0)
    )


def test_dates_before_the_first_tile_leave_the_later_tiles_as_they_are(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, of(OUT, MONTHS))
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))
    first = tile_store.recorded(settings)
    assert first is not None
    report = build(context_for("features", YEAR_END))
    after = tile_store.recorded(settings)
    assert after is not None
    assert after.until == JAN_31
    assert after.since["transaction"] == YEAR_END - timedelta(days=HORIZON - 1) < first.since["transaction"]
    # Of events the days before are all that was made: two transactions. Levels begin elsewhere, and are made again as a whole.
    assert report.rows["features.tile_transaction inserted"] == 2
    assert report.figures["tiles"]["made_again"] == {}
    assert computed.answered(settings) == (YEAR_END, JAN_31)
    # Twelve calendar months of a leap year are a day more than the longest window.
    expected = [{"customer_key": key, "as_of_date": YEAR_END, "rhythm__months": months} for key, months in ((1, 0), (2, 2))]
    assert FeatureStore(settings).read(YEAR_END, purpose="risk", features=["rhythm__months"]).arrow.to_pylist() == expected
    assert computed.everybody(settings, ["rhythm__months"], YEAR_END).to_pylist() == expected
    night = context_for("features", FEB_02)
    build(night)
    expect_a_rebuild(night, [YEAR_END, JAN_31, FEB_02])

    # All anew begins later again: what is left of the earlier beginning is not counted twice on demand.
    again = context_for("features", JAN_31, generation=1)
    build(replace(again, request=replace(again.request, force=True)))
    assert computed.answered(settings) == (JAN_31, FEB_02)
    rows = FeatureStore(settings).read(FEB_01, purpose="risk", features=["balances"]).arrow.to_pylist()
    assert [row["balances__aum_eod"] for row in rows] == [1000, 0]
