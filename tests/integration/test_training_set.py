"""Training sets: the spine kept row for row, nothing of the future, and a receipt that gives the same again."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from hypothesis import strategies as st

from conf import settings as conf
from conf import sources
from conf.settings import Settings
from jobs import __main__ as kequn
from jobs import tables
from jobs.errors import DataRejectedError, InputNotReadyError, UsageError
from jobs.serving.spines import last_whole_day
from jobs.store import FeatureStore
from tests.fixtures.published import DAYS, DECEMBER, JANUARY, NIGHT, NOVEMBER, REGION, RHYTHM, TENURE, known, publish

SPINE = pa.table(
    {
        "customer_key": [2, 1, 1, 11, 2, 3],
        "as_of_date": [DECEMBER, NOVEMBER, DECEMBER, NOVEMBER, DECEMBER, DECEMBER],
        "outcome": [1, 0, None, 1, 1, 0],
    }
)


@pytest.fixture
def store(settings: Settings) -> FeatureStore:
    """Three customers; the share of the first in December was corrected at two o'clock; the eleventh is not there in December."""
    publish(
        settings, RHYTHM, NIGHT,
        [(1, NOVEMBER, 0, 0, 0.1), (11, NOVEMBER, 0, 0, 0.7), (1, DECEMBER, 0, 0, 0.3), (2, DECEMBER, 0, 0, 0.4), (1, DECEMBER, 1, 2, 0.5)],
    )  # fmt: skip
    publish(settings, TENURE, REGION, [(1, NOVEMBER, 0, 0, "上海"), (1, DECEMBER, 0, 0, "上海"), (2, DECEMBER, 0, 0, "北京")])
    return FeatureStore(settings)


def test_the_spine_is_kept_row_for_row(store: FeatureStore) -> None:
    drawn = store.training_set(SPINE, purpose="risk", features=[NIGHT, REGION])
    assert drawn.arrow.select(SPINE.column_names).equals(SPINE)
    assert drawn.arrow.column_names == [*SPINE.column_names, "features_of", NIGHT, REGION]
    assert drawn.arrow.column("features_of").to_pylist() == SPINE.column("as_of_date").to_pylist()
    # Twice the same row, a customer whom only one group knows, one who is not there at all.
    assert drawn.arrow.column(NIGHT).to_pylist() == [0.4, 0.1, 0.5, 0.7, 0.4, None]
    assert drawn.arrow.column(REGION).to_pylist() == ["北京", "上海", "上海", None, "北京", None]


def test_as_known_at_a_time(store: FeatureStore) -> None:
    before = store.training_set(SPINE, purpose="risk", features=[NIGHT], as_known_at=known(1))
    assert before.arrow.column(NIGHT).to_pylist() == [0.4, 0.1, 0.3, 0.7, 0.4, None]


def test_an_instant_sees_the_last_day_that_was_over() -> None:
    bank = sources.load("bank")  # Shanghai, eight hours ahead; a day ends at 23:00
    for instant, day in (
        ("2026-01-01T14:59:59", "2025-12-31"),
        ("2026-01-01T15:00:00", "2026-01-01"),
        ("2026-01-02T00:00:00", "2026-01-01"),
    ):
        assert last_whole_day(datetime.fromisoformat(instant).replace(tzinfo=UTC), bank) == date.fromisoformat(day)


def test_instants_may_be_younger_than_what_is_stored(store: FeatureStore) -> None:
    spine = pd.DataFrame(
        {"customer_key": [1, 1], "timestamp": pd.to_datetime(["2026-01-01 00:30", "2026-01-09 12:00"]).tz_localize("Asia/Shanghai")}
    )
    drawn = store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=8).arrow
    assert drawn.column("features_of").to_pylist() == [DECEMBER, DECEMBER]
    assert drawn.column(NIGHT).to_pylist() == [0.5, 0.5]
    with pytest.raises(
        InputNotReadyError, match=r"\[1\] of \[2\] rows ask .* such as rows \[1\] for \['2026-01-08'\]; stored are \[2\] dates from"
    ):
        store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=7)


def test_features_are_never_of_a_later_date(store: FeatureStore) -> None:
    spine = pa.table({"customer_key": [1], "as_of_date": [NOVEMBER - timedelta(days=1)]})
    with pytest.raises(InputNotReadyError, match=r"rows \[0\] for \['2025-11-29'\]"):
        store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=3650)


@pytest.mark.parametrize("form", ["pandas", "parquet", "csv", "delta"])
def test_a_spine_comes_from_anywhere(store: FeatureStore, tmp_path: Path, form: str) -> None:
    given: Any = tmp_path / f"spine.{form}"
    match form:
        case "pandas":
            given = SPINE.to_pandas(types_mapper=pd.ArrowDtype)
        case "parquet":
            pq.write_table(SPINE, given)
        case "csv":
            pyarrow.csv.write_csv(SPINE, given)
        case _:
            write_deltalake(given, SPINE)
    assert store.training_set(given, purpose="risk", features=[NIGHT]).arrow.equals(
        store.training_set(SPINE, purpose="risk", features=[NIGHT]).arrow
    )


@pytest.mark.parametrize(
    ("spine", "said"),
    [
        (SPINE.drop_columns(["as_of_date"]), r"needs the column \[customer_key\] and either \[as_of_date\] or \[timestamp\]; this one has"),
        (SPINE.append_column("timestamp", SPINE.column("as_of_date")), r"either \[as_of_date\] or \[timestamp\]"),
        (SPINE.set_column(0, "customer_key", pa.array([2, None, 1, 11, None, 3])), r"no \[customer_key\] in \[2\] of \[6\] rows, such as \[1, 4\]"),
        (SPINE.set_column(0, "customer_key", pa.array(list("abcdef"))), r"\[customer_key\] is \[string\]; it has to be the integer"),
        (pa.table({"customer_key": [1], "timestamp": [datetime(2026, 1, 1)]}), r"is \[timestamp\[us\]\], without a zone"),
        (pa.table({"customer_key": [1], "as_of_date": [datetime(2026, 1, 1)]}), r"a business date is a date"),
        (SPINE.rename_columns(["customer_key", "as_of_date", NIGHT]), r"has columns \['rhythm__night_share_90d'\], which the training set adds"),
        ({"customer_key": 1}, r"can't be a \[dict\]"),
        ("nowhere.parquet", r"There is no spine \[nowhere.parquet\]"),
    ],
)  # fmt: skip
def test_what_is_no_spine(store: FeatureStore, spine: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        store.training_set(spine, purpose="risk", features=[NIGHT])


# --- receipts -------------------------------------------------------------------------------------------------------


def test_a_receipt_gives_the_same_again_whatever_was_corrected_since(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT, REGION], as_known_at=known(3))
    publish(settings, RHYTHM, NIGHT, [(2, DECEMBER, 1, 4, 0.9)])
    assert store.training_set(SPINE, purpose="risk", features=[NIGHT]).arrow.column(NIGHT).to_pylist()[0] == 0.9
    again = store.draw_again(first.receipt.receipt)
    assert again.arrow.equals(first.arrow)
    assert (again.receipt.receipt, again.receipt.result) == (first.receipt.receipt, first.receipt.result)
    assert again.receipt.versions["features.rhythm_v1"] > first.receipt.versions["features.rhythm_v1"]


def test_a_receipt_whose_rows_were_erased_says_so(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    tables.log(settings, RHYTHM.table).delete("customer_key = 2")  # type: ignore[union-attr]
    with pytest.raises(
        DataRejectedError, match=rf"Receipt \[{first.receipt.receipt}\] can't be drawn again: .* rows of its dates were erased"
    ):
        store.draw_again(first.receipt.receipt)
    shutil.rmtree(tables.location(settings, RHYTHM.table))
    # Trimmed as a whole: nothing to wait for.
    with pytest.raises(DataRejectedError, match=r"dates that were stored then are no more: .* stored are none"):
        store.draw_again(first.receipt.receipt)


def test_a_receipt_of_another_meaning_says_so(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    path = settings.home / "training_sets" / first.receipt.receipt / "receipt.json"
    told = json.loads(path.read_text(encoding="utf-8")) | {"spec_hashes": {"features.rhythm_v1": "earlier"}, "result": "other"}
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"the meaning of \['features.rhythm_v1'\] has changed since"):
        store.draw_again(first.receipt.receipt)


def test_an_unknown_receipt_names_those_that_there_are(store: FeatureStore) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    with pytest.raises(UsageError, match=rf"There is no receipt \[x\] in .*; there are \['{first.receipt.receipt}'\]"):
        store.draw_again("x")


def test_by_command(
    store: FeatureStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEQUN_HOME", str(settings.home))
    pq.write_table(SPINE, tmp_path / "spine.parquet")
    words = [
        "training-set",
        "--spine",
        str(tmp_path / "spine.parquet"),
        "--features",
        NIGHT,
        "--purpose",
        "risk",
        "--as-known-at",
        "2026-02-01T09:00:00+08:00",
    ]
    assert kequn.main([*words, "--out", str(tmp_path / "set.parquet")]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert pq.read_table(tmp_path / "set.parquet").column(NIGHT).to_pylist() == [0.4, 0.1, 0.3, 0.7, 0.4, None]
    assert kequn.main(["training-set", "--receipt", receipt["receipt"], "--out", str(tmp_path / "again.parquet")]) == 0
    assert pq.read_table(tmp_path / "again.parquet").equals(pq.read_table(tmp_path / "set.parquet"))
    for wrong in (["--out", str(tmp_path / "set.parquet")], ["--out", str(tmp_path / "b.parquet"), "--receipt", "1"]):
        assert kequn.main([*words, *wrong]) == 2
    assert kequn.main([*words[:-1], "yesterday", "--out", str(tmp_path / "c.parquet")]) == 2


# --- against the twin -----------------------------------------------------------------------------------------------

PUBLISHED = st.dictionaries(st.tuples(st.integers(1, 12), st.sampled_from(DAYS)), st.integers(0, 9), min_size=1, max_size=12)
ASKED = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 40).map(lambda days: NOVEMBER + timedelta(days=days))), min_size=1, max_size=12
)


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True, database=None)
@hypothesis.given(published=PUBLISHED, asked=ASKED, max_age_days=st.integers(0, 60))
def test_every_row_equals_the_twin(tmp_path_factory: pytest.TempPathFactory, published: Any, asked: Any, max_age_days: int) -> None:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("bank"))})
    publish(settings, RHYTHM, NIGHT, [(customer, day, 0, 0, float(value)) for (customer, day), value in published.items()])
    spine = pa.table({"customer_key": [customer for customer, _ in asked], "as_of_date": [day for _, day in asked]})
    stored = {day for _, day in published}
    # The newest stored date not after the row's, if it is young enough; then the customer's row of that very date, or nothing.
    sees = [max((of for of in stored if timedelta(0) <= day - of <= timedelta(days=max_age_days)), default=None) for _, day in asked]
    if None in sees:
        with pytest.raises(InputNotReadyError):
            FeatureStore(settings).training_set(spine, purpose="risk", features=[NIGHT], max_age_days=max_age_days)
        return
    drawn = FeatureStore(settings).training_set(spine, purpose="risk", features=[NIGHT], max_age_days=max_age_days).arrow
    assert drawn.column("features_of").to_pylist() == sees
    assert drawn.column(NIGHT).to_pylist() == [published.get((customer, of)) for (customer, _), of in zip(asked, sees, strict=True)]
    assert JANUARY not in drawn.column("features_of").to_pylist()
