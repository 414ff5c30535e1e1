"""Training sets: the spine kept row for row, nothing of the future, and a receipt that gives the same again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Schema, write_deltalake
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import settings as conf
from conf import sources
from conf.settings import Settings
from features import catalogue
from jobs import __main__ as kequn
from jobs import maintain, tables
from jobs.context import JobContext
from jobs.errors import ConfigurationError, DataRejectedError, InputNotReadyError, InvariantError, UsageError
from jobs.serving.drawn import whole
from jobs.serving.spines import last_whole_days
from jobs.store import FeatureStore
from jobs.writes_commit import _schema
from tests.fixtures.published import DAYS, DECEMBER, JANUARY, NIGHT, NOVEMBER, REGION, RHYTHM, TENURE, known, publish

NEW_YEAR, FEBRUARY = date(2026, 1, 1), date(2026, 2, 28)  # a date of which daily rows are dropped by then
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
        assert last_whole_days(pa.array([datetime.fromisoformat(instant).replace(tzinfo=UTC)]), bank).to_pylist() == [
            date.fromisoformat(day)
        ]


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


def test_a_date_that_was_published_later_was_not_known(settings: Settings) -> None:
    publish(settings, RHYTHM, NIGHT, [(1, NOVEMBER, 0, 0, 0.1), (1, DECEMBER, 0, 5, 0.3)])
    store, spine = FeatureStore(settings), pa.table({"customer_key": [1, 1], "as_of_date": [JANUARY, NOVEMBER]})
    for hour, of, share in ((4, NOVEMBER, 0.1), (5, DECEMBER, 0.3)):
        drawn = store.training_set(spine, purpose="risk", features=[NIGHT], as_known_at=known(hour), max_age_days=62).arrow
        assert drawn.column("features_of").to_pylist() == [of, NOVEMBER]
        assert drawn.column(NIGHT).to_pylist() == [share, 0.1]
    with pytest.raises(
        InputNotReadyError,
        match=r"\[1\] of \[2\] rows .* rows \[0\] for \['2026-01-31'\]; stored at \[2026-02-01T04:00:00\+00:00\] are \[1\] dates .*; as known at a time .* later as_known_at",
    ):
        store.training_set(spine, purpose="risk", features=[NIGHT], as_known_at=known(4), max_age_days=61)


def test_features_are_never_of_a_later_date(store: FeatureStore) -> None:
    spine = pa.table({"customer_key": [1], "as_of_date": [NOVEMBER - timedelta(days=1)]})
    with pytest.raises(InputNotReadyError, match=r"rows \[0\] for \['2025-11-29'\]"):
        store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=3650)


@pytest.mark.parametrize("form", ["pandas", "polars", "spark", "parquet", "csv", "delta"])
def test_a_spine_comes_from_anywhere(store: FeatureStore, tmp_path: Path, request: pytest.FixtureRequest, form: str) -> None:
    given: Any = tmp_path / f"spine.{form}"
    match form:
        case "pandas":
            given = SPINE.to_pandas(types_mapper=pd.ArrowDtype)
        case "polars":
            given = pl.DataFrame(SPINE)
        case "spark":
            given = request.getfixturevalue("spark").createDataFrame(SPINE)
        case "parquet":
            pq.write_table(SPINE, given)
        case "csv":
            pyarrow.csv.write_csv(SPINE, given)
        case _:
            write_deltalake(given, SPINE)
    assert store.training_set(given, purpose="risk", features=[NIGHT]).arrow.equals(
        store.training_set(SPINE, purpose="risk", features=[NIGHT]).arrow
    )


def test_a_set_goes_out_in_every_form(store: FeatureStore, spark: SparkSession) -> None:
    drawn = store.training_set(SPINE, purpose="risk", features=[NIGHT, REGION])
    rows = drawn.arrow.to_pylist()
    assert rows[2] == {"customer_key": 1, "as_of_date": DECEMBER, "outcome": None, "features_of": DECEMBER, NIGHT: 0.5, REGION: "上海"}
    pandas = drawn.pandas()
    assert pandas.astype(object).where(pandas.notna(), None).to_dict("records") == rows
    assert drawn.polars().to_dicts() == rows
    assert [row.asDict() for row in drawn.spark(spark).collect()] == rows


def test_a_spine_is_a_table_by_name(store: FeatureStore, settings: Settings) -> None:
    drawn = store.training_set("features.rhythm_v1", purpose="risk", features=[NIGHT, REGION])
    assert drawn.arrow.select(["customer_key", "as_of_date", NIGHT]).to_pydict() == {
        "customer_key": [1, 1, 2, 11], "as_of_date": [NOVEMBER, DECEMBER, DECEMBER, NOVEMBER], NIGHT: [0.1, 0.5, 0.4, 0.7]
    }  # fmt: skip
    table = catalogue.LABELS[0].table
    rows = [
        dict.fromkeys(table.column_names) | {"customer_key": customer, "as_of_date": day, "is_eligible": True, "is_censored": False, "label": label, "month": 202512}
        for customer, day, label in ((2, DECEMBER, 1), (1, NOVEMBER, 0))
    ]  # fmt: skip
    write_deltalake(
        tables.location(settings, table), pa.Table.from_pylist(rows, pa.schema(Schema.from_json(_schema(table).to_json()).to_arrow()))
    )
    labelled = store.training_set(table.full_name, purpose="risk", features=[NIGHT]).arrow
    assert labelled.select(["customer_key", "label", NIGHT]).to_pydict() == {"customer_key": [1, 2], "label": [0, 1], NIGHT: [0.1, 0.4]}
    with pytest.raises(
        UsageError, match=r"no spine \[features.rythm_v1\]; name .* a table of labels or features, such as \['features.rhythm_v1'"
    ):
        store.training_set("features.rythm_v1", purpose="risk")
    with pytest.raises(InputNotReadyError, match=r"\[features.label_value_12m\] does not exist"):
        store.training_set("features.label_value_12m", purpose="risk", features=[NIGHT])


@pytest.mark.parametrize(
    ("spine", "said"),
    [
        (SPINE.drop_columns(["as_of_date"]), r"needs the column \[customer_key\] and either \[as_of_date\] or \[timestamp\]; this one has"),
        (SPINE.append_column("timestamp", SPINE.column("as_of_date")), r"either \[as_of_date\] or \[timestamp\]"),
        (SPINE.set_column(0, "customer_key", pa.array([2, None, 1, 11, None, 3])), r"no \[customer_key\] in \[2\] of \[6\] rows, such as \[1, 4\]"),
        (SPINE.set_column(0, "customer_key", pa.array(list("abcdef"))), r"\[customer_key\] is \[string\]; it has to be the integer"),
        (pd.DataFrame({"customer_key": [2, None, 1], "as_of_date": [DECEMBER] * 3}), r"no \[customer_key\] in \[1\] of \[3\] rows, such as \[1\] .*; drop these rows"),
        (pd.DataFrame({"customer_key": [2.0, 1.0], "as_of_date": [DECEMBER] * 2}), r"\[customer_key\] is \[double\]; .* cast it"),
        (pa.table({"customer_key": [1], "timestamp": [datetime(2026, 1, 1)]}), r"is \[timestamp\[us\]\], without a zone.*; give instants, such as by"),
        (pa.table({"customer_key": [1], "as_of_date": [datetime(2026, 1, 1)]}), r"a business date is a date"),
        (SPINE.rename_columns(["customer_key", "as_of_date", NIGHT]), r"has columns \['rhythm__night_share_90d'\], which the training set adds"),
        (SPINE.append_column("FEATURES_OF", SPINE.column("outcome")), r"has columns \['FEATURES_OF'\], .* \(capitals make no difference\); rename"),
        (SPINE.append_column(NIGHT.upper(), SPINE.column("outcome")), r"has columns \['RHYTHM__NIGHT_SHARE_90D'\], which the training set adds"),
        (SPINE.append_column("Outcome", SPINE.column("outcome")), r"called alike: \['outcome'\]"),
        ({"customer_key": 1}, r"can't be a \[dict\]"),
        ("nowhere.parquet", r"There is no spine \[nowhere.parquet\]; name a file, the folder"),
    ],
)  # fmt: skip
def test_what_is_no_spine(store: FeatureStore, settings: Settings, spine: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        store.training_set(spine, purpose="risk", features=[NIGHT])
    assert not (settings.home / "training_sets").exists()


def test_a_composite_key_is_no_text(settings: Settings) -> None:
    """Customer 1 of the 11th and customer 11 of the 1st would be one row where key and day are put together as text, however they are."""
    eleventh, first = date(2025, 12, 11), date(2025, 12, 1)
    publish(
        settings,
        RHYTHM,
        NIGHT,
        [(1, eleventh, 0, 0, 0.1), (11, first, 0, 0, 0.2), (1, first, 0, 0, 0.3), (11, eleventh, 0, 0, 0.4), (1202512, first, 0, 0, 0.5)],
    )
    rows = [(1, eleventh), (11, first), (1, first), (11, eleventh), (1202512, first), (12, first), (-1, first), (11, eleventh)]
    spine = pa.table({"customer_key": [key for key, _ in rows], "as_of_date": [day for _, day in rows]})
    drawn = FeatureStore(settings).training_set(spine, purpose="risk", features=[NIGHT]).arrow
    assert drawn.column(NIGHT).to_pylist() == [0.1, 0.2, 0.3, 0.4, 0.5, None, None, 0.4]


def test_whatever_a_column_is_called_it_is_carried_along(store: FeatureStore, settings: Settings) -> None:
    spine = SPINE.rename_columns(["customer_key", "as_of_date", "the \"one\"; 'two' -- 三"]).append_column("row__", SPINE.column("outcome"))
    drawn = store.training_set(spine, purpose="risk", features=[NIGHT])
    assert drawn.arrow.select(spine.column_names).equals(spine)
    assert drawn.arrow.column(NIGHT).to_pylist() == [0.4, 0.1, 0.5, 0.7, 0.4, None]
    assert store.draw_again(drawn.receipt.receipt).arrow.equals(drawn.arrow)


@pytest.mark.parametrize("form", ["parquet", "csv", "delta"])
def test_a_file_that_is_no_spine(store: FeatureStore, settings: Settings, tmp_path: Path, form: str) -> None:
    given = tmp_path / f"spine.{form}"
    match form:
        case "delta":
            given.mkdir()
            kind = "Delta table"
        case "csv":
            given.write_text("customer_key,as_of_date\n1,2025-12-31,7\n", encoding="utf-8")
            kind = "CSV file"
        case _:
            given.write_bytes(b"no parquet at all")
            kind = "Parquet file"
    with pytest.raises(UsageError, match=rf"The spine \[.*spine.{form}\] can't be read as a {kind}: .+; give a .parquet or .csv file"):
        store.training_set(given, purpose="risk", features=[NIGHT])


# --- receipts -------------------------------------------------------------------------------------------------------


def test_a_receipt_gives_the_same_again_whatever_was_corrected_since(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT, REGION], as_known_at=known(3))
    publish(settings, RHYTHM, NIGHT, [(2, DECEMBER, 1, 4, 0.9)])
    assert store.training_set(SPINE, purpose="risk", features=[NIGHT]).arrow.column(NIGHT).to_pylist()[0] == 0.9
    again = store.draw_again(first.receipt.receipt)
    assert again.arrow.equals(first.arrow)
    assert (again.receipt.receipt, again.receipt.result) == (first.receipt.receipt, first.receipt.result)
    assert again.receipt.versions["features.rhythm_v1"] > first.receipt.versions["features.rhythm_v1"]


def test_a_receipt_keeps_its_dates_whatever_is_stored_since(settings: Settings) -> None:
    publish(settings, RHYTHM, NIGHT, [(1, NOVEMBER, 0, 0, 0.1)])
    store, spine = FeatureStore(settings), pa.table({"customer_key": [1], "as_of_date": [JANUARY]})
    first = store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=100)
    # A backfill that began before the set was drawn, and was committed after it.
    publish(settings, RHYTHM, NIGHT, [(1, DECEMBER, 0, 0, 0.3)])
    assert store.training_set(spine, purpose="risk", features=[NIGHT], max_age_days=100).arrow.column("features_of").to_pylist() == [
        DECEMBER
    ]
    again = store.draw_again(first.receipt.receipt)
    assert again.arrow.equals(first.arrow)
    assert (again.receipt.receipt, again.receipt.features_of) == (first.receipt.receipt, {str(JANUARY): str(NOVEMBER)})
    tables.log(settings, RHYTHM.table).delete(f"as_of_date = '{NOVEMBER}'")  # type: ignore[union-attr]
    with pytest.raises(
        DataRejectedError, match=r"dates that were stored then are no more: .* rows \[0\] for \['2026-01-31'\].*Draw a new set"
    ):
        store.draw_again(first.receipt.receipt)


def test_a_receipt_outlives_revisions_compaction_and_vacuum(
    settings: Settings, context_for: Callable[..., JobContext], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And of a date that housekeeping has dropped it says so."""
    publish(settings, RHYTHM, NIGHT, [(1, DECEMBER, 0, 0, 0.3), (1, NEW_YEAR, 0, 0, 0.6)])
    publish(settings, RHYTHM, NIGHT, [(2, DECEMBER, 0, 0, 0.4)])
    store, spine = FeatureStore(settings), pa.table({"customer_key": [1, 2], "as_of_date": [DECEMBER, DECEMBER]})
    first = store.training_set(spine, purpose="risk", features=[NIGHT], as_known_at=known(3))
    daily = store.training_set(pa.table({"customer_key": [1], "as_of_date": [NEW_YEAR]}), purpose="risk", features=[NIGHT])
    publish(settings, RHYTHM, NIGHT, [(2, DECEMBER, 1, 4, 0.9)])
    read = {Path(file).name for file in tables.log(settings, RHYTHM.table).file_uris()}  # type: ignore[union-attr]
    monkeypatch.setattr(maintain, "every_table", lambda settings: (RHYTHM.table,))
    monkeypatch.setattr(maintain, "feature_tables", lambda: (RHYTHM.table,))
    retention = settings.retention.model_copy(update={"optimize_min_files": 1})
    report = maintain.JOB.run(replace(context_for("maintain", FEBRUARY), settings=settings.model_copy(update={"retention": retention})))
    assert (report.rows["rows_dropped"], report.rows["files_packed"]) == (1, 2)
    # What the job removes a week later: nothing of what was read is left.
    tables.log(settings, RHYTHM.table).vacuum(0, dry_run=False, enforce_retention_duration=False)  # type: ignore[union-attr]
    assert not read & {file.name for file in Path(tables.location(settings, RHYTHM.table)).rglob("*.parquet")}
    assert store.draw_again(first.receipt.receipt).arrow.equals(first.arrow)

    monkeypatch.setenv("KEQUN_HOME", str(settings.home))
    assert kequn.main(["training-set", "--receipt", daily.receipt.receipt, "--out", str(settings.home / "again.parquet")]) == 20
    said = capsys.readouterr().err
    assert f"Receipt [{daily.receipt.receipt}] can't be drawn again, as dates that were stored then are no more: [1] of [1] rows" in said
    assert "Draw a new set" in said
    assert list(settings.home.glob("*again*")) == []


def test_a_receipt_whose_rows_were_erased_says_so(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    tables.log(settings, RHYTHM.table).delete("customer_key = 2")  # type: ignore[union-attr]
    with pytest.raises(
        DataRejectedError, match=rf"Receipt \[{first.receipt.receipt}\] can't be drawn again: .* rows of its dates were erased"
    ):
        store.draw_again(first.receipt.receipt)
    shutil.rmtree(tables.location(settings, RHYTHM.table))
    # Trimmed as a whole: nothing to wait for.
    with pytest.raises(DataRejectedError, match=r"dates that were stored then are no more: .* stored at \[.*\] are none"):
        store.draw_again(first.receipt.receipt)


def test_a_receipt_of_another_meaning_says_so(store: FeatureStore, settings: Settings) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    path = settings.home / "training_sets" / first.receipt.receipt / "receipt.json"
    told = json.loads(path.read_text(encoding="utf-8")) | {"spec_hashes": {"features.rhythm_v1": "earlier"}, "result": "other"}
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"the meaning of \['features.rhythm_v1'\] has changed since"):
        store.draw_again(first.receipt.receipt)


@pytest.mark.parametrize("spoilt", ["receipt.json", "spine.parquet"])
def test_a_receipt_that_is_not_whole_says_so(store: FeatureStore, settings: Settings, spoilt: str) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    folder = settings.home / "training_sets" / first.receipt.receipt
    assert sorted(path.name for path in folder.iterdir()) == ["receipt.json", "spine.parquet"]  # no draft is left
    for spoil in (lambda path: path.write_bytes(path.read_bytes()[:40]), Path.unlink):
        if spoilt == "receipt.json" and spoil is Path.unlink:
            continue  # then there is no receipt
        spoil(folder / spoilt)
        with pytest.raises(
            DataRejectedError, match=rf"Receipt \[{first.receipt.receipt}\] in .* can't be read: .*; restore its files, or draw"
        ):
            store.draw_again(first.receipt.receipt)


def test_what_is_written_is_whole_or_not_there(tmp_path: Path) -> None:
    def half(draft: Path) -> None:
        draft.write_bytes(b"half")
        raise OSError("No space left on device")

    with (
        pytest.raises(ConfigurationError, match=r"set.parquet\] can't be written: No space left on device; look for"),
        whole(tmp_path / "set.parquet") as draft,
    ):
        half(draft)
    assert list(tmp_path.iterdir()) == []
    killed = "import os, pathlib; from jobs.serving.drawn import whole; w = whole(pathlib.Path('set.parquet')); w.__enter__().write_bytes(b'half'); os._exit(9)"
    root = str(Path(__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, env={"PYTHONPATH": root}, check=False).returncode == 9
    assert not (tmp_path / "set.parquet").exists()
    with whole(tmp_path / "set.parquet") as draft:
        draft.write_bytes(b"whole")
    assert (tmp_path / "set.parquet").read_bytes() == b"whole"


def test_table_files_that_are_gone_are_told(store: FeatureStore, settings: Settings) -> None:
    for file in Path(tables.location(settings, RHYTHM.table)).rglob("*.parquet"):
        file.unlink()
    for ask in (
        lambda: store.training_set(SPINE, purpose="risk", features=[NIGHT]), lambda: store.read(DECEMBER, purpose="risk", features=[NIGHT]),
        lambda: store.history(1, purpose="risk", features=[NIGHT]),
    ):  # fmt: skip
        with pytest.raises(InvariantError, match=r"A table lacks files that its log names, .*rhythm_v1.*; ask again, .* `kequn features"):
            ask()


def test_an_unknown_receipt_names_those_that_there_are(store: FeatureStore) -> None:
    first = store.training_set(SPINE, purpose="risk", features=[NIGHT])
    with pytest.raises(
        UsageError, match=rf"There is no receipt \[x\] in .*; there are \[1\], such as \['{first.receipt.receipt}'\]; a set's number"
    ):
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
    # In brief: the names of all features and the versions of all tables are in the file.
    whole = json.loads((Path(receipt["kept_in"]) / "receipt.json").read_text(encoding="utf-8"))
    assert {name: receipt[name] for name in ("receipt", "known_at", "purpose", "rows", "computed")}.items() <= whole.items()
    assert (whole["features"], receipt["features"], receipt["rows"], receipt["features_of"]) == (
        [NIGHT],
        1,
        6,
        [str(NOVEMBER), str(DECEMBER)],
    )
    assert pq.read_table(tmp_path / "set.parquet").column(NIGHT).to_pylist() == [0.4, 0.1, 0.3, 0.7, 0.4, None]
    assert kequn.main(["training-set", "--receipt", receipt["receipt"], "--out", str(tmp_path / "again.parquet")]) == 0
    assert pq.read_table(tmp_path / "again.parquet").equals(pq.read_table(tmp_path / "set.parquet"))
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["again.parquet", "set.parquet", "spine.parquet"]
    # A table by name, a group, and out to Delta.
    group = ["training-set", "--spine", "features.rhythm_v1", "--features", "rhythm", "--purpose", "risk", "--out", str(tmp_path / "delta")]
    assert kequn.main(group) == 0
    written = DeltaTable(tmp_path / "delta").to_pyarrow_table()
    assert {name for name, (of, _) in catalogue.FEATURES.items() if of.name == "rhythm"} >= set(written.column_names[3:]) > {NIGHT}
    assert written.sort_by("customer_key").column(NIGHT).to_pylist()[-2:] == [0.4, 0.7]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (["--out", "spine.parquet"], 2, "[spine.parquet] is there already; name another --out"),
        (["--out", "nowhere/set.parquet"], 2, "There is no folder [nowhere] to put [set.parquet] into; make it, or name another --out"),
        (["--out", "spine.parquet/set.parquet"], 2, "There is no folder [spine.parquet]"),
        (["--out", "set", "--receipt", "1"], 2, "Give either --spine SPINE and --purpose PURPOSE, or --receipt NUMBER"),
        (["--out", "set", "--max-age-days", "-1"], 2, "max_age_days is [-1]; give 0 for the date itself, or more"),
        (["--out", "set", "--as-known-at", "yesterday"], 2, "--as-known-at [yesterday] is no ISO instant"),
        (["--out", "set", "--as-known-at", "2026-01-01T06:00:00"], 2, "has no zone; give one"),
        (["--out", "set", "--spine", "broken.parquet"], 2, "The spine [broken.parquet] can't be read as a Parquet file"),
        (["--out", "set", "--features", "rhythm__nigt_share_90d"], 2, "nearest: {'rhythm__nigt_share_90d': ['rhythm__night_share_90d'"),
        (["--out", "set", "--as-known-at", "2026-01-31T00:00:00Z"], 30, "[6] of [6] rows ask for dates without stored features"),
    ],
)
def test_a_refused_command_leaves_nothing_behind(
    store: FeatureStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    wrong: list[str], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("KEQUN_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    pq.write_table(SPINE, "spine.parquet")
    Path("broken.parquet").write_bytes(b"no parquet at all")
    before = sorted(tmp_path.rglob("*"))
    assert kequn.main(["training-set", "--spine", "spine.parquet", "--features", NIGHT, "--purpose", "risk", *wrong]) == code
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err
    assert sorted(tmp_path.rglob("*")) == before


# --- against the twin -----------------------------------------------------------------------------------------------

# Customer × date: the hour at which it was known, and the value.
PUBLISHED = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from(DAYS)), st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12
)
ASKED = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 70).map(lambda days: NOVEMBER + timedelta(days=days))), min_size=1, max_size=12
)


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    published=PUBLISHED, asked=ASKED, max_age_days=st.sampled_from([0, 31, 60, 90]), hour=st.one_of(st.none(), st.integers(0, 3))
)
def test_every_row_equals_the_twin(
    tmp_path_factory: pytest.TempPathFactory, published: Any, asked: Any, max_age_days: int, hour: int | None
) -> None:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("bank"))})
    publish(settings, RHYTHM, NIGHT, [(customer, day, 0, at, float(value)) for (customer, day), (at, value) in published.items()])
    spine = pa.table({"customer_key": [customer for customer, _ in asked], "as_of_date": [day for _, day in asked]})
    seen = {key: float(value) for key, (at, value) in published.items() if hour is None or at <= hour}
    stored = {day for _, day in seen}
    how: Any = {"purpose": "risk", "features": [NIGHT], "max_age_days": max_age_days, "as_known_at": None if hour is None else known(hour)}
    # The newest date not after the row's that was stored by then, if it is young enough; then the customer's row of that very date, or nothing.
    sees = [max((of for of in stored if timedelta(0) <= day - of <= timedelta(days=max_age_days)), default=None) for _, day in asked]
    if None in sees:
        with pytest.raises(InputNotReadyError):
            FeatureStore(settings).training_set(spine, **how)
        return
    drawn = FeatureStore(settings).training_set(spine, **how).arrow
    assert drawn.column("features_of").to_pylist() == sees
    assert drawn.column(NIGHT).to_pylist() == [seen.get((customer, of)) for (customer, _), of in zip(asked, sees, strict=True)]
