"""Where a night's time goes: seconds by phase, told by a profile of the thread that runs it. What others do meanwhile is part of the call that waits."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

# By phase the function that does it, and who calls it: a name alone may be another one's too.
OF_FEATURES = MappingProxyType({
    "tiles": ("brought_up_to_date", "_build"), "planning": ("features_of", "_made"), "rolling": ("made", "sweep"),
    "finishing": ("enter_context", "_made"), "checking": ("check", "_build"), "committing": ("side_by_side", "_build"),
})  # fmt: skip
# The states are rolled within the call that plans all features.
WITHIN = MappingProxyType({"planning": "rolling"})


def seconds_by_phase(
    work: Callable[[], Any], calls: Mapping[str, tuple[str, str]] = OF_FEATURES, within: Mapping[str, str] = WITHIN
) -> dict[str, float]:
    """Run the work; its seconds by phase, `rest` what none of them explains. within: of a phase another that goes on inside of it, and counts alone."""
    profile, began = cProfile.Profile(), time.perf_counter()
    profile.runcall(work)
    whole = time.perf_counter() - began
    told: Mapping[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = {phase: _seconds(told, *call) for phase, call in calls.items()}
    found |= {phase: found[phase] - found[inner] for phase, inner in within.items()}
    return {phase: round(seconds, 3) for phase, seconds in (found | {"rest": whole - sum(found.values())}).items()}


def _seconds(told: Mapping[Any, Any], name: str, caller: str) -> float:
    """Of all calls of one function by another, with what they called."""
    return sum(
        float(of_caller[3])
        for (_, _, called), (*_, callers) in told.items() if called == name
        for (_, _, who), of_caller in callers.items() if who == caller
    )  # fmt: skip
