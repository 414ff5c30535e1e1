"""What a landed file's bytes alone tell: its encoding, keys of JSON lines, rows that the manifest keeps to itself."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf import sources
from conf.sources import Feed
from jobs.ingest import files
from jobs.ingest import landing as landings
from jobs.ingest.landing import LandedFile
from jobs.ingest.refusal import DeliveryRejectedError
from tests.fixtures.landing import content, deliver, file_name

FEED = Feed(group="channel", format="json", columns=("id", "name", "at"), targets={})
ROW = {"id": "1", "name": "张", "at": "2026-01-01"}
TEXT = st.text(alphabet='ab"\\:{} \n张', max_size=6)


DAY = date(2026, 1, 5)
GB18030 = Feed(group="reference", format="csv", encoding="GB18030", columns=("no", "name"), targets={})


def broken(landing: Path, feed: str) -> list[tuple[str, str]]:
    """Rules that the feed's delivery of DAY breaks before a row of it is read, and what is said of each."""
    mapping = sources.load("bank")
    feeds = {feed: mapping.feeds[feed]}
    try:
        landings.verify(landings.discover(landing, feeds=feeds, days=[DAY], waivers=()), feeds, source="bank")
    except DeliveryRejectedError as refused:
        return [(one.rule, one.said) for one in refused.breaches]
    return []


def problems(tmp_path: Path, *lines: str) -> list[str]:
    content = "".join(f"{line}\n" for line in lines).encode()
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    file = LandedFile(path=path, rows=len(lines), sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    return [one.said for one in files.problems(file, FEED)]


@pytest.mark.parametrize("name", ["张", "苏怡", "欧阳修", "𠮷野"])
def test_a_single_chinese_name_tells_the_encoding(tmp_path: Path, name: str) -> None:
    def told(encoding: str) -> list[str]:
        content = f"no,name\nC1,{name}\n".encode(encoding)
        path = tmp_path / "customers.csv"
        path.write_bytes(content)
        landed = LandedFile(path=path, rows=1, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        return [problem.said for problem in files.problems(landed, GB18030)]

    assert told("gb18030") == []
    assert told("utf-8") == ["is written in UTF-8, the mapping says encoding [GB18030]"]


@pytest.mark.parametrize("feed", ["transactions", "customers", "consents"])  # Parquet, CSV, JSON
@pytest.mark.parametrize("rows", [0, 2])
def test_a_file_that_is_said_to_be_empty_is(tmp_path: Path, feed: str, rows: int) -> None:
    """It is not read, so nobody would miss its rows."""
    deliver(tmp_path, feed, DAY, [{}] * rows, raw=content(feed, [{"cust_no": "C1"}] * rows), file_rows=0)
    assert broken(tmp_path, feed) == (
        [("no_rows_means_none", f"[{feed}/business_date={DAY}/{file_name(feed)}]: holds rows, the manifest says [0]")] if rows else []
    )


def test_a_file_beside_a_manifest_that_names_none_is_told(tmp_path: Path) -> None:
    folder = deliver(tmp_path, "consents", DAY)
    assert broken(tmp_path, "consents") == []
    (folder / "part-001.jsonl").write_bytes(content("consents", [{"cust_no": "C1"}]))
    said = f"[consents/business_date={DAY}]: holds ['part-001.jsonl'], which the manifest does not name"
    assert broken(tmp_path, "consents") == [("files_are_named", said)]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"name": "../business_date=2026-01-04/part-000"}, "files.0.name"),  # its rows would be of another date
        ({"name": "/part-000"}, "files.0.name"),
        ({"rows": -1}, "files.0.rows"),
    ],
)
def test_a_manifest_tells_of_files_in_its_own_folder(tmp_path: Path, file: dict[str, Any], said: str) -> None:
    entry = {"name": "part-000", "rows": 1, "sha256": "0", "bytes": 1, **file}
    deliver(tmp_path, "consents", DAY, files=[entry])
    ((rule, text),) = broken(tmp_path, "consents")
    assert rule == "manifest_is_readable"
    assert said in text


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(ROW),
        json.dumps(dict(reversed(ROW.items())), ensure_ascii=False),
        json.dumps({"id": "2"}),  # left out is empty: for row rules to judge
        json.dumps({**ROW, "name": 'says "at": now, "why": never'}),  # looks like a key
        '{"id" : "2", "name"\t:"x", "at": null}',
        '{"id": "2", "name": ',  # no object: a row's fault
        "[1, 2]",
    ],
)
def test_lines_whose_keys_are_known_pass(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, json.dumps(ROW), line, json.dumps(ROW)) == []


@pytest.mark.parametrize("line", [json.dumps({**ROW, "why": "x"}), '{"id": "2", "why" : 1}', json.dumps({"why": {"id": 1, "at": 2}})])
def test_a_key_that_no_column_takes_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, json.dumps(ROW), json.dumps(ROW), line) == [
        "line [3] has keys ['why'] that no column takes; expected ['id', 'name', 'at']"
    ]


@given(rows=st.lists(st.dictionaries(st.one_of(st.sampled_from(FEED.columns), TEXT), TEXT, max_size=4), max_size=6))
def test_keys_are_found_as_by_taking_every_line_apart(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(ROW), *(json.dumps(row, ensure_ascii=False) for row in rows)]
    unknown = [number for number, row in enumerate(rows, start=2) if set(row) - set(FEED.columns)]
    found = problems(tmp_path_factory.mktemp("files"), *lines)
    assert [one.partition(" has keys")[0] for one in found] == [f"line [{number}]" for number in unknown[:1]]
