"""Behaviour (行为分群): how often a customer acts × how much moves, 90 days, cut-points frozen with version 1."""

from __future__ import annotations

from features.segmentation import OTHERWISE, Rule, Segmentation

FREQUENT = "activity__txn_count_90d >= 15"
LARGE = "activity__out_sum_90d >= 20000"

SCHEME = Segmentation(
    name="behaviour", version=1, title="Behaviour", title_zh="行为分群", purposes=("marketing", "service"),
    rules=(
        Rule(name="frequent_large", title="Frequent, large amounts", title_zh="高频高额", when=f"{FREQUENT} and {LARGE}",
             because="at least 15 transactions and debits of 20,000 in 90 days"),
        Rule(name="frequent_small", title="Frequent, small amounts", title_zh="高频低额", when=FREQUENT,
             because="at least 15 transactions, debits below 20,000 in 90 days"),
        Rule(name="occasional_large", title="Occasional, large amounts", title_zh="低频高额", when=f"activity__txn_count_90d > 0 and {LARGE}",
             because="1 to 14 transactions, debits of at least 20,000 in 90 days"),
        Rule(name="occasional_small", title="Occasional, small amounts", title_zh="低频低额", when="activity__txn_count_90d > 0",
             because="1 to 14 transactions, debits below 20,000 in 90 days"),
        Rule(name="silent", title="Silent", title_zh="静默", when=OTHERWISE, because="no transaction in 90 days"),
    ),
)  # fmt: skip
