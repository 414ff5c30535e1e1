"""Which products a customer owns as primary owner; joint and authorised roles are not counted twice."""

from __future__ import annotations

from features.finish import flag
from features.spec import Empty, Feature, FeatureGroup

_OWNED = (
    ("demand", "Current account", "活期存款"), ("term", "Term deposit", "定期存款"), ("recurring", "Recurring deposit", "零存整取"),
    ("wealth", "Wealth product", "理财产品"), ("credit_card", "Credit card", "信用卡"), ("consumer_loan", "Consumer loan", "消费贷款"),
    ("mortgage", "Mortgage", "住房贷款"),
)  # fmt: skip

GROUP = FeatureGroup(
    name="holdings", version=1, title="Products held", title_zh="产品持有",
    declared=(
        Feature(name="account_count", title="Open accounts", title_zh="有效账户数", unit="accounts", type="bigint", empty_means=Empty.ZERO,
                description="Accounts open on the date", sql="holding_open_count"),
        Feature(name="product_count", title="Products held", title_zh="持有产品数", unit="products", type="bigint", empty_means=Empty.ZERO,
                description="Different products among the open accounts", sql="holding_product_count"),
        *(Feature(name=f"has_{family}", title=f"{title} held", title_zh=f"持有{title_zh}", unit="flag", type="int", empty_means=Empty.ZERO,
                  description=f"1 with an open account of family {family}", sql=flag(f"holding_{family}_count > 0")) for family, title, title_zh in _OWNED),
        Feature(name="has_foreign_currency", title="Several currencies held", title_zh="持有外币账户", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with open accounts in more than one currency", sql=flag("holding_currency_count > 1")),
        Feature(name="opened_count", title="Accounts opened", title_zh="新开账户数", unit="accounts", type="bigint", windows=(90, 365), empty_means=Empty.ZERO,
                description="Accounts opened, closed ones included", sql="holding_opened_{w}"),
        Feature(name="closed_count", title="Accounts closed", title_zh="销户数", unit="accounts", type="bigint", windows=(90, 365), empty_means=Empty.ZERO,
                description="Accounts closed", sql="holding_closed_{w}"),
        Feature(name="last_opening_days", title="Days since the last opening", title_zh="距上次开户天数", unit="days", type="bigint",
                description="Days since the newest account was opened; null without accounts", sql="holding_last_opening_days"),
        Feature(name="online_opened_share", title="Share opened online", title_zh="线上开户占比", unit="share",
                description="Share of the open accounts that were opened by app, web or WeChat",
                sql="holding_online_opened_count / nullif(holding_open_count, 0)"),
        Feature(name="maturing_count", title="Deposits maturing", title_zh="即将到期存款笔数", unit="accounts", type="bigint", empty_means=Empty.ZERO,
                description="Term and recurring deposits that mature within 30 days after the date", sql="holding_maturing_30d"),
    ),
)  # fmt: skip
