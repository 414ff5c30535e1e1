"""The numeric form in which blocks hand their rows to delivery: one array a column, text comes later and all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]
Rows = dict[str, Array]

# `day` is the business date of the delivery. -1 reads as blank wherever a value may be missing.
FEED_COLUMNS: dict[str, tuple[str, ...]] = {
    "customers": ("day", "customer", "surname", "given_one", "given_two", "id_serial", "mobile", "gender", "birth_day", "open_day", "close_day",
                  "branch", "occupation", "kyc_risk", "acquisition", "household", "is_employee", "preapproved", "status"),
    "customer_merges": ("day", "customer", "survivor", "merged"),
    "accounts": ("day", "account", "product", "currency", "branch", "open_day", "close_day", "matures", "rate", "channel", "status"),
    "account_parties": ("day", "account", "customer", "role", "held_from", "held_to"),
    "consents": ("day", "customer", "purpose", "granted"),
    "transactions": ("day", "second", "serial", "account", "amount", "currency", "type", "channel", "by", "counterparty", "bank", "mcc",
                     "merchant", "abroad"),
    "balances": ("day", "account", "currency", "balance"),
    "channel_events": ("day", "second", "serial", "customer", "channel", "type", "function", "device"),
    "contacts": ("day", "campaign", "customer", "sent", "arm", "channel", "response", "responded"),
    "loans": ("day", "account", "product", "opened", "matures", "principal", "outstanding", "rate", "dpd", "status"),
    "cards": ("day", "account", "product", "opened", "limit", "balance", "minimum", "paid", "rate", "dpd", "status"),
    "instalments": ("day", "account", "number", "due_day", "due", "paid_day", "paid"),
    "deposit_plans": ("day", "account", "start", "matures", "closed", "months", "instalment", "status"),
    "deposit_instalments": ("day", "account", "number", "due_day", "due", "paid_day", "paid"),
}  # fmt: skip


def joined(parts: Iterable[Mapping[str, npt.ArrayLike]], columns: Iterable[str]) -> Rows:
    """The parts below each other; no part gives empty columns."""
    kept = list(parts)
    return {name: np.concatenate([np.asarray(part[name], dtype=np.int64) for part in kept] or [np.empty(0, np.int64)]) for name in columns}


def picked(rows: Mapping[str, npt.NDArray[np.int64]], which: npt.NDArray[np.generic]) -> Rows:
    """The rows at these positions, or where the mask is true."""
    return {name: values[which] for name, values in rows.items()}


class Outbox:
    """What a block delivers in a month, feed by feed."""

    def __init__(self) -> None:
        """An empty outbox."""
        self._parts: dict[str, list[Rows]] = {feed: [] for feed in FEED_COLUMNS}

    def put(self, feed: str, **columns: npt.ArrayLike) -> None:
        """Add rows; scalars are repeated to the length of `day`."""
        length = np.asarray(columns["day"]).size
        if length == 0:
            return
        rows = {name: np.broadcast_to(np.asarray(columns[name], dtype=np.int64), (length,)) for name in FEED_COLUMNS[feed]}
        self._parts[feed].append(rows)

    def rows(self, feed: str) -> Rows:
        """Everything put for a feed."""
        return joined(self._parts[feed], FEED_COLUMNS[feed])
