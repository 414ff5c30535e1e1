"""Domain-named Great Expectations classes. Row rules check the flag column that the rule's own predicate gives, so that
what is counted here and what is set aside can't differ; delivery rules check one row per delivery.

Importing this module imports Great Expectations (seconds): do it inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from great_expectations.expectations.core.expect_column_pair_values_to_be_equal import ExpectColumnPairValuesToBeEqual
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.contracts.types import Severity

if TYPE_CHECKING:
    from great_expectations.execution_engine.execution_engine import ExecutionEngine
    from great_expectations.validator.validator import ValidationDependencies

CRITICAL, WARNING = FailureSeverity.CRITICAL, FailureSeverity.WARNING

# Lists of values and of their places: nobody may see them in a report, and each would be a Spark job.
VALUE_METRICS = (".unexpected_values", ".unexpected_index_list", ".unexpected_index_query")


def without_values(dependencies: ValidationDependencies) -> ValidationDependencies:
    """The same dependencies, counts only."""
    for name in list(dependencies.metric_configurations):
        if name.endswith(VALUE_METRICS):
            dependencies.remove_metric_configuration(name)
    return dependencies


class RowRuleHolds(ExpectColumnValuesToBeInSet):
    """No row breaks a rule: the rule's flag column is false everywhere."""

    rule: str
    value_set: list[bool] = [False]  # noqa: RUF012 a field of the model

    def get_validation_dependencies(
        self, execution_engine: ExecutionEngine[Any] | None = None, runtime_configuration: dict[Any, Any] | None = None, **kwargs: Any
    ) -> ValidationDependencies:
        """Counts only."""
        return without_values(super().get_validation_dependencies(execution_engine, runtime_configuration, **kwargs))


class RowIsReadable(RowRuleHolds):
    """Every row has the declared columns in the declared encoding."""


class KeySaysOneThing(RowRuleHolds):
    """No key comes twice in one delivery with different content."""


class ValueIsReadable(RowRuleHolds):
    """A value that is given can be read."""


class BusinessRuleHolds(RowRuleHolds):
    """A promise of the table about each of its rows, beyond its columns' own."""


class RowCountMatchesManifest(ExpectColumnPairValuesToBeEqual):
    """Every file holds as many rows as its manifest says."""

    consequence: ClassVar[Severity] = Severity.STOP
    rule: str = "row_count_matches_manifest"
    column_A: str = "rows_in"  # noqa: N815 the name of the field
    column_B: str = "rows_listed"  # noqa: N815 the name of the field


class ControlSumMatchesManifest(ExpectColumnPairValuesToBeEqual):
    """The amounts of every delivery add up to what its manifest says, where all of them can be read."""

    consequence: ClassVar[Severity] = Severity.STOP
    rule: str = "control_sum_matches_manifest"
    column_A: str = "amount_sum"  # noqa: N815 the name of the field
    column_B: str = "control_sum"  # noqa: N815 the name of the field
    ignore_row_if: Any = "either_value_is_missing"


class QuarantinedShareIsBearable(ExpectColumnValuesToBeBetween):
    """Beyond this share of rows set aside, the delivery itself is at fault: nothing of it is written."""

    consequence: ClassVar[Severity] = Severity.STOP
    rule: str = "quarantined_share_is_bearable"
    column: str = "quarantined_share_of_many"


class QuarantinedShareIsLow(ExpectColumnValuesToBeBetween):
    """More rows set aside than usual: written, and reported."""

    consequence: ClassVar[Severity] = Severity.WARN
    rule: str = "quarantined_share_is_low"
    column: str = "quarantined_share"


class KeysComeOnce(ExpectColumnValuesToBeBetween):
    """A delivery holds each key once; equal copies are dropped and counted."""

    consequence: ClassVar[Severity] = Severity.WARN
    rule: str = "keys_come_once"
    column: str = "duplicates"
    max_value: float = 0


class VolumeIsNearTrailingMedian(ExpectColumnValuesToBeBetween):
    """About as many rows as the feed had lately."""

    consequence: ClassVar[Severity] = Severity.WARN
    rule: str = "volume_is_near_trailing_median"
    column: str = "volume_ratio"


class NewestRowIsFresh(ExpectColumnValuesToBeBetween):
    """The newest fact is not much older than the business date it was delivered for."""

    consequence: ClassVar[Severity] = Severity.WARN
    rule: str = "newest_row_is_fresh"
    column: str = "days_behind"
