"""The numbers that suites need from outside; jobs.quality fills them from conf."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DeliveryLimits:
    """Bounds of what a whole delivery may look like. Shares are of its rows, ratios of the trailing median.

    small_rows: up to so many rows set aside stop nothing, whatever their share: a night may bring three rows in all.
    """

    quarantined_share_stop: float
    quarantined_share_warn: float
    small_rows: int
    volume_ratio_low: float
    volume_ratio_high: float
    freshness_days: int
