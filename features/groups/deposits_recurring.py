"""Recurring deposits (零存整取): are instalments paid, on time, and what happens at the end."""

from __future__ import annotations

from features.finish import money, ratio
from features.spec import Empty, Feature, FeatureGroup

GROUP = FeatureGroup(
    name="deposits_recurring", version=1, title="Recurring deposits", title_zh="零存整取",
    declared=(
        Feature(name="plan_count", title="Running plans", title_zh="进行中计划数", unit="plans", type="bigint", empty_means=Empty.ZERO,
                description="Plans that run on the date", sql="plan_open_count"),
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
        Feature(name="rollover_share", title="Rolled over", title_zh="到期转存率", unit="share", windows=(365,),
                description="Share of the plans ended in the window that were rolled over", sql=ratio("plan_rolled_over_{w}", "plan_ended_{w}")),
        Feature(name="broken_count", title="Plans broken", title_zh="提前支取计划数", unit="plans", type="bigint", windows=(365,), empty_means=Empty.ZERO,
                description="Plans that ended before maturity", sql="plan_broken_{w}"),
    ),
)  # fmt: skip
