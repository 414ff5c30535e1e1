"""When a customer acts: hours, weekdays, ends of months, and how regular. Local time of the bank's zone."""

from __future__ import annotations

from features.finish import entropy, ratio
from features.sources.transaction import HOURS, WEEKDAYS
from features.spec import Feature, FeatureGroup

_HOURS = tuple(f"transaction_hour_{hour:02d}_count_90d" for hour in HOURS)

_WEEKDAYS_ZH = ("周日", "周一", "周二", "周三", "周四", "周五", "周六")

GROUP = FeatureGroup(
    name="rhythm", version=1, title="Rhythm", title_zh="时间规律",
    declared=(
        Feature(name="night_share", title="At night", title_zh="夜间交易占比", unit="share", windows=(90,),
                description="Share of the customer's transactions from midnight to six; null where no time of day is known",
                sql=ratio("transaction_night_count_{w}", " + ".join(_HOURS))),
        Feature(name="weekend_share", title="On weekends", title_zh="周末交易占比", unit="share", windows=(90,),
                description="Share of the customer's transactions on Saturdays and Sundays",
                sql=ratio("transaction_weekend_count_{w}", "transaction_initiated_count_{w}")),
        Feature(name="month_end_share", title="At the end of months", title_zh="月末交易占比", unit="share", windows=(90,),
                description="Share of the customer's transactions on the last three days of a month",
                sql=ratio("transaction_month_end_count_{w}", "transaction_initiated_count_{w}")),
        Feature(name="hour_entropy", title="Spread over the day", title_zh="时段熵", unit="nats",
                description="Entropy over six stretches of four hours, 90 days; null where no time of day is known", sql=entropy(_HOURS)),
        Feature(name="weekday_entropy", title="Spread over the week", title_zh="星期熵", unit="nats",
                description="Entropy over the seven weekdays, 90 days; null without transactions",
                sql=entropy(tuple(f"transaction_{day}_count_90d" for day in WEEKDAYS))),
        *(Feature(name=f"{day}_share", title=f"On {day.capitalize()}s", title_zh=f"{title_zh}交易占比", unit="share", windows=(90,),
                  description=f"Share of the customer's transactions on {day.capitalize()}s; null without any",
                  sql=ratio(f"transaction_{day}_count_{{w}}", "transaction_initiated_count_{w}")) for day, title_zh in zip(WEEKDAYS, _WEEKDAYS_ZH, strict=True)),
        Feature(name="gap_mean_days", title="Mean gap between active days", title_zh="平均交易间隔", unit="days",
                description="Mean days between active days of 365 days; null with fewer than two",
                sql=ratio("transaction_first_active_days_365d - transaction_silent_days_365d", "transaction_active_days_365d - 1")),
    ),
)  # fmt: skip
