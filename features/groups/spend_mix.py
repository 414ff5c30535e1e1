"""What money is spent on and how: categories, cash, online, abroad, and the bills of a household."""

from __future__ import annotations

from features.finish import entropy, flag, money, ratio
from features.sources.transaction import MCC_GROUPS
from features.spec import Empty, Feature, FeatureGroup

_SHARES = (
    ("grocery", "Groceries", "超市"), ("dining", "Dining", "餐饮"), ("travel", "Travel", "旅行"), ("online_shop", "Online shops", "网购"),
    ("medical", "Medical", "医疗"), ("education", "Education", "教育"), ("entertainment", "Entertainment", "娱乐"),
)  # fmt: skip
_BILLS = (
    ("rent", "Rent", "租金", 90),
    ("utility", "Utility bills", "水电煤", 90),
    ("insurance", "Insurance", "保险", 365),
    ("tuition", "Tuition", "学费", 365),
)
_CATEGORIES = tuple(f"transaction_mcc_{group}_count_90d" for group in (*MCC_GROUPS, "other"))

GROUP = FeatureGroup(
    name="spend_mix", version=1, title="Spending mix", title_zh="消费结构",
    declared=(
        Feature(name="purchase_count", title="Purchases", title_zh="消费笔数", unit="transactions", type="bigint", windows=(30, 90), empty_means=Empty.ZERO,
                description="Purchases", sql="transaction_purchase_count_{w}"),
        Feature(name="purchase_sum", title="Purchases, amount", title_zh="消费金额", unit="base currency", windows=(30, 90), empty_means=Empty.ZERO,
                description="Purchases", sql=money("transaction_purchase_{w}")),
        Feature(name="category_count", title="Categories bought", title_zh="消费类别数", unit="categories", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Merchant categories with a purchase; unknown ones count as one",
                sql=" + ".join(flag(f"transaction_mcc_{group}_count_{{w}} > 0") for group in (*MCC_GROUPS, "other"))),
        Feature(name="category_entropy", title="Variety of categories", title_zh="消费类别熵", unit="nats",
                description="Entropy of purchases over merchant categories, 90 days; null without purchases", sql=entropy(_CATEGORIES)),
        *(Feature(name=f"{group}_share", title=f"{title}: share of purchases", title_zh=f"{title_zh}占比", unit="share", windows=(90,),
                  description=f"Share of purchases in category {group}; null without purchases",
                  sql=ratio(f"transaction_mcc_{group}_count_{{w}}", "transaction_purchase_count_{w}")) for group, title, title_zh in _SHARES),
        Feature(name="cash_share", title="Share of cash", title_zh="现金交易占比", unit="share", windows=(90,),
                description="Cash deposits and withdrawals over all debits and credits; null without any",
                sql=ratio("transaction_cash_count_{w}", "transaction_out_count_{w} + transaction_in_count_{w}")),
        Feature(name="online_share", title="Share made online", title_zh="线上交易占比", unit="share", windows=(90,),
                description="Share of the customer's transactions made by app, web or WeChat",
                sql=ratio("transaction_online_count_{w}", "transaction_initiated_count_{w}")),
        Feature(name="cross_border_count", title="Cross-border transactions", title_zh="跨境交易笔数", unit="transactions", type="bigint", windows=(90,),
                empty_means=Empty.ZERO, description="Transactions across the border", sql="transaction_cross_border_count_{w}"),
        *(Feature(name=f"pays_{bill}", title=f"{title} paid here", title_zh=f"本行缴{title_zh}", unit="flag", type="int", windows=(days,),
                  empty_means=Empty.ZERO, description=f"1 with a transaction of type {bill}", sql=flag(f"transaction_{bill}_count_{{w}} > 0"))
          for bill, title, title_zh, days in _BILLS),
    ),
)  # fmt: skip
