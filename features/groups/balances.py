"""Assets with the bank: how much, of what kind, and which way they go. A balance holds until the next one.

Assets under management (aum) are the balances of products that count as assets, in the base currency. Means are over
calendar days, days before the first account counting as nothing.
"""

from __future__ import annotations

from features.finish import growth, money, ratio
from features.sources.balance import FAMILIES
from features.spec import Empty, Feature, FeatureGroup

_NAMES = {
    "demand": ("Current accounts", "活期"),
    "term": ("Term deposits", "定期"),
    "recurring": ("Recurring deposits", "零存整取"),
    "wealth": ("Wealth", "理财"),
}

GROUP = FeatureGroup(
    name="balances", version=1, title="Balances", title_zh="资产余额",
    declared=(
        Feature(name="aum_eod", title="Assets", title_zh="资产余额", unit="base currency", empty_means=Empty.ZERO,
                description="Assets at the end of the day", sql=money("balance_aum")),
        *(Feature(name=f"aum_mad_{days}d", title=f"Mean daily assets, {days} days", title_zh=f"近{days}日日均资产", unit="base currency",
                  empty_means=Empty.ZERO, description=f"Mean of the assets at the end of each of the last {days} days",
                  sql=f"balance_aum_area_{days}d / {100 * days}") for days in (30, 90, 180, 365)),
        Feature(name="aum_trend", title="Trend of assets", title_zh="资产趋势", unit="ratio",
                description="Mean daily assets of 30 days over those of 90 days, less 1",
                sql=growth("balance_aum_area_30d / 30e0", "balance_aum_area_90d / 90e0")),
        Feature(name="aum_change", title="Change of assets", title_zh="资产变动", unit="base currency", windows=(30, 90), empty_means=Empty.ZERO,
                description="Assets now less assets at the start of the window", sql=money("balance_aum - balance_aum_before_{w}")),
        Feature(name="aum_highest", title="Highest assets", title_zh="资产峰值", unit="base currency", windows=(90, 365),
                description="Highest assets at the end of a day; null before the first balance", sql=money("balance_highest_aum_{w}")),
        Feature(name="aum_drawdown", title="Fall from the peak", title_zh="资产回撤", unit="share", windows=(90,),
                description="1 less assets now over the highest assets of the window", sql=f"1 - {ratio('balance_aum', 'balance_highest_aum_{w}')}"),
        Feature(name="aum_less_mean", title="Assets less their mean", title_zh="资产偏离均值", unit="base currency", empty_means=Empty.ZERO,
                description="Assets now less mean daily assets of 365 days", sql=f"{money('balance_aum')} - balance_aum_area_365d / 36500"),
        *(Feature(name=f"{family}_share", title=f"{_NAMES[family][0]}: share of assets", title_zh=f"{_NAMES[family][1]}占比", unit="share",
                  description=f"Share of family {family} in assets at the end of the day; null without assets",
                  sql=ratio(f"balance_{family}", "balance_aum")) for family in FAMILIES),
        Feature(name="nearly_empty_days", title="Days nearly empty", title_zh="低余额天数", unit="days", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Days on which assets were below 100 units", sql="balance_nearly_empty_days_{w}"),
        Feature(name="largest_fall_ratio", title="Largest fall in a day", title_zh="最大单日流出比", unit="ratio",
                description="Largest fall of assets in a day of the last 30, over mean daily assets of 90 days",
                sql=ratio("balance_largest_fall_30d * 90", "balance_aum_area_90d")),
    ),
)  # fmt: skip
