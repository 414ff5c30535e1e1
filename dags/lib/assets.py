"""What a DAG publishes and what the next one waits for: one asset per layer, named after the contracts' tables.

One asset, sent by the last task of a DAG: several, joined by the consumer, leave half-sets after a partial rerun and
let the consumer of a later rerun start too early.
"""

from __future__ import annotations

from airflow.sdk import Asset

from expectations.contracts import core, features, mart, scores
from expectations.contracts.types import Table

OWNER = core.CUSTOMER.owner


# One table per group and version; which groups there are is told by `features`, which DAGs do not import.
FEATURE_GROUPS = "features.<group>_v<version>"


def ready(name: str, *tables: Table | str) -> Asset:
    """The asset that says: these tables hold everything of the business date that is its partition key."""
    named = [table if isinstance(table, str) else table.full_name for table in tables]
    return Asset(name=name, uri=f"x-kequn://{name}", group="kequn", extra={"tables": ", ".join(named), "owner": OWNER})


CORE_READY = ready("core_ready", *core.TABLES)
FEATURES_READY = ready("features_ready", FEATURE_GROUPS)
SCORES_READY = ready("scores_ready", features.SEGMENT_DAILY, features.SEGMENT_MEMBERSHIP, *scores.TABLES)
MARTS_READY = ready("marts_ready", *mart.TABLES)
