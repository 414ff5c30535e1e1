"""Is the architecture still true? Read from the source text and its syntax trees; no Spark, seconds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("conf", "expectations", "features", "jobs", "dags")
SOURCES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))
TOP_LEVEL = {
    "dags", "jobs", "features", "expectations", "conf", "tests", "docs", "benchmarks", "pyproject.toml", "Makefile", "README.md",
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "requirements.lock", ".ci", ".gitignore", ".pre-commit-config.yaml",
}  # fmt: skip
# Catalogues are declarations only; they may be long.
CATALOGUES = {"expectations/contracts/core.py"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _calls(path: Path, method: str) -> Iterator[ast.Call]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield node


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _our_modules(path: Path) -> set[str]:
    """Dotted names of what a file imports of our own packages."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in CODE}


def _containing(text: str) -> set[str]:
    return {_name(path) for path in SOURCES if re.search(text, path.read_text(encoding="utf-8"))}


def test_there_is_code_to_look_at() -> None:
    assert len(SOURCES) > 30


def test_top_level_is_the_agreed_one() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert {line.split("/")[0] for line in listed if line} <= TOP_LEVEL


def test_only_session_builds_a_session() -> None:
    assert _containing(r"SparkSession\s*\.\s*builder") == {"jobs/session.py"}


def test_only_tables_reads_and_writes_delta() -> None:
    found = _containing(r"format\(\"delta\"\)|DeltaTable\b")
    # upkeep packs and vacuums for tables; class_archive warms a JVM with rows of its own; spines are data scientists' files.
    rooms = ("jobs/tables", "jobs/writes", "jobs/upkeep", "jobs/class_archive", "jobs/serving/spines")
    assert {name for name in found if not name.startswith(rooms)} == set()


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", ("jobs/tracking.py",)),
        ("great_expectations", ("expectations/rules.py", "expectations/suites/", "jobs/quality")),
        ("airflow", ("dags/",)),
    ],
)
def test_a_slow_library_has_its_room(library: str, rooms: tuple[str, ...]) -> None:
    users = {_name(path) for path in SOURCES if library in _imports(path)}
    assert users, f"nobody imports {library}"
    assert {name for name in users if not name.startswith(rooms)} == set()


@pytest.mark.parametrize(
    ("room", "known"),
    [
        ("conf/", {"conf", "pydantic", "yaml"}),
        ("expectations/contracts/", {"expectations"}),
        ("features/", {"features", "expectations", "duckdb", "numpy", "pyarrow", "pyspark"}),
    ],
)
def test_what_is_below_knows_these_and_the_standard_library_only(room: str, known: set[str]) -> None:
    found = {_name(path): _imports(path) - known - sys.stdlib_module_names for path in SOURCES if _name(path).startswith(room)}
    assert {name: foreign for name, foreign in found.items() if foreign} == {}


@pytest.mark.parametrize(
    ("room", "known"),
    [
        ("expectations/rules.py", ("expectations.contracts",)),
        ("expectations/suites/", ("expectations.contracts", "expectations.rules", "expectations.limits", "expectations.suites")),
        ("jobs/models/", ("expectations.contracts", "features", "jobs.errors", "jobs.models")),
        ("dags/", ("expectations.contracts", "conf", "dags")),
    ],
)
def test_a_room_knows_these_of_ours_only(room: str, known: tuple[str, ...]) -> None:
    """Closer than the import contracts of pyproject.toml, which name what is forbidden."""
    rooms = [path for path in SOURCES if _name(path).startswith(room)]
    assert any(_our_modules(path) for path in rooms)
    prefixes = tuple(f"{name}." for name in known)
    foreign = {_name(path): {one for one in _our_modules(path) if not f"{one}.".startswith(prefixes)} for path in rooms}
    assert {name: found for name, found in foreign.items() if found} == {}


def test_only_the_context_asks_for_the_time() -> None:
    found = _containing(r"current_date\(|current_timestamp\(|datetime\.now\(|datetime\.utcnow\(|date\.today\(")
    assert found <= {"jobs/context.py"}


def test_joins_say_how() -> None:
    silent = [
        f"{_name(path)}:{call.lineno}"
        for path in SOURCES
        for call in _calls(path, "join")
        if (call.args or call.keywords) and any(k.arg == "on" for k in call.keywords) and not any(k.arg == "how" for k in call.keywords)
    ]
    assert silent == []


def test_no_crutches() -> None:
    assert _containing(r"\.dropDuplicates\(|\.drop_duplicates\(subset=None|inferSchema\s*=\s*True") == set()


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{_name(path)}:{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def test_files_stay_readable() -> None:
    long = {_name(path): n for path in SOURCES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert {name: n for name, n in long.items() if name not in CATALOGUES and "/groups/" not in name} == {}


def test_packages_have_empty_inits() -> None:
    assert [_name(path) for path in SOURCES if path.name == "__init__.py" and path.read_text(encoding="utf-8").strip()] == []


def test_open_ends_cite_an_issue() -> None:
    marks = re.compile(r"\b(TODO|FIXME)\b(?!\(#\d+\))")
    assert [_name(path) for path in SOURCES if marks.search(path.read_text(encoding="utf-8"))] == []


def test_no_address_of_an_index_and_no_path_of_a_machine() -> None:
    """The lock names packages and hashes only; nothing tracked names where a package came from or where it was built."""
    address = re.compile("index-" + r"url\s|find-" + r"links|https?://[^ \"]*/" + "simple|/home/" + r"\w+/|/" + "work/")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = []
    for name in listed:
        path = ROOT / name
        if path.suffix in {".py", ".yml", ".yaml", ".toml", ".md", ".lock", ".txt", ""} and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [f"{name}:{n}" for n, line in enumerate(lines, 1) if address.search(line) and "no-emit" not in line]
    assert found == []
