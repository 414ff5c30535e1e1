"""Declarations that can't give the same answer twice, or none at all, are told one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features import catalogue, soundness
from features.operations import Span
from features.spec import Feature, TileColumn

RHYTHM = next(group for group in catalogue.GROUPS if group.name == "rhythm")
PLAIN = Feature(name="plain", title="Plain", title_zh="平", description="A plain number", unit="days", sql="transaction_silent_days_365d")


def told(*features: Feature) -> list[str]:
    return soundness.faults([replace(RHYTHM, declared=features)], catalogue.SOURCES)


def test_what_is_declared_is_sound() -> None:
    assert soundness.faults(catalogue.versions(), catalogue.SOURCES) == []
    assert told(PLAIN) == []


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("datediff(current_date(), customer_opened_on)", "current_date"),
        ("datediff(current_date, customer_opened_on)", "current_date"),
        ("floor(100 * RAND( 7 ))", "RAND"),
        ("hash(uuid())", "uuid"),
        ("unix_timestamp ()", "unix_timestamp"),
        ("extract(day from now())", "now"),
        ("monotonically_increasing_id()", "monotonically_increasing_id"),
        ("case when session_user = 'me' then 1 end", "session_user"),
        ("case when user = 'me' then 1 end", "user"),
        ("hash(customer_region)", "hash"),
        ("rank() over ()", "rank"),
        ("sum(1) over (order by 1)", "over"),
        ("java_method('java.util.UUID', 'randomUUID')", "java_method"),
        ("max_by(customer_region, 1)", "max_by"),
        ("mode(customer_region)", "mode"),
    ],
)
def test_what_gives_another_answer_another_time(sql: str, word: str) -> None:
    expected = f"[rhythm_v1__plain] says [{word}], which is not known to give the same answer every time; time is as_of_date"
    (fault,) = (fault for fault in told(replace(PLAIN, sql=sql)) if fault.startswith(expected))
    assert "'greatest'" in fault


@pytest.mark.parametrize(
    "sql",
    [
        "case when customer_region = 'rand() now()' then 1 end",
        "transaction_first_active_days_365d",
        "last_day(as_of_date)",
        "customer_user_count",
    ],
)
def test_words_that_only_look_like_it(sql: str) -> None:
    assert told(replace(PLAIN, sql=sql)) == []


def test_tiles_and_measures_are_looked_at_too() -> None:
    source = catalogue.TILED[0]
    column = TileColumn(name="lucky", sql="case when rand() < 0.5 then 1 else 0 end", description="Chance")
    measure = replace(source.measures[0], name="youngest", operation=None, column="", sql="first(day)")
    found = soundness.faults([], [replace(source, columns=(column,), measures=(measure,))])
    assert [fault.partition(",")[0] for fault in found] == ["[transaction.lucky] says [rand]", "[transaction.youngest()] says [first]"]


def test_a_window_is_no_longer_than_the_tiles_that_are_kept() -> None:
    assert told(replace(PLAIN, sql="transaction_purchase_{w}", windows=(7, 365))) == []
    assert told(replace(PLAIN, sql="transaction_purchase_{w}", windows=(366, 0))) == [
        "[rhythm_v1__plain_366d] looks back [366] days, day tiles are kept for [365]; take a window of 1 to 365 days",
        "[rhythm_v1__plain_0d] looks back [0] days, day tiles are kept for [365]; take a window of 1 to 365 days",
    ]


def test_a_span_is_taken_of_what_adds_up_only() -> None:
    assert told(replace(PLAIN, sql="transaction_purchase_{w} + coalesce(transaction_largest_out_{w}, 0)", windows=(Span.MTD,))) == []
    of_weeks, of_debt = told(
        replace(PLAIN, sql="transaction_active_weeks_mtd"), replace(PLAIN, name="debt", sql="credit_debt_area_{w}", windows=(Span.MTD,))
    )
    assert of_weeks == (
        "[rhythm_v1__plain] takes [spells] of [transaction] over [mtd], in [active_weeks]; over it there are ['sum', 'squares', 'max', 'kinds', 'days', "
        "'days_since', 'days_since_first'] of customers' own events; take one of these, or a window of 1 to 365 days"
    )
    assert of_debt.startswith("[rhythm_v1__debt_mtd] takes [area] of [credit] over [mtd], in [debt_area]; over it there are ['sum', ")
    # Of a life only what months can tell, and of sources that have month tiles.
    assert told(replace(PLAIN, sql="transaction_purchase_{w} + transaction_mcc_travel_days_{w}", windows=(Span.LTD,))) == []
    of_multiples, of_kinds, of_day_sums, of_plans = told(
        *(
            replace(PLAIN, name=f"life{nth}", sql=sql)
            for nth, sql in enumerate(
                (
                    "transaction_income_units_ltd",
                    "transaction_counterparties_0_ltd",
                    "transaction_largest_income_ltd",
                    "plan_instalment_due_ltd",
                )
            )
        )
    )
    assert of_kinds == (
        "[rhythm_v1__life1] takes [kinds] of [transaction] over [ltd], in [counterparties_0]; over it there are ['sum', 'max', 'days'] of customers' own "
        "events whose day tiles are stored, without multiples, the greatest of greatest values only; take one of these, or a window of 1 to 365 days"
    )
    assert [fault.split(" of ")[0] for fault in (of_multiples, of_day_sums, of_plans)] == [
        "[rhythm_v1__life0] takes [sum]", "[rhythm_v1__life2] takes [max]", "[rhythm_v1__life3] takes [sum]",
    ]  # fmt: skip
    (of_label,) = soundness.faults([], catalogue.SOURCES, {"label x": "transaction_active_weeks_mtd > 1"})
    assert of_label.startswith("[label x] takes [spells] of [transaction] over [mtd]")


def test_names_are_declared_once() -> None:
    assert told(PLAIN, replace(PLAIN, sql="1")) == ["[rhythm__plain] is declared [2] times in [rhythm_v1]"]
    assert "[rhythm_v1] is declared [2] times" in soundness.faults([RHYTHM, RHYTHM], catalogue.SOURCES)


def test_types_are_those_that_tables_have() -> None:
    (fault,) = told(replace(PLAIN, type="decimal(9,2)"))
    assert fault.startswith("[rhythm_v1__plain] has type [decimal(9,2)]; there are ['double'")
