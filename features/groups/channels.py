"""Which way customers come to the bank: logins, branch, ATM, call centre, pushes, complaints. Pushes are no visits."""

from __future__ import annotations

from features.finish import dominant, entropy, ratio
from features.sources.channel import CHANNELS, DIGITAL
from features.spec import CREDIT, RISK, SERVICE, Empty, Feature, FeatureGroup

_COUNTS = tuple((f"channel_{channel}_count_90d", channel) for channel in CHANNELS)
_DECAYED = tuple((f"channel_{channel}_decayed_360d", channel) for channel in CHANNELS)
_COLUMNS = tuple(column for column, _ in _COUNTS)

GROUP = FeatureGroup(
    name="channels", version=1, title="Channels", title_zh="渠道行为",
    declared=(
        Feature(name="login_gap_days", title="Days since the last login", title_zh="距上次登录天数", unit="days", type="bigint",
                description="Days since the last login by app, web or WeChat; null when there is none in 365 days", sql="channel_login_gap_days_365d"),
        Feature(name="mobile_login_gap_days", title="Days since the last mobile login", title_zh="距上次手机登录天数", unit="days", type="bigint",
                description="Days since the last login by app or WeChat; null when there is none in 365 days", sql="channel_mobile_login_gap_days_365d"),
        Feature(name="login_count", title="Logins", title_zh="登录次数", unit="logins", type="bigint", windows=(7, 30, 90), empty_means=Empty.ZERO,
                description="Logins by app, web or WeChat", sql="channel_login_count_{w}"),
        Feature(name="login_trend", title="Trend of logins", title_zh="登录趋势", unit="ratio",
                description="Logins of 30 days, times 3, over those of 90 days; null without any",
                sql=ratio("channel_login_count_30d * 3", "channel_login_count_90d")),
        Feature(name="visit_days", title="Days with a visit", title_zh="到访天数", unit="days", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Days with an event on any channel", sql="channel_visit_days_{w}"),
        Feature(name="function_count", title="Functions used", title_zh="使用功能数", unit="functions", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Different functions and pages used", sql="channel_function_count_{w}"),
        Feature(name="channel_entropy", title="Variety of channels", title_zh="渠道熵", unit="nats",
                description="Entropy of events over the six channels, 90 days; null without any", sql=entropy(_COLUMNS)),
        Feature(name="preferred_channel", title="Preferred channel", title_zh="偏好渠道", unit="name", type="string",
                description="Channel with most events of 90 days, the more digital one at a tie; null without any", sql=dominant(_COUNTS)),
        Feature(name="preferred_share", title="Share of the preferred channel", title_zh="偏好渠道占比", unit="share",
                description="Share of events on the preferred channel, 90 days",
                sql=ratio(f"greatest({', '.join(_COLUMNS)})", " + ".join(_COLUMNS))),
        Feature(name="habitual_channel", title="Habitual channel", title_zh="习惯渠道", unit="name", type="string",
                description="Channel with most events of 360 days, those of every 30 days before counting half; the more digital one at a tie; null without any",
                sql=dominant(_DECAYED)),
        Feature(name="habitual_share", title="Share of the habitual channel", title_zh="习惯渠道置信度", unit="share",
                description="Share of the habitual channel in events so counted: how sure it is",
                sql=ratio(f"greatest({', '.join(column for column, _ in _DECAYED)})", " + ".join(column for column, _ in _DECAYED))),
        Feature(name="digital_share", title="Digital share", title_zh="线上渠道占比", unit="share", windows=(90,),
                description="Share of events on app, web and WeChat; null without any",
                sql=ratio(" + ".join(f"channel_{channel}_count_{{w}}" for channel in DIGITAL), "channel_visit_count_{w}")),
        Feature(name="branch_count", title="Branch visits", title_zh="网点到访次数", unit="events", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Events at a branch", sql="channel_branch_count_{w}"),
        Feature(name="atm_count", title="ATM visits", title_zh="自助设备次数", unit="events", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Events at an ATM", sql="channel_atm_count_{w}"),
        Feature(name="call_count", title="Calls", title_zh="客服来电次数", unit="events", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Events at the call centre", sql="channel_call_centre_count_{w}"),
        Feature(name="push_open_rate", title="Pushes opened", title_zh="推送打开率", unit="share", windows=(90,),
                description="Pushes opened over pushes sent; null without pushes", sql=ratio("channel_push_opened_count_{w}", "channel_push_sent_count_{w}")),
        Feature(name="complaint_count", title="Complaints", title_zh="投诉次数", unit="complaints", type="bigint", windows=(180,), empty_means=Empty.ZERO,
                description="Complaints", sql="channel_complaint_count_{w}"),
        Feature(name="enquiry_count", title="Enquiries", title_zh="咨询次数", unit="enquiries", type="bigint", windows=(90,), empty_means=Empty.ZERO,
                description="Credit and product enquiries", sql="channel_enquiry_count_{w}"),
        Feature(name="closing_count", title="Looks at closing an account", title_zh="销户页面访问", unit="events", type="bigint", windows=(90,),
                empty_means=Empty.ZERO, description="Visits to the function that closes an account", sql="channel_closing_count_{w}"),
        Feature(name="device_change_count", title="Changes of device", title_zh="换机次数", unit="events", type="bigint", windows=(30,), empty_means=Empty.ZERO,
                description="Changes of device", sql="channel_device_change_count_{w}", purposes=(RISK, SERVICE, CREDIT)),
    ),
)  # fmt: skip
