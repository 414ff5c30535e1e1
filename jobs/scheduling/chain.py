"""The DAGs by name: every one of the house, and those that a business date passes through night by night."""

from __future__ import annotations

CHAIN = ("kequn_ingest", "kequn_features", "kequn_scores", "kequn_marts")
HISTORY = "kequn_history"
MODELS = "kequn_models"
MAINTENANCE = "kequn_maintenance"
DAGS = (*CHAIN, HISTORY, MODELS, MAINTENANCE)
