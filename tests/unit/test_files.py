"""What a landed file's bytes alone tell: keys of JSON lines."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.sources import Feed
from jobs.ingest import files
from jobs.ingest.landing import LandedFile

FEED = Feed(group="channel", format="json", columns=("id", "name", "at"), targets={})
ROW = {"id": "1", "name": "张", "at": "2026-01-01"}
TEXT = st.text(alphabet='ab"\\:{} \n张', max_size=6)


GB18030 = Feed(group="reference", format="csv", encoding="GB18030", columns=("no", "name"), targets={})


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
