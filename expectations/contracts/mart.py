"""Marts: what marketing and service systems read every night. One row means what `grain` says.

Columns that move by themselves every night (days since, percentiles) are not published: dates and bands are, so that
`updated_at` and the change feed tell of people, not of the calendar. Money is DECIMAL in the base currency.
"""

from __future__ import annotations

from dataclasses import dataclass

from expectations.contracts.odcs import Contract
from expectations.contracts.scores import BAND_LEGEND, BANDS, CHURN_UNSCORED, REASON_CODES, REASONS, VALUE_UNSCORED
from expectations.contracts.types import Column, RowRule, Sensitivity, Severity, Table, Write

C2 = Sensitivity.C2
SCHEMES = ("asset_tier", "behaviour", "risk_value")
# The contract, the vacuum and the table's log all keep to it.
HISTORY_DAYS = 35

# Reasons of a churn score that say how somebody repays: early warning, hence shown as "other".
WITHHELD_REASONS = ("credit",)
PUBLISHED_REASONS = tuple(code for code in REASON_CODES if code not in WITHHELD_REASONS)
REASON_LEGEND = {reason.code: f"{reason.title} {reason.title_zh}" for reason in REASONS if reason.code in PUBLISHED_REASONS}

CHURN_BANDS, VALUE_BANDS = (*BANDS, *CHURN_UNSCORED), (*BANDS, *VALUE_UNSCORED)

# Being a high risk is an early warning too: the class is published together with the one that says nothing.
MERGED_SEGMENTS = {("risk_value", "high_risk"): "general"}

# Reasons leave the bank as codes. INTERNAL stands for every reason that must not be told to anybody outside the
# departments concerned (collections, and whatever compliance adds), together, so that none can be told from another.
EMPLOYEE, MINOR, INACTIVE, CONTROL_GROUP, INTERNAL = "S10", "S20", "S30", "S50", "S90"
SUPPRESS_CODES = {
    EMPLOYEE: "works for the bank",
    MINOR: "under age",
    INACTIVE: "no active account: closed or dormant",
    CONTROL_GROUP: "global control group, never contacted, so that the effect of all marketing can be measured",
    INTERNAL: "internal hold; its reason is not disclosed",
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A column of a mart that shows a feature of the catalogue; reading it names the purpose.

    A column of type date shows a number of days, as the day that lies so far back, or ahead.
    """

    column: Column
    feature: str
    purpose: str = "marketing"
    is_ahead: bool = False


def _text(name: str, description: str, *, nullable: bool = True, one_of: tuple[str, ...] = ()) -> Column:
    return Column(name=name, type="string", description=description, nullable=nullable, one_of=one_of)


def _carried(name: str, type_: str, description: str, *, nullable: bool = False) -> Column:
    return Column(name=name, type=type_, description=description, nullable=nullable, is_content=False)


def _flag(name: str, description: str) -> Column:
    return Column(name=name, type="boolean", description=description, nullable=False)


def _segment(scheme: str, title: str) -> tuple[Column, ...]:
    return (
        _text(scheme, f"{title}: code"),
        _text(f"{scheme}_title", f"{title}: name in English"),
        _text(f"{scheme}_title_zh", f"{title}: name in Chinese"),
    )


CUSTOMER_KEY = Column(
    name="customer_key", type="bigint", description="Keyed hash of the customer's source id", nullable=False, sensitivity=C2
)
AS_OF_DATE = _carried(
    "as_of_date", "date", "As-of date of the publication that last changed the row; for that of the table see ops.publish_log"
)
CONTRACT_VERSION = _carried("contract_version", "string", "Version of the contract that the row was written under")
RUN_ID = _carried("run_id", "string", "Run that last changed the row, see ops.run")


def _shows(
    feature: str, name: str, type_: str, description: str, *, unit: str = "", purpose: str = "marketing", is_ahead: bool = False
) -> Published:
    column = Column(name=name, type=type_, description=description, unit=unit, sensitivity=C2)
    return Published(column=column, feature=feature, purpose=purpose, is_ahead=is_ahead)


MONEY = "decimal(18,2)"
SHARE = "decimal(5,4)"
PUBLISHED_FEATURES = (
    _shows("tenure__age_years", "age_years", "int", "Completed years of age", unit="years"),
    _shows("tenure__region", "region", "string", "Region or city of the home branch"),
    _shows("holdings__product_count", "product_count", "int", "Products held", unit="products"),
    _shows("holdings__has_demand", "has_current_account", "boolean", "Holds a current account"),
    _shows("holdings__has_term", "has_term_deposit", "boolean", "Holds a term deposit"),
    _shows("holdings__has_recurring", "has_recurring_deposit", "boolean", "Holds a recurring deposit"),
    _shows("holdings__has_wealth", "has_wealth_product", "boolean", "Holds a wealth product"),
    _shows("holdings__has_credit_card", "has_credit_card", "boolean", "Holds a credit card"),
    _shows("holdings__has_mortgage", "has_mortgage", "boolean", "Holds a mortgage"),
    _shows("balances__aum_eod", "assets", MONEY, "Assets at the end of the day", unit="base currency"),
    _shows("deposits_recurring__matures_in_days", "recurring_matures_on", "date", "Next maturity of a recurring deposit", is_ahead=True),
    _shows("activity__days_since_last", "last_active_on", "date", "Last transaction that the customer made"),
    _shows("activity__txn_count_30d", "transactions_30d", "int", "Transactions of the last 30 days", unit="transactions"),
    _shows("cash_flow__has_income_90d", "has_income", "boolean", "Salary or pension is paid here, last 90 days"),
    _shows("channels__preferred_channel", "preferred_channel", "string", "Channel used most"),
    _shows("channels__digital_share_90d", "digital_share_90d", SHARE, "Share of contacts made online, last 90 days", unit="share"),
    _shows("channels__login_gap_days", "last_login_on", "date", "Last login"),
    _shows("channels__complaint_count_180d", "complaints_180d", "int", "Complaints of the last 180 days", unit="complaints"),
    _shows("dormancy__is_dormant", "is_dormant", "boolean", "Sleeping customer: a year without a transaction, next to nothing left"),
    _shows("dormancy__latent_credit", "has_latent_credit_need", "boolean", "No loan here, but signs of a need for one"),
    _shows("value__rfm_cell", "rfm_cell", "int", "Recency, frequency and amount grades as three digits", unit="cell"),
)  # fmt: skip

CUSTOMER_360 = Table(
    layer="mart", name="customer_360", title="Customer 360", title_zh="统一客户视图",
    grain="customer open on the as-of date of the newest publication", key=("customer_key",),
    write=Write.CHANGED, change_feed=True, history_days=HISTORY_DAYS, owner="marketing-data",
    columns=(
        CUSTOMER_KEY,
        AS_OF_DATE,
        CONTRACT_VERSION,
        RUN_ID,
        Column(name="customer_since", type="date", description="First day of the relationship", nullable=False),
        Column(name="tenure_months", type="int", description="Whole months since customer_since", unit="months", nullable=False, minimum=0),
        *_segment("asset_tier", "Asset tier"),
        *_segment("behaviour", "Behaviour, frequency × amount"),
        *_segment("risk_value", "Risk × value class"),
        *(published.column for published in PUBLISHED_FEATURES),
        Column(name="churn_probability", type="decimal(5,4)", description="Calibrated probability of becoming inactive; null: no model in force, or not scored, see churn_band",
               unit="share", minimum=0, maximum=1, sensitivity=C2),
        _text("churn_band", "Band of churn_probability, or why there is none", one_of=CHURN_BANDS),
        _text("churn_reason_1", "Strongest reason, a code of the reason catalogue", one_of=PUBLISHED_REASONS),
        _text("churn_reason_2", "Second reason", one_of=PUBLISHED_REASONS),
        _text("churn_reason_3", "Third reason", one_of=PUBLISHED_REASONS),
        _carried("churn_model_version", "string", "Registered version of the churn model", nullable=True),
        Column(name="value_12m", type="decimal(18,2)", description="Expected realised margin over the next 12 months; null: no model in force, or not scored, see value_band",
               unit="base currency", sensitivity=C2),
        _text("value_band", "Band of value_12m, or why there is none", one_of=VALUE_BANDS),
        _carried("value_model_version", "string", "Registered version of the value model", nullable=True),
        _flag("consent_marketing", "Agreed to marketing; a missing consent is a no"),
        _flag("consent_profiling", "Agreed to profiling; a missing consent is a no"),
        _flag("optin_sms", "May be written to by text message"),
        _flag("optin_push", "May be sent push messages"),
        _flag("optin_email", "May be written to by e-mail"),
        _flag("optin_call", "May be called"),
        Column(name="suppress_reason", type="array<string>", description="Codes of why the customer must not be contacted, sorted; empty: none", nullable=False),
        _flag("marketable_flag", "Both consents, at least one channel opted in, and no suppress_reason"),
    ),
    rules=(
        RowRule(id="marketable_without_consent", offends="marketable_flag and not (consent_marketing and consent_profiling)",
                because="nobody is contacted without consent", severity=Severity.STOP),
        RowRule(id="marketable_while_suppressed", offends="marketable_flag and size(suppress_reason) > 0",
                because="nobody is contacted against a suppression", severity=Severity.STOP),
    ),
)  # fmt: skip

CUSTOMER_360_TOMBSTONE = Table(
    layer="mart", name="customer_360_tombstone", title="Customers who left customer 360", title_zh="统一客户视图退出记录",
    grain="customer × date of leaving", key=("customer_key", "left_on"), write=Write.APPEND, change_feed=True, history_days=HISTORY_DAYS,
    owner="marketing-data", date="left_on",
    columns=(
        CUSTOMER_KEY,
        Column(name="left_on", type="date", description="As-of date of the publication without the customer", nullable=False),
        _text("reason", "closed: the relationship ended; merged: another key goes on; absent: neither", nullable=False,
              one_of=("closed", "merged", "absent")),
    ),
)  # fmt: skip

SEGMENT_LIST = Table(
    layer="mart", name="segment_list", title="Segment lists for marketing", title_zh="营销客群名单",
    grain="marketable customer × segmentation scheme", key=("customer_key", "scheme"), write=Write.CHANGED, change_feed=True,
    history_days=HISTORY_DAYS, owner="marketing-data",
    columns=(
        CUSTOMER_KEY,
        _text("scheme", "Segmentation scheme", nullable=False, one_of=SCHEMES),
        AS_OF_DATE,
        CONTRACT_VERSION,
        RUN_ID,
        _text("segment", "Segment: code", nullable=False),
        _text("segment_title", "Segment: name in English", nullable=False),
        _text("segment_title_zh", "Segment: name in Chinese", nullable=False),
        Column(name="since", type="date", description="First day of the current membership; null: not known, or not told"),
    ),
)  # fmt: skip

TABLES = (CUSTOMER_360, CUSTOMER_360_TOMBSTONE, SEGMENT_LIST)

CONTRACTS = (
    Contract(
        table=CUSTOMER_360, version="1.1.0",
        purpose="One row per open customer for campaigns and service: segments, behaviour, expected churn and value, consent.",
        usage="Read the version that the newest ops.publish_log entry of mart.customer_360 names; follow the change feed or updated_at. "
              "Contact only where marketable_flag is true, through channels whose optin_ column is true.",
        limitations="Not for credit decisions and not for prices. Holds no anti-money-laundering or early-warning fact: the risk_value class general "
                    "holds everybody who is neither prime credit nor of potential. "
                    "A suppress_reason says that, not why: asking on behalf of a customer is not permitted.",
        legends={
            "suppress_reason": SUPPRESS_CODES, **{f"churn_reason_{n}": REASON_LEGEND for n in (1, 2, 3)},
            "churn_band": {code: BAND_LEGEND[code] for code in CHURN_BANDS}, "value_band": {code: BAND_LEGEND[code] for code in VALUE_BANDS},
        },
    ),
    Contract(
        table=CUSTOMER_360_TOMBSTONE, version="1.0.0",
        purpose="Who has left mart.customer_360 and when, for systems that load by upsert and would keep people for ever.",
        usage="Delete the listed keys unless mart.customer_360 holds them again.",
        limitations="Merged customers go on under another key, which is not given here.",
    ),
    Contract(
        table=SEGMENT_LIST, version="1.0.0",
        purpose="Audience lists: which marketable customer is in which segment of each scheme, and since when.",
        usage="Filter by scheme and segment. A customer who stops being marketable leaves the list the same night.",
        limitations="Only customers who may be contacted are listed: counts are not sizes of segments. Consent per channel is in mart.customer_360.",
    ),
)  # fmt: skip
