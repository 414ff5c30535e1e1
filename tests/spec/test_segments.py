"""Segments: ordered rules, first match wins, everybody has one; tiers rise next month and fall after three."""

from __future__ import annotations

from datetime import date

import pytest

from features import membership, segmentation
from features.catalogue import SEGMENTATIONS
from features.segments import asset_tier, behaviour, risk_value

JANUARY = date(2026, 1, 31)


def placed(spark, scheme, rows: dict[int, tuple]) -> dict[int, str]:
    """Segments of customers with these values of the scheme's features, in the order of `scheme.features`."""
    ddl = "customer_key bigint, as_of_date date, " + ", ".join(f"{name} double" for name in scheme.features)
    frame = spark.createDataFrame([(key, JANUARY, *(None if v is None else float(v) for v in values)) for key, values in rows.items()], ddl)
    return {row["customer_key"]: row["segment"] for row in segmentation.assign(frame, scheme).collect()}


def test_behaviour_is_frequency_times_amount(spark):
    assert behaviour.SCHEME.features == ("activity__out_sum_90d", "activity__txn_count_90d")
    found = placed(spark, behaviour.SCHEME, {1: (20000, 15), 2: (19999, 15), 3: (20000, 14), 4: (0, 1), 5: (50000, 0), 6: (None, None)})
    # 5: standing orders only; 6: nothing can be told. Both fall to the last rule.
    assert found == {1: "frequent_large", 2: "frequent_small", 3: "occasional_large", 4: "occasional_small", 5: "silent", 6: "silent"}


def test_risk_and_value_make_four_classes(spark):
    names = risk_value.SCHEME.features
    told = {
        1: {"credit__days_past_due_highest_365d": 90, "value__margin_12m": 5000},  # risk goes first
        2: {"value__margin_12m": 1000},
        3: {"value__margin_12m": 1000, "credit__days_past_due_highest_365d": 30},  # valuable, but a sign of risk
        4: {"balances__aum_mad_90d": 50000},
        5: {"cash_flow__income_months_180d": 5, "credit__utilisation": 0.5},
        6: {},
    }
    rows = {key: tuple(values.get(name) for name in names) for key, values in told.items()}
    assert placed(spark, risk_value.SCHEME, rows) == {
        1: "high_risk", 2: "prime_credit", 3: "general", 4: "potential", 5: "potential", 6: "general",
    }  # fmt: skip


def tiers(spark, history: list[tuple]) -> dict[str, tuple[str, str]]:
    ddl = f"customer_key bigint, as_of_date date, {asset_tier.ASSETS} double, stored string, is_wanted boolean"
    frame = spark.createDataFrame(
        [(1, date.fromisoformat(day), float(assets), stored, wanted) for day, assets, stored, wanted in history], ddl
    )
    return {str(row["as_of_date"]): (row["segment"], row["because"]) for row in asset_tier.assign(frame).collect()}


def test_a_tier_rises_the_month_after(spark):
    found = tiers(spark, [
        ("2025-12-31", 100_000, None, True),   # the first date ever: at once
        ("2026-01-31", 600_000, None, True),   # affluent by assets, but decided today, in force from February
        ("2026-02-10", 10, None, True),        # whatever the day brings, the month keeps its tier
        ("2026-02-28", 7_000_000, None, True),
        ("2026-03-01", 7_000_000, None, True),
    ])  # fmt: skip
    assert [segment for segment, _ in found.values()] == ["mass", "mass", "affluent", "affluent", "high_net_worth"]
    assert found["2026-01-31"][1] == asset_tier.KEPT_DOWN
    assert found["2026-02-10"][1] == asset_tier.KEPT_UP
    assert found["2026-03-01"][1] == "mean daily assets of 30 days reach 6,000,000"


def test_a_tier_falls_after_three_month_ends_below_to_that_of_the_third(spark):
    found = tiers(spark, [
        ("2025-12-31", 600_000, None, True),
        ("2026-01-31", 100, None, True),      # first below
        ("2026-02-28", 600_000, None, True),  # back again: the count starts anew
        ("2026-03-31", 100, None, True),
        ("2026-04-30", 100, None, True),
        ("2026-05-31", 30_000, None, True),   # third in a row: falls to mass
        ("2026-06-30", 30_000, None, True),
    ])  # fmt: skip
    assert [segment for segment, _ in found.values()] == ["affluent"] * 6 + ["mass"]


def test_one_night_says_what_the_range_said(spark):
    """A night sees three month-ends with the tiers shown then, and comes to the same answer."""
    by_range = tiers(spark, [
        ("2026-02-28", 600_000, None, True), ("2026-03-31", 100, None, True), ("2026-04-30", 100, None, True),
        ("2026-05-31", 100, None, True), ("2026-06-15", 600_000, None, True),
    ])  # fmt: skip
    by_night = tiers(spark, [
        ("2026-03-31", 100, "affluent", False), ("2026-04-30", 100, "affluent", False), ("2026-05-31", 100, "affluent", False),
        ("2026-06-15", 600_000, None, True),
    ])  # fmt: skip
    assert by_night["2026-06-15"] == by_range["2026-06-15"] == ("prospect", asset_tier.KEPT_DOWN)


def test_a_year_without_rows_starts_anew(spark):
    found = tiers(spark, [("2025-01-31", 7_000_000, "high_net_worth", False), ("2026-01-31", 100, None, True)])
    assert found["2026-01-31"][0] == "prospect"


@pytest.mark.parametrize("scheme", SEGMENTATIONS, ids=lambda scheme: scheme.name)
def test_everybody_gets_exactly_one_segment(spark, scheme):
    grid = [None, -1.0, 0.0, 0.95, 2.0, 30.0, 1e4, 1e7]
    rows = {i: tuple(grid[(i * (k + 1) + k) % len(grid)] for k in range(len(scheme.features))) for i in range(64)}
    found = placed(spark, scheme, rows)
    assert set(found.values()) <= {rule.name for rule in scheme.rules}
    assert len(found) == 64


def test_a_scheme_without_a_last_rule_is_refused():
    with pytest.raises(ValueError, match="everybody else"):
        segmentation.Segmentation(name="x", version=1, title="x", title_zh="x", purposes=(), rules=behaviour.SCHEME.rules[:2])


def test_membership_tells_entries_and_exits(spark):
    daily = spark.createDataFrame(
        [
            (1, date(2026, 1, 31), "behaviour", "silent"),
            (1, date(2026, 2, 28), "behaviour", "silent"),
            (2, date(2026, 2, 28), "behaviour", "silent"),
        ],
        "customer_key bigint, as_of_date date, scheme string, segment string",
    )
    members = spark.createDataFrame(
        [(3, "behaviour", "frequent_small", date(2025, 12, 31))], "customer_key bigint, scheme string, segment string, valid_from date"
    )
    found = {(row["customer_key"], str(row["valid_from"])): row["segment"] for row in membership.images(daily, members).collect()}
    # 2 enters in February and was nobody before; 3 is gone on both dates.
    assert found == {
        (1, "2026-01-31"): "silent", (1, "2026-02-28"): "silent", (2, "2026-02-28"): "silent", (3, "2026-01-31"): None, (3, "2026-02-28"): None,
    }  # fmt: skip
