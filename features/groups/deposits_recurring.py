"""Recurring deposits (零存整取): are instalments paid, on time, and what happens at the end."""

from __future__ import annotations

import math

from features.finish import deviation, flag, money, ratio
from features.spec import Empty, Feature, FeatureGroup

_GAPS = tuple(f"({part})" for part in (
    "plan_instalment_paid_days_{w} - 1", "plan_instalment_first_paid_days_{w} - plan_instalment_paid_gap_days_{w}", "plan_instalment_paid_gap_squares_{w}",
))  # fmt: skip
_PAID = tuple(f"plan_instalment_paid_{part}_{{w}}" for part in ("days", "units", "squares"))
# Length of the mean direction of the payment days: 1 when all are the same, 0 when they are spread evenly (Mardia and Jupp, 2000, 2.3.1).
_COS, _SIN = (f"plan_instalment_{part}_millionths_{{w}} / 1e6" for part in ("cos", "sin"))
_CLOSENESS = ratio(f"sqrt(({_COS}) * ({_COS}) + ({_SIN}) * ({_SIN}))", "plan_instalment_paid_count_{w}")

GROUP = FeatureGroup(
    name="deposits_recurring", version=1, title="Recurring deposits", title_zh="零存整取",
    declared=(
        Feature(name="plan_count", title="Running plans", title_zh="进行中计划数", unit="plans", type="bigint", empty_means=Empty.ZERO,
                description="Plans that run on the date", sql="plan_open_count"),
        Feature(name="has_plan", title="Plan running", title_zh="持有零存整取", unit="flag", type="int", empty_means=Empty.ZERO,
                description="1 with a plan that runs on the date", sql=flag("plan_open_count > 0")),
        Feature(name="instalment_agreed", title="Instalments agreed", title_zh="约定月存额", unit="base currency", empty_means=Empty.ZERO,
                description="Sum of the instalments of the running plans", sql=money("plan_instalment")),
        Feature(name="planned_months", title="Planned months", title_zh="计划期数", unit="months", type="bigint",
                description="Instalments agreed in the longest running plan; null without one, or open ended", sql="plan_planned_months"),
        Feature(name="matures_in_days", title="Days to maturity", title_zh="距到期天数", unit="days", type="bigint",
                description="Days until the next running plan matures", sql="plan_matures_in_days"),
        Feature(name="due_count", title="Instalments due", title_zh="应存期数", unit="instalments", type="bigint", windows=(365,), empty_means=Empty.ZERO,
                description="Instalments that fell due", sql="plan_instalment_due_count_{w}"),
        Feature(name="missed_count", title="Instalments missed", title_zh="漏存期数", unit="instalments", type="bigint", windows=(90, 365), empty_means=Empty.ZERO,
                description="Instalments not paid by their due day", sql="plan_instalment_missed_count_{w}"),
        Feature(name="on_time_share", title="Paid on time", title_zh="按时缴存率", unit="share", windows=(365,),
                description="Share of due instalments that were paid by their due day; null without any",
                sql=ratio("plan_instalment_due_count_{w} - plan_instalment_missed_count_{w}", "plan_instalment_due_count_{w}")),
        Feature(name="missed_gap_days", title="Days since the last miss", title_zh="距上次漏存天数", unit="days", type="bigint",
                description="Days since the last missed instalment of the last 365 days; null without one", sql="plan_instalment_missed_gap_days_365d"),
        Feature(name="streak", title="Instalments in a row", title_zh="连续按时期数", unit="instalments", type="bigint", windows=(365,), empty_means=Empty.ZERO,
                description="Instalments that fell due since the last miss, all paid on time", sql="plan_instalment_streak_{w}"),
        Feature(name="paid_day_std", title="Spread of payment days", title_zh="缴存日离散度", unit="days", windows=(365,),
                description="Circular standard deviation of the days of the month of payments, a month of 31 days being the circle; null without payments",
                sql=f"case when plan_instalment_paid_count_{{w}} > 0 then sqrt(-2 * ln(greatest(0.000001, least(1e0, {_CLOSENESS})))) * 31 / {2 * math.pi!r} end"),
        Feature(name="paid_cv", title="Unrest of payments", title_zh="缴存金额波动系数", unit="ratio", windows=(365,),
                description="Standard deviation over mean of the days' payments, in whole units; null without payments",
                sql=ratio(f"({deviation(*_PAID)}) * plan_instalment_paid_days_{{w}}", "plan_instalment_paid_units_{w}")),
        Feature(name="regularity", title="Regularity of payments", title_zh="缴存规律性", unit="ratio", windows=(365,),
                description="1 less standard deviation over mean of the gaps between payment days; 1 for equal gaps, null with fewer than two payment days",
                sql=f"1 - {ratio(f'({deviation(*_GAPS)}) * {_GAPS[0]}', _GAPS[1])}"),
        Feature(name="rollover_share", title="Rolled over", title_zh="到期转存率", unit="share", windows=(365,),
                description="Share of the plans ended in the window that were rolled over", sql=ratio("plan_rolled_over_{w}", "plan_ended_{w}")),
        Feature(name="broken_count", title="Plans broken", title_zh="提前支取计划数", unit="plans", type="bigint", windows=(365,), empty_means=Empty.ZERO,
                description="Plans that ended before maturity", sql="plan_broken_{w}"),
    ),
)  # fmt: skip
