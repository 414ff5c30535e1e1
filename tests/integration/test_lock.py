"""The lock of a job and date: one winner, the dead don't hold it, the silent lose it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs import lock
from jobs.errors import ConfigurationError, ConflictError, KequnError

ROOT = Path(__file__).parents[2]
HOLD = "import sys; from pathlib import Path; from jobs import lock\nwith lock.held(Path(sys.argv[1]), 'job-1'): print('held', flush=True); sys.stdin.read()"


def _holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def _claim(folder: Path, **owner: object) -> Path:
    """A lock file as somebody else would have left it."""
    path = folder / "job-1.lock"
    path.write_text(json.dumps({"pid": 1, "started": "0", "host": "elsewhere", "token": "t"} | owner), encoding="utf-8")
    return path


def test_the_second_one_is_told_who_works(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        with (
            pytest.raises(ConflictError, match=rf"\[job-1\] is being worked on by process {holder.pid}") as conflict,
            lock.held(tmp_path, "job-1"),
        ):
            pass
        assert conflict.value.exit_code == 40
        with lock.held(tmp_path, "job-2"):  # another date is another lock
            pass
        holder.communicate("")
    with lock.held(tmp_path, "job-1"):
        assert json.loads((tmp_path / "job-1.lock").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "job-1.lock").exists()


def test_a_killed_owner_holds_nothing(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        holder.kill()
    assert (tmp_path / "job-1.lock").exists()
    with lock.held(tmp_path, "job-1"):
        pass


def test_a_reused_process_id_is_not_the_owner(tmp_path: Path) -> None:
    import socket

    _claim(tmp_path, pid=os.getpid(), started="1", host=socket.gethostname())
    with lock.held(tmp_path, "job-1"):
        pass


def test_an_owner_elsewhere_holds_it_while_its_heart_beats(tmp_path: Path) -> None:
    path = _claim(tmp_path)
    with pytest.raises(ConflictError, match="process 1 on elsewhere"), lock.held(tmp_path, "job-1"):
        pass
    silent = time.time() - lock.STALE_SECONDS - 1
    os.utime(path, (silent, silent))
    with lock.held(tmp_path, "job-1"):
        pass


def test_one_that_was_taken_over_is_left_to_its_new_owner(tmp_path: Path) -> None:
    with lock.held(tmp_path, "job-1"):
        path = _claim(tmp_path)
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_of_many_that_see_a_dead_owner_one_wins(tmp_path: Path) -> None:
    _claim(tmp_path, host="elsewhere")
    os.utime(tmp_path / "job-1.lock", (0, 0))

    def attempt(_: int) -> str:
        try:
            with lock.held(tmp_path, "job-1"):
                time.sleep(0.3)
        except KequnError as error:
            return type(error).__name__
        return "won"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == ["ConflictError"] * 7 + ["won"]


def test_a_folder_that_cannot_be_written_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file", encoding="utf-8")
    with (
        pytest.raises(ConfigurationError, match=r"lock folder \[.*locks\] can't be written.*paths.home"),
        lock.held(tmp_path / "locks", "job-1"),
    ):
        pass
