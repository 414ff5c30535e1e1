"""What money is spent on and how: categories, cash, online, abroad, and the bills of a household; by channel, currency and counterparty."""

from __future__ import annotations

from dataclasses import dataclass

from features.finish import entropy, flag, money, ratio
from features.sources.channel import CHANNELS
from features.sources.transaction import MCC_GROUPS
from features.spec import Empty, Feature, FeatureGroup

_BILLS = (
    ("rent", "Rent", "租金", 90),
    ("utility", "Utility bills", "水电煤", 90),
    ("insurance", "Insurance", "保险", 365),
    ("tuition", "Tuition", "学费", 365),
)
# ln(customers / customers who bought) of the simulated bank in the 90 days to 2025-12-31. Frozen with version 1: what is rare weighs more.
_RARITY = {
    "grocery": 0.39, "dining": 0.45, "transport": 0.78, "fuel": 1.28, "travel": 1.74, "apparel": 1.13, "electronics": 1.67, "medical": 1.42,
    "education": 1.99, "entertainment": 1.35, "online_shop": 0.52, "home": 2.07, "beauty": 2.05, "telecom": 2.31, "government": 3.45,
}  # fmt: skip
_TITLES = {
    "grocery": ("Groceries", "超市"), "dining": ("Dining", "餐饮"), "transport": ("Transport", "交通"), "fuel": ("Fuel", "加油"), "travel": ("Travel", "旅行"),
    "apparel": ("Apparel", "服饰"), "electronics": ("Electronics", "电子"), "medical": ("Medical", "医疗"), "education": ("Education", "教育"),
    "entertainment": ("Entertainment", "娱乐"), "online_shop": ("Online shops", "网购"), "home": ("Home", "家居"), "beauty": ("Beauty", "美妆"),
    "telecom": ("Telecom", "通讯"), "government": ("Government", "政务"),
}  # fmt: skip
_MADE, _ALL = "transaction_initiated_count_{w}", "transaction_out_count_{w} + transaction_in_count_{w}"
_CHANNEL_TITLES = {
    "app": ("By app", "手机银行"), "web": ("By web", "网上银行"), "wechat": ("By WeChat", "微信渠道"), "branch": ("At a branch", "网点"),
    "atm": ("At an ATM", "自助设备"), "call_centre": ("By the call centre", "客服热线"),
}  # fmt: skip


@dataclass(frozen=True)
class _Category:
    """Transactions of one kind, to be counted, added up, set against all (`whole`), and by days. amount: SQL, minor units."""

    name: str
    column: str
    title: str
    title_zh: str
    meaning: str
    whole: str = _ALL
    amount: str = ""

    @property
    def features(self) -> tuple[Feature, ...]:
        count, amount = f"transaction_{self.column}_count_{{w}}", self.amount or f"transaction_{self.column}_{{w}}"
        return (
            Feature(name=f"{self.name}_count", title=f"{self.title}: transactions", title_zh=f"{self.title_zh}交易笔数", unit="transactions", type="bigint",
                    windows=(90,), empty_means=Empty.ZERO, description=f"Transactions {self.meaning}", sql=count),
            Feature(name=f"{self.name}_sum", title=f"{self.title}: amount", title_zh=f"{self.title_zh}交易金额", unit="base currency", windows=(90,),
                    empty_means=Empty.ZERO, description=f"Amount of the transactions {self.meaning}, debits and credits", sql=money(amount)),
            Feature(name=f"{self.name}_share", title=f"{self.title}: share of transactions", title_zh=f"{self.title_zh}交易占比", unit="share", windows=(90,),
                    description=f"Share of the transactions {self.meaning} in {'those the customer made' if self.whole == _MADE else 'all debits and credits'}; "
                                "null without any", sql=ratio(count, self.whole)),
            Feature(name=f"{self.name}_days", title=f"{self.title}: days", title_zh=f"{self.title_zh}交易天数", unit="days", type="bigint", windows=(90,),
                    empty_means=Empty.ZERO, description=f"Days with a transaction {self.meaning}", sql=f"transaction_{self.column}_days_{{w}}"),
        )  # fmt: skip


_MIX = (
    *(_Category(f"channel_{channel}", f"channel_{channel}", *_CHANNEL_TITLES[channel], f"that the customer made on the channel {channel}", _MADE)
      for channel in CHANNELS),
    _Category("currency_cny", "cny", "In renminbi", "人民币", "in CNY"),
    _Category("currency_other", "other_currency", "In other currencies", "外币", "in other currencies than CNY",
              amount="transaction_out_{w} + transaction_in_{w} - transaction_cny_{w}"),
    _Category("counterparty_merchant", "with_merchant", "With merchants", "商户", "with merchants: purchases and their refunds"),
    _Category("counterparty_other_bank", "with_other_bank", "With other banks", "他行对手", "with somebody at another bank"),
    _Category("counterparty_same_bank", "with_same_bank", "With others at this bank", "本行他人", "with somebody else at this bank, or at one that is not told"),
    _Category("counterparty_own", "with_own", "Between own accounts", "本人账户间", "between the customer's own accounts here, each account's side counted"),
)  # fmt: skip
_CATEGORIES = tuple(f"transaction_mcc_{group}_count_90d" for group in (*MCC_GROUPS, "other"))

GROUP = FeatureGroup(
    name="spend_mix", version=1, title="Spending mix", title_zh="消费结构",
    declared=(
        Feature(name="purchase_count", title="Purchases", title_zh="消费笔数", unit="transactions", type="bigint", windows=(30, 90), empty_means=Empty.ZERO,
                description="Purchases", sql="transaction_purchase_count_{w}"),
        Feature(name="purchase_sum", title="Purchases, amount", title_zh="消费金额", unit="base currency", windows=(30, 90), empty_means=Empty.ZERO,
                description="Purchases", sql=money("transaction_purchase_{w}")),
        # What passes a measure through stands before what is made of it: Catalyst doubles the constraints of an expression for every part of it
        # that a later column only renames.
        *(Feature(name=f"{group}_count", title=f"{title}: purchases", title_zh=f"{title_zh}消费笔数", unit="transactions", type="bigint", windows=(90,),
                  empty_means=Empty.ZERO, description=f"Purchases in category {group}", sql=f"transaction_mcc_{group}_count_{{w}}")
          for group, (title, title_zh) in _TITLES.items()),
        Feature(name="category_count", title="Categories bought", title_zh="消费类别数", unit="categories", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Merchant categories with a purchase; unknown ones count as one",
                sql=" + ".join(flag(f"transaction_mcc_{group}_count_{{w}} > 0") for group in (*MCC_GROUPS, "other"))),
        Feature(name="category_entropy", title="Variety of categories", title_zh="消费类别熵", unit="nats",
                description="Entropy of purchases over merchant categories, 90 days; null without purchases", sql=entropy(_CATEGORIES)),
        *(Feature(name=f"{group}_share", title=f"{title}: share of purchases", title_zh=f"{title_zh}占比", unit="share", windows=(90,),
                  description=f"Share of purchases in category {group}; null without purchases",
                  sql=ratio(f"transaction_mcc_{group}_count_{{w}}", "transaction_purchase_count_{w}")) for group, (title, title_zh) in _TITLES.items()),
        *(Feature(name=f"{group}_sum", title=f"{title}: amount", title_zh=f"{title_zh}消费金额", unit="base currency", windows=(90,), empty_means=Empty.ZERO,
                  description=f"Purchases in category {group}", sql=money(f"transaction_mcc_{group}_{{w}}")) for group, (title, title_zh) in _TITLES.items()),
        *(Feature(name=f"{group}_days", title=f"{title}: days", title_zh=f"{title_zh}天数", unit="days", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                  description=f"Days with a purchase in category {group}", sql=f"transaction_mcc_{group}_days_{{w}}")
          for group, (title, title_zh) in _TITLES.items()),
        *(Feature(name=f"{group}_rarity", title=f"{_TITLES[group][0]}: share by rarity", title_zh=f"{_TITLES[group][1]}TF-IDF", unit="ratio", windows=(90,),
                  description=f"Share of purchases in category {group}, times {weight}: ln of how many buy over how many buy it (tf-idf); null without purchases",
                  sql=f"{weight}e0 * {ratio(f'transaction_mcc_{group}_count_{{w}}', 'transaction_purchase_count_{w}')}")
          for group, weight in _RARITY.items()),
        Feature(name="new_category_count", title="New categories", title_zh="近30日新增消费类别数", unit="categories", type="bigint", empty_means=Empty.ZERO,
                description="Known categories bought in the last 30 days and not in the 150 days before", sql="transaction_new_mcc_groups_180d"),
        Feature(name="cash_share", title="Share of cash", title_zh="现金交易占比", unit="share", windows=(90,),
                description="Cash deposits and withdrawals over all debits and credits; null without any",
                sql=ratio("transaction_cash_count_{w}", "transaction_out_count_{w} + transaction_in_count_{w}")),
        Feature(name="online_share", title="Share made online", title_zh="线上交易占比", unit="share", windows=(90,),
                description="Share of the customer's transactions made by app, web or WeChat",
                sql=ratio("transaction_online_count_{w}", "transaction_initiated_count_{w}")),
        Feature(name="cross_border_count", title="Cross-border transactions", title_zh="跨境交易笔数", unit="transactions", type="bigint", windows=(90,),
                empty_means=Empty.ZERO, description="Transactions across the border", sql="transaction_cross_border_count_{w}"),
        Feature(name="cross_border_share", title="Share across the border", title_zh="跨境交易占比", unit="share", windows=(90,),
                description="Transactions across the border over all debits and credits; null without any",
                sql=ratio("transaction_cross_border_count_{w}", "transaction_out_count_{w} + transaction_in_count_{w}")),
        *(Feature(name=f"pays_{bill}", title=f"{title} paid here", title_zh=f"本行缴{title_zh}", unit="flag", type="int", windows=(days,),
                  empty_means=Empty.ZERO, description=f"1 with a transaction of type {bill}", sql=flag(f"transaction_{bill}_count_{{w}} > 0"))
          for bill, title, title_zh, days in _BILLS),
        *(feature for category in _MIX for feature in category.features),
    ),
)  # fmt: skip
