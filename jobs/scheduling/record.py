"""What a demo stood on and which of its steps are done: a second one with the same finds nothing to do."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import UsageError
from jobs.ledger import code_version
from jobs.scheduling.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conf.settings import Settings

FILE = "demo.json"
MANIFEST = "_manifest.json"
SIMULATE = "simulate"


def digest(paths: Iterable[Path], *, under: Path) -> str:
    """Digest of files by name and content."""
    return _hashed(part for path in sorted(paths) for part in (str(path.relative_to(under)).encode(), path.read_bytes()))


def _hashed(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]


def landing_state(landing: Path) -> str:
    """Digest of names, sizes and times of the manifests; of the files where a source delivers none.

    Not of what they hold: to read tens of thousands of small files from a disk takes longer than all else of a demo
    that has nothing to do.
    """
    files = list(landing.glob(f"*/*/{MANIFEST}")) or [path for path in landing.rglob("*") if path.is_file()]
    stats = ((path, path.stat()) for path in sorted(files))
    return _hashed(f"{path.relative_to(landing)} {stat.st_size} {stat.st_mtime_ns}".encode() for path, stat in stats)


@dataclass(kw_only=True)
class Record:
    """asked, simulator, code, landing: what the demo stands on. done: step -> what it took."""

    asked: dict[str, Any]
    simulator: str
    code: str
    landing: str = ""
    done: dict[str, dict[str, float]] = field(default_factory=dict)

    def write(self, settings: Settings) -> None:
        draft = settings.home / f"{FILE}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n", encoding="utf-8")
        draft.replace(settings.home / FILE)


def stored(settings: Settings) -> Record | None:
    try:
        return Record(**json.loads((settings.home / FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def of_now(asked: dict[str, Any]) -> Record:
    """A record of nothing done yet, with the code as it is."""
    dags = digest((ROOT / "dags").rglob("*.py"), under=ROOT)
    simulator = digest([*(ROOT / "jobs" / "simulate").glob("*.py"), *(ROOT / "conf" / "calendars").glob("*.yml")], under=ROOT)
    return Record(asked=json.loads(json.dumps(asked, default=str)), simulator=simulator, code=f"{code_version()}-{dags}")


def resume(settings: Settings, asked: dict[str, Any]) -> Record:
    """The record to go on with: the stored one while what it stands on is the same; else what it does not vouch for is removed.

    Raises UsageError for a folder with data that no demo made.
    """
    wanted, before = of_now(asked), stored(settings)
    if before is None:
        _expect_nothing(settings)
        return wanted
    delivered = landing_state(settings.landing) if settings.landing.exists() else ""
    same_input = (before.asked, before.simulator, before.landing) == (wanted.asked, wanted.simulator, delivered)
    if same_input and before.code == wanted.code:
        return before
    _remove(settings, landing=not same_input)
    if same_input:
        wanted.landing = delivered
        wanted.done = {name: took for name, took in before.done.items() if name == SIMULATE}
    return wanted


def _expect_nothing(settings: Settings) -> None:
    held = [name for name in ("landing", "warehouse") if (settings.home / name).exists()]
    if held:
        raise UsageError(f"[{settings.home}] holds {held}, which no demo made; name another folder by KEQUN_HOME, or remove it")


def _remove(settings: Settings, *, landing: bool) -> None:
    """Remove what the demo made, in its own folder and nowhere else."""
    mine = [Path(settings.warehouse), Path(settings.tracking), settings.reports, settings.locks, settings.home / "airflow"]
    delivered = [settings.landing, settings.home / "truth"] if landing else []
    for folder in (*mine, *delivered):
        if folder.is_relative_to(settings.home):
            shutil.rmtree(folder, ignore_errors=True)
