"""Source mappings: their form, what their expressions say, and what a wrong one is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf import sources, waivers
from conf.settings import CONF, SettingsError
from expectations.contracts import core
from expectations.contracts.types import Sensitivity
from jobs.errors import ConfigurationError
from jobs.ingest import expressions, keys, plan
from jobs.ingest.functions import Functions

FUNCTIONS = Functions(
    source="bank", time_zone="Asia/Shanghai", cut_off="23:00", base_currency="CNY", date_format="yyyy-MM-dd", time_format="yyyy-MM-dd HH:mm:ss",
    decimal=".", grouping="",
)  # fmt: skip


def _written(folder: Path, change: dict[str, Any]) -> Path:
    """A folder with conf/sources/small.yml: products only, with `change` laid over the feed."""
    content = yaml.safe_load((CONF / "sources" / "bank.yml").read_text(encoding="utf-8"))
    content["feeds"] = {"products": {**content["feeds"]["products"], **change}}
    (folder / "sources").mkdir()
    (folder / "sources" / "small.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["bank", "berka"])
def test_every_mapping_fills_its_tables(name: str) -> None:
    mapping = plan.read_mapping(name)
    planned = [target for group in sources.GROUPS for target in plan.targets(mapping, group)]
    assert planned
    assert all(set(one.columns) - {"is_deleted"} == {column.name for column in one.table.columns} for one in planned)
    told = {one.table.name for one in planned if one.tells_deleted}
    assert told == ({"transaction", "channel_event", "account_party"} if name == "bank" else set())


def test_the_bank_fills_every_core_table_that_it_can_deliver() -> None:
    mapping = plan.read_mapping("bank")
    filled = {target.table.full_name for group in sources.GROUPS for target in plan.targets(mapping, group)}
    assert {table.full_name for table in core.TABLES} - filled == {"core.standing_order", "core.debit_card"}


@pytest.mark.parametrize("name", ["bank", "berka"])
def test_personal_text_reaches_open_tables_as_keyed_hashes_only(name: str) -> None:
    """A value of a closed set (a gender from a birth number) names nobody."""
    mapping = plan.read_mapping(name)
    planned = [target for group in sources.GROUPS for target in plan.targets(mapping, group) if not target.table.restricted]
    made = [
        (f"{one.feed_name} -> {one.table.full_name}.{column.name}", column, one.columns[column.name].calls)
        for one in planned
        for column in one.table.columns
        if one.columns[column.name].raw & set(one.feed.personal)
    ]
    assert [where for where, column, calls in made if column.type == "string" and not column.one_of and "entity_key" not in calls] == []
    assert [where for where, column, calls in made if "entity_key" in calls and column.sensitivity is Sensitivity.C1] == []


def test_an_unknown_key_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"feeds.products.colums.*known keys are \['bulk', 'columns'"):
        sources.load("small", folder=_written(tmp_path, {"colums": ["a"]}))


def test_an_unknown_mapping_is_told_which_there_are() -> None:
    with pytest.raises(SettingsError, match=r"No source mapping \[banc\].*'bank', 'berka'"):
        sources.load("banc")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"core.produkt": {"columns": {}}}, r"no table \[core.produkt\]; did you mean \['core.product'\]"),
        ({"core.product": {"columns": {"colour": "name_en"}}}, r"unknown columns \['colour'\].*'title_zh'"),
        (
            {
                "core.product": {
                    "columns": {"product_code": "family", "family": "to_day()", "title_en": "1", "title_zh": "1", "is_asset": "1"}
                }
            },
            r"column \[family\].*\[to_day\] takes \['text'\].*owner\(account_key, date\)",
        ),
    ],
)
def test_a_target_that_the_contracts_refuse(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    mapping = sources.load("small", folder=_written(tmp_path, {"targets": columns}))
    with pytest.raises(ConfigurationError, match=message):
        plan.targets(mapping, "reference")


def test_columns_that_stand_on_each_other_in_a_circle(tmp_path: Path) -> None:
    columns = {"product_code": "title_en", "family": "family", "title_en": "product_code_", "title_zh": "name_zh", "is_asset": "true"}
    columns |= {"product_code": "upper(title_en)", "title_en": "upper(title_zh)", "title_zh": "upper(title_en)"}
    mapping = sources.load("small", folder=_written(tmp_path, {"targets": {"core.product": {"columns": columns}}}))
    with pytest.raises(ConfigurationError, match="in a circle"):
        plan.targets(mapping, "reference")


def test_delivered_columns_come_before_targets_and_types_stay_types() -> None:
    expanded = expressions.expand("coalesce(date, cast(null as date), date '1993-01-01', occurred_at)", raw=["date"], functions=FUNCTIONS)
    assert expanded.sql == "coalesce(`raw__date`, cast(null as date), date '1993-01-01', occurred_at)"
    assert expanded.raw == {"date"}
    assert "occurred_at" in expanded.names


def test_quoted_text_is_left_alone() -> None:
    expanded = expressions.expand("case kind when 'kind, it''s (' then kind end", raw=["kind"], functions=FUNCTIONS)
    assert expanded.sql == "case `raw__kind` when 'kind, it''s (' then `raw__kind` end"


def test_owner_is_a_join_and_its_arguments_may_be_calls() -> None:
    expanded = expressions.expand("owner(entity_key('account', acct_no), to_day(due))", raw=["acct_no", "due"], functions=FUNCTIONS)
    (lookup,) = expanded.lookups
    assert (lookup.of, expanded.sql) == ("owner", expressions.lookup_column(lookup))
    assert lookup.keys[1] == "try_to_date(`raw__due`, 'yyyy-MM-dd')"


def test_the_secret_is_not_spelled_in_expressions() -> None:
    assert keys.DEVELOPMENT_KEY not in expressions.expand("entity_key('customer', no)", raw=["no"], functions=FUNCTIONS).sql


def test_a_bulk_source_covers_its_history_only() -> None:
    mapping = sources.load("berka")
    assert mapping.covered(date(1994, 3, 30), date(1995, 4, 20)) == [
        date(1994, 3, 30),
        date(1994, 3, 31),
        date(1995, 4, 19),
        date(1995, 4, 20),
    ]


def test_the_gap_of_berka_is_waived_and_nothing_else() -> None:
    excused = waivers.load("berka", today=date(2026, 1, 1))
    assert any(one.covers(check="delivery", feed="transactions", day=date(1994, 6, 1)) for one in excused)
    assert not any(one.covers(check="delivery", feed="transactions", day=date(1995, 4, 19)) for one in excused)


def test_an_expired_waiver_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"expired waivers of \[berka\].*data-engineering"):
        waivers.load("berka", today=date(2040, 1, 1))


def test_calendars_know_working_days() -> None:
    cn = sources.calendar("cn")
    assert not cn.is_working_day(date(2026, 1, 1))  # New Year's Day
    assert cn.is_working_day(date(2025, 12, 31))
    assert all(sources.calendar("every_day").is_working_day(date(2026, 1, day)) for day in range(1, 8))
