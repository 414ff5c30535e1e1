"""What a whole delivery must keep: reconciliations first, then shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules
from expectations.suites.from_contract import build_suite

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

    from expectations.limits import DeliveryLimits


def suite_of_files(feed: str, table: str) -> ExpectationSuite:
    """On one row per landed file."""
    return build_suite(
        f"{feed} to {table}: files",
        [rules.RowCountMatchesManifest(description="rows read = rows of the manifest", severity=rules.CRITICAL)],
    )


def suite_of_deliveries(feed: str, table: str, limits: DeliveryLimits) -> ExpectationSuite:
    """On one row per business date."""
    return build_suite(
        f"{feed} to {table}: deliveries",
        [
            rules.ControlSumMatchesManifest(description="amounts add up to the manifest's control sum", severity=rules.CRITICAL),
            rules.QuarantinedShareIsBearable(
                max_value=limits.quarantined_share_stop, severity=rules.CRITICAL,
                description=f"at most {limits.quarantined_share_stop:.1%} of the rows set aside, or {limits.small_rows} rows",
            ),
            rules.QuarantinedShareIsLow(
                max_value=limits.quarantined_share_warn, severity=rules.WARNING,
                description=f"at most {limits.quarantined_share_warn:.1%} of the rows set aside",
            ),
            rules.KeysComeOnce(description="each key once in a delivery", severity=rules.WARNING),
            rules.VolumeIsNearTrailingMedian(
                min_value=limits.volume_ratio_low, max_value=limits.volume_ratio_high, severity=rules.WARNING,
                description="about as many rows as the median of the days before",
            ),
            rules.NewestRowIsFresh(max_value=limits.freshness_days, severity=rules.WARNING, description="the newest fact is fresh"),
        ],
    )  # fmt: skip
