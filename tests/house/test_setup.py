"""`make setup` on a machine that lacks something says so in one sentence, before it installs anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _setup(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"JAVA_HOME", "PYTHON", "MAKEFLAGS"}}
    command = ["make", "setup", f"VENV={folder / 'venv'}"]
    return subprocess.run(command, cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True, check=False)


def _java(folder: Path, version: str) -> str:
    """A JAVA_HOME whose java says it is `version`."""
    java = folder / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return str(folder / "jdk")


def test_a_wrong_java_is_named(tmp_path: Path) -> None:
    ran = _setup(tmp_path, JAVA_HOME=_java(tmp_path, "11.0.2"))
    assert ran.returncode != 0
    assert "found Java [11], Spark needs Java 17" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_no_java_is_said(tmp_path: Path) -> None:
    for tool in ("bash", "make", "sed", "head"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    ran = _setup(tmp_path, PATH=str(tmp_path))
    assert ran.returncode != 0
    assert "no Java found; install Java 17" in ran.stderr


def test_every_java_of_the_setup_is_the_one_that_was_checked() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert len(re.findall(r"\$\$\{JAVA_HOME:\+\$\$JAVA_HOME/bin/\}java", makefile)) == 2
    assert not re.findall(r"(?:^|[\s;(])java -", makefile, re.MULTILINE), "this one ignores JAVA_HOME"


def test_a_wrong_python_is_said(tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("needs a Java to get as far as Python")
    ran = _setup(tmp_path, PYTHON="python2.7")
    assert ran.returncode != 0
    assert "no Python 3.11 found (looked for python2.7)" in ran.stderr
