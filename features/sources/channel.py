"""Channel events as day tiles: visits, logins, functions, pushes, complaints, and what serving them cost."""

from __future__ import annotations

from features.measures import days_since, days_with, decayed, kinds_in, total
from features.operations import Merge
from features.spec import Kind, Source, TileColumn

CHANNELS = ("app", "web", "wechat", "branch", "atm", "call_centre")
DIGITAL = ("app", "web", "wechat")
FUNCTIONS = (
    "home", "balance", "statement", "transfer", "pay", "wealth", "deposit", "loan", "card", "points", "settings", "close_account",
    "cash", "queue", "fraud", "fee",
)  # fmt: skip

IS_VISIT = "event_type not in ('push_sent', 'push_opened')"
IS_DIGITAL = f"channel in ({', '.join(repr(channel) for channel in DIGITAL)})"


def _count(name: str, when: str, description: str) -> TileColumn:
    return TileColumn(name=name, sql=f"case when {when} then 1 else 0 end", description=description)


_BITS = " ".join(f"when '{function}' then shiftleft(1L, {bit})" for bit, function in enumerate(FUNCTIONS))

CHANNEL = Source(
    name="channel", title="channel events", title_zh="渠道行为", kind=Kind.EVENTS, reads="core.channel_event", is_stored=True,
    columns=(
        _count("visit_count", IS_VISIT, "Events that are not pushes"),
        _count("login_count", f"event_type = 'login' and {IS_DIGITAL}", "Logins by app, web or WeChat"),
        _count("mobile_login_count", "event_type = 'login' and channel in ('app', 'wechat')", "Logins on a phone"),
        *(_count(f"{channel}_count", f"channel = '{channel}' and {IS_VISIT}", f"Events on {channel.replace('_', ' ')}") for channel in CHANNELS),
        _count("push_sent_count", "event_type = 'push_sent'", "Pushes sent"),
        _count("push_opened_count", "event_type = 'push_opened'", "Pushes opened"),
        _count("complaint_count", "event_type = 'complaint'", "Complaints"),
        _count("enquiry_count", "event_type = 'enquiry'", "Credit and product enquiries"),
        _count("device_change_count", "event_type = 'device_change'", "Changes of device"),
        _count("closing_count", "function = 'close_account'", "Visits to the page that closes an account"),
        TileColumn(name="functions", sql=f"case function {_BITS} end", merge=Merge.BITS, bits=len(FUNCTIONS), description="Bit set of the functions used"),
        TileColumn(name="cost_milli", sql="unit_cost_milli", description="Cost to serve, thousandths of minor units of the base currency"),
    ),
    measures=(
        *(total(name) for name in (
            "visit_count", "login_count", "mobile_login_count", *(f"{channel}_count" for channel in CHANNELS), "push_sent_count", "push_opened_count",
            "complaint_count", "enquiry_count", "device_change_count", "closing_count", "cost_milli",
        )),
        *(decayed(f"{channel}_count", name=f"{channel}_decayed", half_life=30) for channel in CHANNELS),
        days_with("visit_count", name="visit_days"),
        days_since("login_count", name="login_gap_days"),
        days_since("mobile_login_count", name="mobile_login_gap_days"),
        kinds_in("functions", name="function_count"),
    ),
)  # fmt: skip
