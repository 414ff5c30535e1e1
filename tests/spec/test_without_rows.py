"""Customers of whom no row tells anything: every feature of the catalogue gives what its declaration says."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import functions as F

from features.catalogue import FEATURES, GROUPS
from features.spec import Empty
from features.spine import dates_frame
from tests.fixtures.bank import Bank

DAY = date(2026, 1, 31)
# Here for long and for a month; everything and nothing known of them.
CUSTOMERS = """
    customer_key | opened_on  | birth_date | kyc_risk | acquisition_channel | occupation | region | is_employee | household_key | preapproved_limit_minor
    1            | 2020-01-01 | 1990-05-05 | 2        | branch              | clerk      | 杭州   | true        | 7             | 5000000
    2            | 2026-01-01 | -          | -        | -                   | -          | -      | -           | -             | -
"""


@pytest.fixture(scope="module")
def told(spark):
    """By customer what comes out, and what the declarations say of the spine alone."""
    bank = Bank(spark, {"customers": CUSTOMERS})
    # What is an attribute is finished of the spine alone, which knows no measure.
    said = {Empty.STATED: lambda feature: feature.stated, Empty.OWN: lambda feature: feature.sql}
    own = [F.expr(said[f.empty_means](f)).cast(f.type).alias(name) for name, (_, f) in FEATURES.items() if f.empty_means in said]
    spine = bank.core.spine(dates_frame(spark, [DAY]))
    return [(row, said_of) for row, said_of in zip(
        bank.wide(GROUPS, str(DAY)).values(), spine.orderBy("customer_key").select("customer_key", *own).collect(), strict=True,
    )]  # fmt: skip


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_gives_what_it_says_without_rows(told, name):
    feature = FEATURES[name][1]
    fixed = {Empty.ZERO: 0, Empty.UNKNOWN: None}
    for row, said in told:
        expected = fixed[feature.empty_means] if feature.empty_means in fixed else said[name]
        assert row[name] == expected
        assert feature.is_nullable or row[name] is not None


def test_what_a_feature_states_is_told_of_the_customer(told):
    (of_long, _), (of_late, _) = told
    assert [(row["value__rfm_cell"], row["dormancy__is_dormant"], row["dormancy__dormant_days"]) for row in (of_long, of_late)] == [
        (111, 1, 365),
        (111, 0, 30),
    ]
    assert (of_long["tenure__region"], of_late["tenure__region"]) == ("杭州", None)
