"""The folder a simulation writes to: landing/ and truth/. It replaces what a simulation wrote, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import ConfigurationError, UsageError
from jobs.simulate.landing import FORMATS

MARKER = "simulation.json"
SPILL = ".spill"
SHOWN = 5


def clear(out: Path, asked: dict[str, object]) -> None:
    """Empty ground in `out`, and what was asked as a mark in truth/: known as ours even if the simulation is ended.

    Raises UsageError for data that no simulation wrote, ConfigurationError where nothing can be written.
    """
    try:
        _expect_ours(out)
        for stale in (out / SPILL, out / "landing", out / "truth"):
            if stale.exists():
                shutil.rmtree(stale)
        (out / SPILL).mkdir(parents=True)
        (out / "truth").mkdir()
        (out / "truth" / MARKER).write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The folder [{out}] can't be written: [{error.filename}]: {error.strerror}; name a folder that can by --out"
        ) from error


def _expect_ours(out: Path) -> None:
    held = [f"{name}/{one.name}" for name in ("landing", "truth") if (out / name).exists() for one in sorted((out / name).iterdir())]
    is_ours = (out / "truth" / MARKER).exists()
    strange = list(_strangers(out / "landing")) if is_ours else held
    if not strange:
        return
    more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
    why = "is no delivery of the simulated bank" if is_ours else f"no simulation wrote: truth/{MARKER} is not there"
    raise UsageError(
        f"[{out}] holds {strange[:SHOWN]}{more}, which {why}; a simulation would remove it: move it away, or name another folder by --out"
    )


def _strangers(landing: Path) -> Iterator[str]:
    """What is not <feed>/business_date=D."""
    for feed in sorted(landing.iterdir()) if landing.exists() else ():
        if feed.name not in FORMATS or not feed.is_dir():
            yield f"landing/{feed.name}"
        else:
            yield from (f"landing/{feed.name}/{one.name}" for one in sorted(feed.iterdir()) if not one.name.startswith("business_date="))
