"""Merchants (收单商户): customers into whose account an acquirer settles what their shop takes. Everybody else has no settlements.

A merchant is a customer here, not an entity of its own: the bank that settles knows the account, and what is asked of a
merchant is asked of the owner (ADR 11). A settlement, of which there is one a trading day, stands for a ticket. Read by credit and risk only.
"""

from __future__ import annotations

from features.finish import deviation, money, ratio
from features.spec import CREDIT, RISK, SERVICE, Empty, Feature, FeatureGroup

_INSIDE = (CREDIT, RISK, SERVICE)
_SETTLED = tuple(f"transaction_settled_{part}_{{w}}" for part in ("days", "units", "squares"))
_TICKET = {days: ratio(f"transaction_settled_{days}d", f"transaction_settled_count_{days}d") for days in (30, 180)}

GROUP = FeatureGroup(
    name="merchant", version=1, title="Merchants", title_zh="收单商户",
    declared=(
        Feature(name="settled_sum", title="Settlements", title_zh="收单结算金额", unit="base currency", windows=(30,), empty_means=Empty.ZERO, purposes=_INSIDE,
                description="What acquirers paid, refunds not taken off", sql=money("transaction_settled_{w}")),
        Feature(name="settled_days", title="Days with settlements", title_zh="收单结算天数", unit="days", type="bigint", windows=(30,), empty_means=Empty.ZERO,
                purposes=_INSIDE, description="Days on which an acquirer paid", sql="transaction_settled_days_{w}"),
        Feature(name="settled_cv", title="Unrest of settlements", title_zh="收单结算波动系数", unit="ratio", windows=(90,), purposes=_INSIDE,
                description="Standard deviation over mean of the days' settlements, in whole units of up to 30 million a day; null without any",
                sql=ratio(f"({deviation(*_SETTLED)}) * transaction_settled_days_{{w}}", "transaction_settled_units_{w}")),
        Feature(name="refund_rate", title="Refunded", title_zh="退款率", unit="share", windows=(90,), purposes=_INSIDE,
                description="Refunds that acquirers took back over settlements; null without settlements",
                sql=ratio("transaction_taken_back_{w}", "transaction_settled_{w}")),
        Feature(name="ticket_shift", title="Shift of the mean settlement", title_zh="笔均结算变化", unit="ratio", purposes=_INSIDE,
                description="Mean settlement of 30 days over that of 180 days; 1 is steady, null without any in 30 days",
                sql=ratio(_TICKET[30], _TICKET[180])),
        Feature(name="night_or_round_share", title="At night or round", title_zh="夜间或整额结算占比", unit="share", windows=(90,), purposes=_INSIDE,
                description="Share of settlements from midnight to six or in whole hundreds, as when cards are turned into cash; null without settlements",
                sql=ratio("transaction_odd_settled_count_{w}", "transaction_settled_count_{w}")),
    ),
)  # fmt: skip
