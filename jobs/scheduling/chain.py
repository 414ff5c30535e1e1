"""The DAGs by name: every one of the house, those that a business date passes through night by night, those with a clock."""

from __future__ import annotations

CHAIN = ("kequn_ingest", "kequn_features", "kequn_scores", "kequn_marts")
HISTORY = "kequn_history"
MODELS = "kequn_models"
MAINTENANCE = "kequn_maintenance"
DAGS = (*CHAIN, HISTORY, MODELS, MAINTENANCE)
PRODUCERS = (CHAIN[0], MODELS, MAINTENANCE)  # the others follow them: only these can be backfilled
