"""What bad input gets from the feature engine: a message that helps, its exit code, and nothing half-written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conf import sources
from conf.settings import Settings
from expectations.contracts import ops
from features import catalogue, engine
from features.spec import Feature, FeatureGroup
from jobs import __main__ as kequn
from jobs import ledger, tables
from jobs.build import features_command, tile_store, window_states
from jobs.build.facts import Facts
from jobs.build.wide import wide_features
from jobs.context import JobContext
from jobs.errors import ConfigurationError, DataRejectedError, KequnError
from jobs.serving.spines import last_whole_days
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build

ROOT = Path(__file__).parents[2]
Contexts = Callable[..., JobContext]

JAN_31, FEB_01, FEB_02, FEB_03, FEB_04, FEB_05 = date(2026, 1, 31), *(date(2026, 2, day) for day in range(1, 6))
EVERY = catalogue.GROUPS
TRANSACTION = catalogue.TILED[0]
RHYTHM = next(group for group in catalogue.GROUPS if group.name == "rhythm")
PLAIN = Feature(
    name="plain", title="Plain", title_zh="平", description="A plain number", unit="days", type="bigint", sql="transaction_out_30d"
)
GIVEN = {
    "customers": "customer_key\n1",
    "accounts": "account_key\n1",
    "account_parties": "account_key\n1",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | business_date | amount
        a              | 2026-01-20    | 10
        b              | 2026-01-31    | 20
    """,
}  # fmt: skip
TONIGHT = {"transactions": "transaction_id | business_date | amount\nc | 2026-02-01 | 30"}


def of(*features: Feature) -> FeatureGroup:
    return replace(RHYTHM, declared=features)


def told_by_the_newest(settings: Settings) -> dict[str, Any]:
    return ledger.figures_of_newest(settings, "features")


def stored(settings: Settings) -> dict[str, int]:
    """Versions of all tables of features, and of the facts about runs."""
    made = [
        *(source.table for source in catalogue.TILED),
        catalogue.WINDOW_STATE,
        *(group.table for group in catalogue.versions()),
        *ops.TABLES,
    ]
    return {table.full_name: tables.version(settings, table) for table in made}


def refused(context: JobContext, kind: type[KequnError], code: int, said: str) -> None:
    """The job ends so, and no table of features is another one than before."""
    before = stored(context.settings)
    with pytest.raises(kind) as error:
        features_command.build(context)
    assert error.value.exit_code == code
    assert re.search(said, str(error.value)), str(error.value)
    assert stored(context.settings) == before


# --- files that can't be read, by the command ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("declared=(", "declared=((", r"\[features/groups/rhythm.py, line \d+\] can't be read: SyntaxError: '\(' was never closed"),
        ('unit="share", windows=(90,),', 'units="share",', r"line \d+\] can't be read: TypeError: .* unexpected keyword argument 'units'"),
        ("HOURS, WEEKDAYS", "HOURS, WEAKDAYS", r"\[features/groups/rhythm.py, line \d+\] can't be read: ImportError: cannot import name 'WEAKDAYS'"),
        ("entropy(_HOURS)", "entropy(_HOUR)", r"line \d+\] can't be read: NameError: name '_HOUR' is not defined"),
    ],
    ids=["syntax", "unknown field", "unknown import", "unknown name"],
)  # fmt: skip
def test_a_feature_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    for room in ("features", "jobs", "conf", "expectations"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    broken = tmp_path / "features" / "groups" / "rhythm.py"
    text = broken.read_text(encoding="utf-8")
    assert old in text
    broken.write_text(text.replace(old, new, 1), encoding="utf-8")
    environment = {**os.environ, "KEQUN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "jobs", "features", "--as-of", "2026-01-31"]
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 10, ran.stderr
    assert re.fullmatch(rf"kequn features: {'' if said.startswith(chr(92)) else '.*'}{said}.*; mend the declaration\n", ran.stderr), (
        ran.stderr
    )
    assert not (tmp_path / "home").exists()


def test_declarations_that_are_not_sound_end_the_command_before_a_jvm(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEQUN_HOME", str(settings.home))
    monkeypatch.setenv("JAVA_HOME", str(settings.home / "no-java"))
    declare(monkeypatch, [of(replace(PLAIN, sql="floor(rand() * 10)"), replace(PLAIN, name="far", sql="transaction_out_400d"))])
    assert kequn.main(["features", "--as-of", "2026-01-31"]) == 10
    said = capsys.readouterr().err
    assert "kequn features: features/catalogue.py declares what can't be computed: [rhythm_v1__plain] says [rand]" in said
    assert "[rhythm_v1__far] looks back [400] days, day tiles are kept for [365]" in said
    # Segments and labels are looked at as well.
    label = catalogue.LABELS[0]
    declare(monkeypatch, EVERY)
    monkeypatch.setattr(catalogue, "LABELS", (replace(label, outcome=f"case when rand() < 1 then {label.outcome} end"),))
    for job in ("labels", "segments"):
        assert kequn.main([job, "--as-of", "2026-01-31"]) == 10
        assert (
            f"kequn {job}: features/catalogue.py declares what can't be computed: [label {label.name}] says [rand]"
            in capsys.readouterr().err
        )
    assert not (settings.home / "warehouse").exists()


# --- expressions and facts --------------------------------------------------------------------------------------------


def test_expressions_that_cannot_be_computed_write_nothing(context_for: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    night = context_for("features", JAN_31)
    for sql, type_, said in (
        ("transaction_out_30d +", "bigint", r"\[rhythm__wrong\] = \[transaction_out_30d \+\]: .*PARSE_SYNTAX_ERROR.*; mend features/groups"),
        ("transaction_outs_30d", "bigint", r"\[rhythm__wrong\] = .*transaction_outs_30d"),
        ("case when transaction_out_30d > 0 then 'much' end", "double", r"\[rhythm__wrong\] is declared as \[double\], its expression gives \[string\]"),
        ("as_of_date", "int", r"is declared as \[int\], its expression gives \[date\]"),
        ("transaction_out_30d", "string", r"is declared as \[string\], its expression gives \[bigint\]"),
    ):  # fmt: skip
        declare(monkeypatch, [of(PLAIN, replace(PLAIN, name="wrong", sql=sql, type=type_))])
        refused(night, ConfigurationError, 10, said)
    # What only rows tell: the tiles are there and whole, the features are not.
    declare(monkeypatch, [of(replace(PLAIN, sql="100 div (transaction_out_30d - transaction_out_30d)"))])
    with pytest.raises(
        ConfigurationError,
        match=r"An expression of features/ fails on these facts: \[DIVIDE_BY_ZERO\].*; guard it, as features.finish.ratio",
    ) as error:
        features_command.build(night)
    assert error.value.exit_code == 10
    assert tables.version(night.settings, RHYTHM.table) == -1


def test_a_sum_that_overflows_is_rejected(context_for: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, [of(PLAIN)])
    most = 90_000_000_000_000_000  # units; in minor units 2^63 is a little more
    huge = f"transaction_id | business_date | amount\nx | 2026-01-30 | {most}\ny | 2026-01-30 | {most}"
    deliver(context_for("ingest"), GIVEN | {"transactions": huge}, datetime(2026, 1, 31))
    night = context_for("features", JAN_31)
    with pytest.raises(
        DataRejectedError,
        match=r"A sum of \['features.tile_transaction'\] does not fit 64 bits: .*; look for such amounts in \['core.transaction'\]",
    ) as error:
        features_command.build(night)
    assert error.value.exit_code == 20
    assert (tables.version(night.settings, RHYTHM.table), tables.log(night.settings, TRANSACTION.table).file_uris()) == (-1, [])  # type: ignore[union-attr]
    # A day's sum that fits, but whose sum over a year might not.
    deliver(
        context_for("ingest", generation=1),
        {"transactions": "transaction_id | business_date | amount\ny | 2026-01-30 | 1"},
        datetime(2026, 2, 1),
    )
    with pytest.raises(
        DataRejectedError,
        match=r"A sum of \['features.tile_transaction', 'features.month_tile_transaction'\] does not fit 64 bits: Column \[\w+\] of a day tile reaches \[\d+\]; its sum over 365 days",
    ):
        features_command.build(context_for("features", JAN_31, generation=1))
    assert tables.version(night.settings, RHYTHM.table) == -1


# --- tiles that are not what they were --------------------------------------------------------------------------------


def test_a_gap_in_the_tiles_is_closed_before_it_is_read(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(monkeypatch, [of(PLAIN)])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))
    recorded = tile_store.recorded(settings)
    assert recorded is not None
    assert recorded.true_until(settings, TRANSACTION) == JAN_31
    # Of other declarations: of this source nothing is trusted, of the others everything.
    other = replace(recorded, made_by=dict(recorded.made_by) | {TRANSACTION.name: "another"})
    assert [other.true_until(settings, source) for source in catalogue.TILED] == [date.min, JAN_31, JAN_31, JAN_31]

    # Somebody deletes tiles. The next night reads a whole year again, and is right.
    tables.log(settings, TRANSACTION.table).delete("business_date = '2026-01-20'")  # type: ignore[union-attr]
    assert recorded.true_until(settings, TRANSACTION) == date.min
    deliver(context_for("ingest", FEB_01), TONIGHT, datetime(2026, 2, 1))
    night = context_for("features", FEB_01)
    capsys.readouterr()
    build(night)
    because = "[features.tile_transaction] has commits since version [1] that do not tell which dates they touched"
    first = recorded.since["transaction"]
    assert told_by_the_newest(settings)["tiles"]["made_again"] == {"transaction": {"from": str(first), "because": because}}
    assert f"kequn features: day tiles of [transaction] were made again from [{first}] on: {because}\n" in capsys.readouterr().err
    rebuilt = engine.features_of(Facts(night, FEB_01, FEB_01).core(), [FEB_01], catalogue.GROUPS)
    assert wide_features(night, [FEB_01]).collect() == rebuilt.collect()
    assert [row["rhythm__plain"] for row in rebuilt.collect()] == [6000]
    # Housekeeping is no gap.
    tables.log(settings, TRANSACTION.table).optimize.compact()  # type: ignore[union-attr]
    after = tile_store.recorded(settings)
    assert after is not None
    assert after.true_until(settings, TRANSACTION) == FEB_01


def test_states_of_another_kind_are_not_rolled_and_it_is_said_why(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(monkeypatch, [of(PLAIN)])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))
    deliver(context_for("ingest", FEB_01), TONIGHT, datetime(2026, 2, 1))

    def expect(day: date, said: str) -> None:
        night = context_for("features", day)
        capsys.readouterr()
        build(night)
        anew = told_by_the_newest(settings)["states_made_anew"]
        assert len(anew) == (1 if said else 0)
        assert re.fullmatch(said, "".join(anew)), anew
        assert capsys.readouterr().err == "".join(f"kequn features: everybody's window states were made again: {one}\n" for one in anew)
        rebuilt = engine.features_of(Facts(night, day, day).core(), [day], catalogue.GROUPS)
        assert wide_features(night, [day]).collect() == rebuilt.collect()

    declare(monkeypatch, [of(PLAIN, replace(PLAIN, name="more", sql="transaction_out_{w}", windows=(7,)))])
    expect(FEB_01, r"those of \[2026-01-31\] are of layout \[\w+\], features ask for \[\w+\]")
    expect(FEB_02, "")
    tables.log(settings, catalogue.WINDOW_STATE).delete("as_of_date = '2026-02-02'")  # type: ignore[union-attr]
    expect(FEB_03, r"of the \[1\] states of \[2026-02-02\] \[0\] are left")
    # Code of other jobs makes no states: with it they are rolled. With their own they are not.
    code_version, code = ledger.code_version, window_states.made_by()
    monkeypatch.setattr(ledger, "code_version", lambda folders=None: code_version(folders) if folders else "another")
    expect(FEB_04, "")
    monkeypatch.setattr(ledger, "code_version", lambda _=None: "another")
    expect(FEB_05, rf"those of \[2026-02-04\] were made by code \[{code}\], this is \[another\]")


def test_files_that_are_gone_are_told(context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, [of(PLAIN)])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))
    for file in Path(tables.location(settings, TRANSACTION.table)).glob("month=*/*.parquet"):
        file.unlink()
    deliver(context_for("ingest", FEB_01), TONIGHT, datetime(2026, 2, 1))
    before = stored(settings)
    with pytest.raises(
        KequnError,
        match=r"Table \[features.tile_transaction\] lacks the file \[.*parquet\] that its log names: (.|\n)*`kequn features --force`",
    ) as error:
        features_command.build(context_for("features", FEB_01))
    assert error.value.exit_code == 70
    after = stored(settings)
    assert {name for name in before if after[name] != before[name]} <= {source.table.full_name for source in catalogue.TILED}


# --- a line more ------------------------------------------------------------------------------------------------------


def test_a_feature_more_is_a_column_more_and_earlier_dates_are_backfilled_by_group(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.store import FeatureStore

    def told(day: date) -> list[tuple[int, float | None]]:
        rows = FeatureStore(settings).read(day, purpose="risk", features=["rhythm"]).arrow.to_pylist()
        return [(row["rhythm__plain"], row["rhythm__more_7d"]) for row in rows]

    declare(monkeypatch, [of(PLAIN)])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_31))
    tiles = tables.version(settings, TRANSACTION.table)

    declare(monkeypatch, [of(PLAIN, replace(PLAIN, name="more", sql="transaction_out_{w}", windows=(7,)))])
    with pytest.raises(KequnError, match=r"Table \[features.rhythm_v1\] has no columns \['rhythm__more_7d'\] yet") as error:
        wide_features(context_for(), [JAN_31])
    assert error.value.exit_code == 30
    # Nothing happened since: no tile is made again. The stored date says null until it is asked for.
    build(context_for("features", FEB_01))
    assert tables.version(settings, TRANSACTION.table) == tiles
    assert (told(JAN_31), told(FEB_01)) == ([(3000, None)], [(3000, 2000)])
    build(context_for("features", JAN_31, generation=1))
    assert told(JAN_31) == [(3000, 2000)]
    first = FeatureStore(settings).read(JAN_31, purpose="risk", features=["rhythm"], revision="first").arrow.to_pylist()
    assert [row["rhythm__more_7d"] for row in first] == [None]


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_a_change_of_the_clock_moves_no_business_date() -> None:
    prague = sources.load("berka")  # midnight is the cut-off
    for instant, day in (
        ("2026-03-28T22:59:59", "2026-03-27"),  # 23:59:59 on the eve of summer time, an hour ahead of UTC
        ("2026-03-28T23:00:00", "2026-03-28"),
        ("2026-03-29T21:59:59", "2026-03-28"),  # the day of 23 hours ends an hour earlier
        ("2026-03-29T22:00:00", "2026-03-29"),
        ("2026-10-25T00:30:00", "2026-10-24"),  # half past two comes twice: the first time,
        ("2026-10-25T01:30:00", "2026-10-24"),  # and the second
        ("2026-10-25T22:59:59", "2026-10-24"),  # the day of 25 hours
        ("2026-10-25T23:00:00", "2026-10-25"),
    ):
        assert last_whole_days(pa.array([datetime.fromisoformat(instant).replace(tzinfo=UTC)]), prague).to_pylist() == [
            date.fromisoformat(day)
        ], instant
