"""Generated documents say what the code declares, and the check is able to fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs import docs
from jobs.errors import DataRejectedError


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return docs.generated()


def test_stored_documents_are_up_to_date(documents: dict[str, str]) -> None:
    docs.check(documents, docs.DOCS)


def test_a_stale_document_is_shown_with_its_difference(
    documents: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs.write(documents, tmp_path)
    docs.check(documents, tmp_path)
    (tmp_path / "features.md").write_text("# Features\n", encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"\['features.md'\] are stale"):
        docs.check(documents, tmp_path)
    assert "+# Features 特征目录" in capsys.readouterr().out


def test_a_contract_that_is_no_longer_declared_goes(documents: dict[str, str], tmp_path: Path) -> None:
    docs.write(documents, tmp_path)
    left_over = tmp_path / "contracts" / "gone.odcs.yaml"
    left_over.write_text("kind: DataContract\n", encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"gone\.odcs"):
        docs.check(documents, tmp_path)
    docs.write(documents, tmp_path)
    assert not left_over.exists()


def test_every_table_and_feature_is_in(documents: dict[str, str]) -> None:
    from features.catalogue import FEATURES

    assert all(f"## {table.full_name.replace('<', '&lt;')}\n" in documents["data_dictionary.md"] for table in docs.tables())
    assert all(f"`{name}`" in documents["features.md"] for name in FEATURES)


def test_links_within_the_dictionary_lead_somewhere(documents: dict[str, str]) -> None:
    text = documents["data_dictionary.md"]
    headings = {docs._anchor(line[3:].replace("&lt;", "<")) for line in text.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_the_glossary_knows_the_words_of_the_marts() -> None:
    glossary = (docs.DOCS / "glossary.md").read_text(encoding="utf-8")
    assert [
        word for word in ("as-of date", "suppression", "quarantine", "asset tier", "champion", "tombstone") if word not in glossary.lower()
    ] == []
