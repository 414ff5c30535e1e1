"""Who the customer is and for how long. Static facts as the bank knew them on the as-of date."""

from __future__ import annotations

from features.finish import flag
from features.spec import RISK, SERVICE, Empty, Feature, FeatureGroup

_TENURE = "datediff(as_of_date, customer_opened_on)"
_EMPLOYED = flag("coalesce(customer_is_employee, false)")
_AGE = "floor(months_between(as_of_date, customer_birth_date) / 12)"
_BANDS = (("65_plus", 65), ("55_64", 55), ("45_54", 45), ("35_44", 35), ("25_34", 25), ("18_24", 18), ("under_18", 0))
_AGE_BAND = f"case {' '.join(f'when {_AGE} >= {since} then {name!r}' for name, since in _BANDS)} end"

GROUP = FeatureGroup(
    name="tenure", version=1, title="Tenure and identity", title_zh="客户关系",
    declared=(
        Feature(name="tenure_days", title="Tenure", title_zh="客户年限", unit="days", type="bigint", empty_means=Empty.STATED,
                description="Days since the relationship began", sql=_TENURE, stated=_TENURE),
        Feature(name="age_years", title="Age", title_zh="年龄", unit="years", type="int", empty_means=Empty.OWN,
                description="Completed years of age; null without a date of birth", sql=f"cast({_AGE} as int)"),
        Feature(name="age_band", title="Age band", title_zh="年龄段", unit="name", type="string", empty_means=Empty.OWN, sql=_AGE_BAND,
                description="under_18, 18_24, 25_34, 35_44, 45_54, 55_64 or 65_plus; null without a date of birth"),
        Feature(name="first_product_days", title="Days since the first product", title_zh="首个产品持有天数", unit="days", type="bigint",
                description="Days since the oldest account the customer owns was opened; null without accounts", sql="holding_first_opening_days"),
        Feature(name="kyc_risk", title="Know-your-customer grade", title_zh="尽职调查风险等级", unit="grade", type="int", empty_means=Empty.OWN,
                description="1 low to 5 high", sql="customer_kyc_risk", purposes=(RISK, SERVICE)),
        Feature(name="acquisition_channel", title="Acquisition channel", title_zh="获客渠道", unit="name", type="string", empty_means=Empty.OWN,
                description="Channel that won the customer", sql="customer_acquisition_channel"),
        Feature(name="occupation", title="Occupation", title_zh="职业", unit="name", type="string", empty_means=Empty.OWN,
                description="Occupation group as registered", sql="customer_occupation"),
        Feature(name="region", title="Region", title_zh="地区", unit="name", type="string", empty_means=Empty.OWN,
                description="Region or city of the home branch", sql="customer_region"),
        Feature(name="household_size", title="Household", title_zh="家庭客户数", unit="customers", type="bigint", empty_means=Empty.OWN,
                description="Customers of the bank in the same household on the date, the customer included; null where no household is known",
                sql="customer_household_size"),
        Feature(name="is_employee", title="Employee", title_zh="本行员工", unit="flag", type="int", empty_means=Empty.STATED,
                description="1 for people who work for the bank", sql=_EMPLOYED, stated=_EMPLOYED),
    ),
)  # fmt: skip
