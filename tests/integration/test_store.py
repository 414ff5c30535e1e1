"""The data scientist's door: dates, customers, revisions, purposes; and that it gives what was published, without a JVM."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import strategies as st

from conf import settings as conf
from conf.settings import Settings
from features.arithmetic import LARGEST, bounded
from jobs.errors import ConfigurationError, DataRejectedError, InputNotReadyError, InvariantError, UsageError
from jobs.serving import lake
from jobs.store import FeatureStore
from tests.fixtures.published import DAYS, DECEMBER, JANUARY, KYC, NIGHT, NOVEMBER, REGION, RHYTHM, TENURE, known, publish


def told(rows: Any, name: str) -> dict[tuple[int, date], Any]:
    return {(row["customer_key"], row["as_of_date"]): row[name] for row in rows.arrow.to_pylist()}


@pytest.fixture
def store(settings: Settings) -> FeatureStore:
    """Two customers; the first one's share of December was corrected at two o'clock, of January it was published late."""
    publish(
        settings, RHYTHM, NIGHT,
        [(1, NOVEMBER, 0, 0, 0.1), (2, NOVEMBER, 0, 0, 0.2), (1, DECEMBER, 0, 0, 0.3), (2, DECEMBER, 0, 0, 0.4), (1, DECEMBER, 1, 2, 0.5), (1, JANUARY, 0, 3, 0.6)],
    )  # fmt: skip
    publish(settings, TENURE, REGION, [(1, NOVEMBER, 0, 0, "上海"), (1, DECEMBER, 0, 0, "上海"), (2, DECEMBER, 0, 0, "北京")])
    return FeatureStore(settings)


def test_a_date_is_everybody_in_the_newest_revision(store: FeatureStore) -> None:
    rows = store.read(DECEMBER, purpose="risk", features=[NIGHT, REGION])
    assert rows.arrow.to_pylist() == [
        {"customer_key": 1, "as_of_date": DECEMBER, NIGHT: 0.5, REGION: "上海"},
        {"customer_key": 2, "as_of_date": DECEMBER, NIGHT: 0.4, REGION: "北京"},
    ]


def test_whom_only_one_group_knows_is_not_lost(store: FeatureStore) -> None:
    assert told(store.read(NOVEMBER, purpose="risk", features=[NIGHT, REGION]), REGION) == {(1, NOVEMBER): "上海", (2, NOVEMBER): None}


def test_as_first_published_and_as_known(store: FeatureStore) -> None:
    def share(**how: Any) -> Any:
        return told(store.read(DECEMBER, purpose="risk", features=[NIGHT], **how), NIGHT)[1, DECEMBER]

    assert share(revision="first") == 0.3
    assert share(as_known_at=known(1)) == 0.3
    assert share(as_known_at=known(2)) == 0.5
    assert share(as_known_at=datetime(2026, 2, 1, 10, tzinfo=ZoneInfo("Asia/Shanghai"))) == 0.5
    assert len(store.read(JANUARY, purpose="risk", features=[NIGHT], as_known_at=known(2))) == 0


def test_what_corrections_did(settings: Settings, store: FeatureStore) -> None:
    publish(settings, RHYTHM, NIGHT, [(2, DECEMBER, 1, 4, 0.1), (1, DECEMBER, 2, 5, None), (2, DECEMBER, 2, 5, 0.1)])
    publish(settings, TENURE, REGION, [(1, DECEMBER, 1, 4, "广州")])
    found = store.revisions(purpose="risk", features=[NIGHT, REGION]).arrow.to_pylist()
    # Of the night's share .3 became .5 and then unknown, .4 became .1 and stayed so.
    assert found == [
        {"as_of_date": DECEMBER, "feature": NIGHT, "rows": 3, "came_or_went": 1, "mean_change": pytest.approx(0.25), "largest_change": pytest.approx(0.3), "filled": 0},
        {"as_of_date": DECEMBER, "feature": REGION, "rows": 1, "came_or_went": 0, "mean_change": None, "largest_change": None, "filled": 0},
    ]  # fmt: skip
    (late,) = store.revisions(purpose="risk", features=[NIGHT], known_since=known(5)).arrow.to_pylist()
    assert (late["rows"], late["came_or_went"], late["mean_change"]) == (1, 1, None)
    assert len(store.revisions(purpose="risk", features=[NIGHT], until=NOVEMBER)) == 0
    with pytest.raises(UsageError, match=r"known_since .* has no zone"):
        store.revisions(purpose="risk", features=[NIGHT], known_since=datetime(2026, 2, 1))


def test_a_customers_history_is_every_stored_date(store: FeatureStore) -> None:
    rows = store.history(1, purpose="risk", features=[NIGHT])
    assert rows.arrow.column("as_of_date").to_pylist() == list(DAYS)
    assert rows.arrow.column(NIGHT).to_pylist() == [0.1, 0.5, 0.6]
    assert len(store.history(3, purpose="risk", features=[NIGHT])) == 0


def test_how_numbers_and_names_are_spread(store: FeatureStore) -> None:
    december = store.stats(NIGHT, purpose="risk", since=DECEMBER, until="2025-12-31").arrow.to_pylist()
    assert len(december) == 1
    expected = {
        "as_of_date": DECEMBER,
        "customers": 2,
        "missing": 0,
        "distinct_values": 2,
        "mean": 0.45,
        "min": 0.4,
        "max": 0.5,
        "p50": 0.45,
    }
    assert {name: december[0][name] for name in expected} == pytest.approx(expected)
    names = store.stats(REGION, purpose="risk").arrow.to_pylist()
    assert [(row["customers"], row["distinct_values"], row["most_frequent_customers"]) for row in names] == [(1, 1, 1), (2, 2, 1)]
    assert names[0]["most_frequent"] == "上海"


def test_dates_are_those_of_all_that_is_asked_for(store: FeatureStore) -> None:
    assert store.dates([NIGHT], purpose="risk") == list(DAYS)
    assert store.dates([NIGHT, "tenure"], purpose="risk") == [NOVEMBER, DECEMBER]


def test_a_group_stands_for_what_the_purpose_permits(store: FeatureStore) -> None:
    wide = store.read(DECEMBER, purpose="marketing", features=["tenure", NIGHT])
    assert REGION in wide.arrow.column_names
    assert KYC not in wide.arrow.column_names
    assert KYC in store.read(DECEMBER, purpose="risk", features=["tenure"]).arrow.column_names


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"features": [KYC]}, r"Features \['tenure__kyc_risk'\] may not be read for \[marketing\]; they permit \[\('risk', 'service'\)\]"),
        ({"features": ["rythm"]}, r"nearest: \{'rythm': \['rhythm'"),
        ({"features": ["rhythm__nite_share_90d"]}, r"nearest: \{'rhythm__nite_share_90d': \['rhythm__night_share_90d'"),
        ({"purpose": "curiosity"}, r"\[curiosity\] is no purpose .* there are \['marketing', 'credit', 'service', 'risk'\]"),
        ({"as_known_at": datetime(2026, 2, 1)}, r"as_known_at \[2026-02-01 00:00:00\] has no zone"),
        ({"as_of": "2025-02-30"}, r"\[2025-02-30\] is not a business date"),
        ({"as_of": known(0)}, r"is an instant; an as-of date is a business date"),
        ({"features": []}, r"No features are named"),
    ],
)
def test_what_cannot_be_asked(store: FeatureStore, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        store.read(**({"as_of": DECEMBER, "purpose": "marketing", "features": [NIGHT]} | asked))


def test_a_date_that_is_not_there_names_the_nearest(store: FeatureStore) -> None:
    with pytest.raises(
        InputNotReadyError, match=r"\[features.rhythm_v1\] has \['2025-11-30', '2025-12-31', '2026-01-31'\]; run `kequn features"
    ):
        store.read("2026-01-15", purpose="risk", features=[NIGHT])
    with pytest.raises(
        InputNotReadyError, match=r"^No features of \[2026-01-31\]: \[features.tenure_v1\] has \['2025-11-30', '2025-12-31'\]; "
    ):
        store.read(JANUARY, purpose="risk", features=[NIGHT, REGION])
    with pytest.raises(
        InputNotReadyError,
        match=r"\[features.tenure_v1\] has \['2025-11-30', '2025-12-31'\]; \[features.credit_v1\] and \[1\] more have none at all",
    ):
        store.read(JANUARY, purpose="risk", features=["tenure", "value", "credit"])
    with pytest.raises(InputNotReadyError, match=r"\[features.value_v1\] has none at all"):
        store.read(JANUARY, purpose="risk", features=["value"])


def test_rows_come_in_every_form(store: FeatureStore, tmp_path: Path) -> None:
    rows = store.read(DECEMBER, purpose="risk", features=[NIGHT])
    assert rows.pandas()[NIGHT].tolist() == [0.5, 0.4]
    rows.write_parquet(tmp_path / "rows.parquet")
    rows.write_delta(tmp_path / "rows")
    assert pa.parquet.read_table(tmp_path / "rows.parquet").equals(rows.arrow)
    assert DeltaTable(tmp_path / "rows").to_pyarrow_table().to_pylist() == rows.arrow.to_pylist()


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("select cast(sum(x) as bigint) from (values (9e18::bigint), (9e18::bigint)) t(x)", DataRejectedError, "A sum does not fit 64 bits: Conversion Error"),
        ("select x + x from (values (9e18::bigint)) t(x)", DataRejectedError, "A sum does not fit 64 bits: Out of Range Error: Overflow"),
        ("select cast('a' as bigint)", ConfigurationError, "An expression of features/ fails on these facts: Conversion Error"),
        ("from read_parquet('nowhere.parquet')", InvariantError, r"A table lacks files that its log names, .*nowhere.parquet"),
    ],
)  # fmt: skip
def test_what_fails_over_rows_is_of_the_kind_that_it_is_in_spark(sql: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said), lake.connect() as connection:
        connection.sql(sql).fetchall()
    with pytest.raises(DataRejectedError, match=r"A sum does not fit 64 bits: Column \[v\] of a day tile"), lake.connect():
        bounded(np.array([LARGEST + 1]), "v")


def test_it_needs_no_java(store: FeatureStore, settings: Settings) -> None:
    ask = f"purpose='risk', features=['{NIGHT}']"
    program = (
        "from jobs.store import FeatureStore; import pyarrow as pa; from datetime import date; store = FeatureStore(); "
        f"spine = pa.table({{'customer_key': [1], 'as_of_date': [date.fromisoformat('{DECEMBER}')]}}); drawn = store.training_set(spine, {ask}); "
        f"print(len(store.read('{DECEMBER}', {ask})), len(store.history(1, {ask})), len(store.stats('{NIGHT}', purpose='risk')), "
        "len(drawn), len(store.draw_again(drawn.receipt.receipt)))"
    )
    environment = {"KEQUN_HOME": str(settings.home), "KEQUN_ENV": "ci", "PATH": "", "JAVA_HOME": str(settings.home / "no-java")}
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=root)
    assert said.stdout.split() == ["2", "3", "3", "1", "1"]


# --- against the twin -----------------------------------------------------------------------------------------------

PUBLICATIONS = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from(DAYS)),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=3),
    min_size=1, max_size=6,
)  # fmt: skip


def twin(
    published: dict[tuple[int, date], list[tuple[int, int]]], day: date, *, first: bool, hour: int | None
) -> dict[tuple[int, date], float]:
    found = {}
    for (customer, of), versions in published.items():
        seen = [value for at, value in sorted_by_time(versions) if hour is None or at <= hour]
        if of == day and seen:
            found[customer, of] = float(seen[0] if first else seen[-1])
    return found


def sorted_by_time(versions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(versions, key=lambda version: version[0])


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True, database=None)
@hypothesis.given(published=PUBLICATIONS, first=st.booleans(), hour=st.one_of(st.none(), st.integers(0, 5)))
def test_every_answer_equals_the_twin(tmp_path_factory: pytest.TempPathFactory, published: Any, first: bool, hour: int | None) -> None:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("bank"))})
    rows = [
        (customer, day, revision, at, float(value))
        for (customer, day), versions in published.items() for revision, (at, value) in enumerate(sorted_by_time(versions))
    ]  # fmt: skip
    publish(settings, RHYTHM, NIGHT, rows)
    store = FeatureStore(settings)
    how: dict[str, Any] = {"revision": "first" if first else "corrected", "as_known_at": None if hour is None else known(hour)}
    for day in {day for _, day in published}:
        assert told(store.read(day, purpose="risk", features=[NIGHT], **how), NIGHT) == twin(published, day, first=first, hour=hour)
    whole = {key: value for day in DAYS for key, value in twin(published, day, first=first, hour=hour).items()}
    histories = [told(store.history(customer, purpose="risk", features=[NIGHT], **how), NIGHT) for customer in (1, 2, 3)]
    assert {key: value for history in histories for key, value in history.items()} == whole
