"""Assets with the bank: how much, of what kind, and which way they go. A balance holds until the next one.

Assets under management (aum) are the balances of products that count as assets, in the base currency. Means are over
calendar days, days before the first account counting as nothing.
"""

from __future__ import annotations

from features.finish import deviation, entropy, growth, money, ratio
from features.sources.balance import FAMILIES, MATURING_DAYS, TIER_LIMITS
from features.spec import Empty, Feature, FeatureGroup

_NAMES = {
    "demand": ("Current accounts", "活期"),
    "term": ("Term deposits", "定期"),
    "recurring": ("Recurring deposits", "零存整取"),
    "wealth": ("Wealth", "理财"),
}

_TIERS_BELOW = " ".join(
    f"when balance_aum >= {100 * limit} then balance_below_{limit}_month_ends_360d" for limit in sorted(TIER_LIMITS, reverse=True)
)

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
                description="Highest assets at the end of a day; null where there was nothing for more than a year", sql=money("balance_highest_aum_{w}")),
        Feature(name="aum_drawdown", title="Fall from the peak", title_zh="资产回撤", unit="share", windows=(90,),
                description="1 less assets now over the highest assets of the window", sql=f"1 - {ratio('balance_aum', 'balance_highest_aum_{w}')}"),
        Feature(name="aum_less_mean", title="Assets less their mean", title_zh="资产偏离均值", unit="base currency", empty_means=Empty.ZERO,
                description="Assets now less mean daily assets of 365 days", sql=f"{money('balance_aum')} - balance_aum_area_365d / 36500"),
        *(Feature(name=f"{family}_share", title=f"{_NAMES[family][0]}: share of assets", title_zh=f"{_NAMES[family][1]}占比", unit="share",
                  description=f"Share of family {family} in assets at the end of the day; null without assets",
                  sql=ratio(f"balance_{family}", "balance_aum")) for family in FAMILIES),
        Feature(name="nearly_empty_days", title="Days nearly empty", title_zh="低余额天数", unit="days", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Days on which assets were below 100 units, 0 where there was nothing for more than a year", sql="balance_nearly_empty_days_{w}"),
        Feature(name="largest_fall_ratio", title="Largest fall in a day", title_zh="最大单日流出比", unit="ratio",
                description="Largest fall of assets in a day of the last 30, 0 where they did not fall, over mean daily assets of 90 days; null without assets",
                sql=ratio("coalesce(balance_largest_fall_30d, 0) * 90", "balance_aum_area_90d")),
        Feature(name="aum_slope", title="Slope of assets", title_zh="资产斜率", unit="log units a day", windows=(90,), empty_means=Empty.ZERO,
                description="Slope of the least squares line through ln(1 + whole units of assets) at the ends of the days; .01 is about 1 % a day",
                sql="(89e0 / 2 * balance_aum_log_{w} - balance_aum_log_moment_{w}) / (90e0 * (90 * 90 - 1) / 12) / 1000000"),
        Feature(name="aum_cv", title="Unrest of assets", title_zh="资产波动系数", unit="ratio", windows=(90,),
                description="Standard deviation over mean of the assets at the ends of the days, up to 30 million units; null without assets",
                sql=ratio(f"({deviation('90', 'balance_aum_units_{w}', 'balance_aum_squares_{w}')}) * 90", "balance_aum_units_{w}")),
        Feature(name="aum_less_month_end", title="Assets less those of the last month-end", title_zh="较上月末资产变动", unit="base currency",
                empty_means=Empty.ZERO, description="Assets now less assets at the end of the calendar month before the date's",
                sql=money("balance_aum - balance_aum_month_end")),
        Feature(name="months_below_tier", title="Months below the tier", title_zh="近12月低于当前层级月数", unit="months", type="bigint",
                empty_means=Empty.ZERO, sql=f"case {_TIERS_BELOW} else 0 end",
                description="Of the last 12 month-ends those with assets below the lower limit of the tier that the assets of the date are in"),
        Feature(name=f"term_maturing_{MATURING_DAYS}d", title=f"Term deposits maturing within {MATURING_DAYS} days", title_zh=f"{MATURING_DAYS}日内到期定期存款",
                unit="base currency", empty_means=Empty.ZERO, sql=money("balance_maturing"),
                description=f"Balance of the term deposits that mature on the date or in the {MATURING_DAYS} days after it"),
        Feature(name="term_rollover_share", title="Term deposits rolled over", title_zh="定期到期转存率", unit="share", windows=(365,),
                description="Share of the terms of term deposits ended at maturity that were rolled over, not paid out; null where none has",
                sql=ratio("balance_term_rolled_{w}", "balance_term_matured_{w}")),
        Feature(name="mix_entropy", title="Variety of assets", title_zh="资产结构熵", unit="nats",
                description="Entropy of assets over current accounts, term and recurring deposits and wealth; null without assets",
                sql=entropy(tuple(f"greatest(balance_{family}, 0)" for family in FAMILIES))),
    ),
)  # fmt: skip
