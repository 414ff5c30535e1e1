"""Core tables: the bank's facts after ingest. One row means what `grain` says; see docs for the dictionary.

Money is BIGINT in minor units of its own currency (`*_minor`) and of the base currency (`*_base_minor`).
Ids of people and accounts are keyed hashes (BIGINT), numbers of contracts and cards too (hex): from a contract's number
its customer's can often be read. Names live in core.customer_identity only.
"""

from __future__ import annotations

from expectations.contracts.types import KNOWN, VALID, Column, RowRule, Sensitivity, Severity, Table, Write

C2 = Sensitivity.C2


def _key(name: str, of: str, *, nullable: bool = False) -> Column:
    return Column(name=name, type="bigint", description=f"Keyed hash of the {of}'s source id", nullable=nullable, sensitivity=C2)


def _contract(name: str, of: str) -> Column:
    return Column(name=name, type="string", description=f"Keyed hash of the {of}'s number, hex", nullable=False, sensitivity=C2)


def _date(name: str, description: str, *, nullable: bool = True) -> Column:
    return Column(name=name, type="date", description=description, nullable=nullable)


def _text(name: str, description: str, *, nullable: bool = True, one_of: tuple[str, ...] = ()) -> Column:
    return Column(name=name, type="string", description=description, nullable=nullable, one_of=one_of)


def _money(name: str, description: str, *, nullable: bool = True, minimum: int | None = None) -> Column:
    return Column(name=name, type="bigint", description=description, unit="minor units", nullable=nullable, minimum=minimum, sensitivity=C2)


def _count(name: str, description: str, *, unit: str, nullable: bool = True, minimum: int | None = None) -> Column:
    return Column(name=name, type="int", description=description, unit=unit, nullable=nullable, minimum=minimum)


CUSTOMER_KEY = _key("customer_key", "customer")
ACCOUNT_KEY = _key("account_key", "account")
BUSINESS_DATE = _date("business_date", "Bank day the fact belongs to: time in the bank's zone, shifted by its cut-off", nullable=False)
CURRENCY = _text("currency", "ISO 4217 code", nullable=False)
# An instalment paid early counts before it falls due; that it was paid late says nothing of the days before.
PAID_OR_DUE, PAID = "least(due_on, paid_on)", ("paid_on", "paid_minor")

CHANNELS = ("app", "web", "wechat", "branch", "atm", "call_centre")
TRANSACTION_TYPES = (
    "salary", "pension", "transfer", "purchase", "cash_deposit", "cash_withdrawal", "rent", "utility", "insurance",
    "tuition", "loan_drawdown", "loan_payment", "card_payment", "interest", "fee", "tax", "wealth_buy", "wealth_sell",
    "plan_instalment", "refund", "standing_order", "fx", "other", "settlement",
)  # fmt: skip
PRODUCT_FAMILIES = ("demand", "term", "recurring", "wealth", "credit_card", "consumer_loan", "mortgage", "debit_card", "other")

CUSTOMER = Table(
    layer="core", name="customer", title="Customers", title_zh="客户",
    grain="customer × validity interval", key=("customer_key",), write=Write.INTERVALS, interval=VALID, change_feed=True,
    columns=(
        CUSTOMER_KEY,
        Column(name="birth_date", type="date", description="Date of birth", sensitivity=C2),
        _text("gender", "F or M, as registered", one_of=("F", "M")),
        _date("opened_on", "First day of the relationship", nullable=False),
        _date("closed_on", "Day the relationship ended"),
        _text("branch_id", "Home branch"),
        _text("region", "Region or city of the home branch"),
        _text("occupation", "Occupation group"),
        _count("kyc_risk", "Know-your-customer risk, 1 low to 5 high", unit="grade", minimum=1),
        _text("acquisition_channel", "Channel that won the customer"),
        _key("household_key", "household", nullable=True),
        Column(name="is_employee", type="boolean", description="Works for the bank"),
        _money("preapproved_limit_minor", "Loan approved before it is asked for, in the base currency; null: none", minimum=0),
        _text("status", "active or closed", nullable=False, one_of=("active", "closed")),
    ),
    rules=(
        RowRule(id="closed_before_opened", offends="closed_on < opened_on", because="a relationship ends after it began"),
        RowRule(id="born_after_opening", offends="birth_date > opened_on", because="nobody opens an account before birth"),
    ),
)  # fmt: skip

CUSTOMER_IDENTITY = Table(
    layer="core", name="customer_identity", title="Customer identities", title_zh="客户身份", restricted=True,
    grain="customer × validity interval", key=("customer_key",), write=Write.INTERVALS, interval=VALID,
    columns=(
        CUSTOMER_KEY,
        _text("source_system", "System the id comes from", nullable=False),
        Column(name="source_id", type="string", description="Customer number in that system", nullable=False, sensitivity=C2),
        Column(name="full_name", type="string", description="Name", sensitivity=C2),
        Column(name="id_number", type="string", description="National identity number", sensitivity=C2),
        Column(name="mobile", type="string", description="Mobile phone number", sensitivity=C2),
    ),
)  # fmt: skip

CUSTOMER_MERGE = Table(
    layer="core", name="customer_merge", title="Merged customers", title_zh="客户合并", restricted=True,
    grain="merged customer × validity interval", key=("customer_key",), write=Write.INTERVALS, interval=VALID, change_feed=True, date="merged_on",
    columns=(
        CUSTOMER_KEY,
        _key("survivor_key", "surviving customer"),
        _date("merged_on", "Day from which the survivor owns the history", nullable=False),
    ),
    rules=(RowRule(id="merged_with_itself", offends="customer_key = survivor_key", because="a customer survives another one"),),
)  # fmt: skip

ACCOUNT = Table(
    layer="core", name="account", title="Accounts", title_zh="账户",
    grain="account × validity interval", key=("account_key",), write=Write.INTERVALS, interval=VALID, change_feed=True,
    columns=(
        ACCOUNT_KEY,
        _text("product_code", "Product, see core.product", nullable=False),
        CURRENCY,
        _text("branch_id", "Branch that keeps the account"),
        _date("opened_on", "Day of opening", nullable=False),
        _date("closed_on", "Day of closing"),
        _date("matures_on", "Day a term deposit or wealth product matures"),
        Column(name="annual_rate_ppm", type="int", description="Contract rate a year", unit="parts per million"),
        _text("opening_channel", "Channel of opening"),
        _text("status", "active, dormant or closed", nullable=False, one_of=("active", "dormant", "closed")),
    ),
    rules=(RowRule(id="closed_before_opened", offends="closed_on < opened_on", because="an account ends after it began"),),
)  # fmt: skip

ACCOUNT_PARTY = Table(
    layer="core", name="account_party", title="Account parties", title_zh="账户关系人",
    grain="account × customer × validity interval", key=("account_key", "customer_key"), write=Write.INTERVALS, interval=VALID, change_feed=True,
    columns=(
        ACCOUNT_KEY,
        CUSTOMER_KEY,
        _text("role", "owner (primary), joint, or authorised user", nullable=False, one_of=("owner", "joint", "authorised")),
        _date("held_from", "First day of the role", nullable=False),
        _date("held_to", "Last day of the role; null: still"),
    ),
    rules=(RowRule(id="held_backwards", offends="held_to < held_from", because="a role ends after it began"),),
)  # fmt: skip

PRODUCT = Table(
    layer="core", name="product", title="Products", title_zh="产品",
    grain="product × validity interval", key=("product_code",), write=Write.INTERVALS, interval=VALID,
    columns=(
        _text("product_code", "Product", nullable=False),
        _text("family", "Kind of product", nullable=False, one_of=PRODUCT_FAMILIES),
        _text("title_en", "Name in English"),
        _text("title_zh", "Name in Chinese"),
        Column(name="is_asset", type="boolean", description="Counts in assets under management", nullable=False),
    ),
)  # fmt: skip

RATE = Table(
    layer="core", name="rate", title="Rates", title_zh="利率与汇率",
    grain="kind × code × validity interval", key=("kind", "code"), write=Write.INTERVALS, interval=VALID,
    columns=(
        _text("kind", "fx: base per unit; transfer: funds transfer price; paid or earned: client rate; unit_cost: base currency an event",
              nullable=False, one_of=("fx", "transfer", "client", "unit_cost", "loss")),
        _text("code", "Currency, product or channel", nullable=False),
        Column(name="value_ppm", type="bigint", description="Rate", unit="parts per million", nullable=False, minimum=0),
    ),
)  # fmt: skip

CONSENT = Table(
    layer="core", name="consent", title="Consents", title_zh="客户授权",
    grain="customer × purpose × validity interval", key=("customer_key", "purpose"), write=Write.INTERVALS, interval=VALID,
    columns=(
        CUSTOMER_KEY,
        _text("purpose", "What is consented to", nullable=False, one_of=("marketing", "profiling", "sms", "push", "email", "call")),
        Column(name="is_granted", type="boolean", description="Granted; a missing consent is a no", nullable=False),
    ),
)  # fmt: skip

TRANSACTION = Table(
    layer="core", name="transaction", title="Transactions", title_zh="交易流水",
    grain="transaction × known interval, one current image", key=("transaction_id",), write=Write.INTERVALS, interval=KNOWN,
    date="business_date", partition_by=("month",), change_feed=True,
    columns=(
        _text("transaction_id", "Id in the source", nullable=False),
        ACCOUNT_KEY,
        _key("customer_key", "primary owner on the business date (customer)"),
        BUSINESS_DATE,
        Column(name="occurred_at", type="timestamp", description="Instant, UTC; the start of the bank day where the source has no time of day", nullable=False),
        _count("local_hour", "Hour in the bank's time zone; null where the source has no time of day", unit="hour", minimum=0),
        _text("direction", "in: credited; out: debited", nullable=False, one_of=("in", "out")),
        _money("amount_minor", "Amount in its currency", nullable=False, minimum=0),
        CURRENCY,
        _money("amount_base_minor", "Amount in the base currency by the day's rate", nullable=False),
        _text("type", "Kind of transaction; settlement: an acquirer pays a merchant (in) or takes a refund back (out)", nullable=False, one_of=TRANSACTION_TYPES),
        _text("channel", "Channel used; null where nobody initiated it", one_of=CHANNELS),
        Column(name="is_customer_initiated", type="boolean", description="The customer did it: no salary, fee, interest or standing order", nullable=False),
        _key("counterparty_key", "counterparty", nullable=True),
        _text("counterparty_bank", "Bank of the counterparty; null: this bank or none"),
        _text("mcc_group", "Merchant category group of a purchase"),
        _key("merchant_key", "merchant", nullable=True),
        Column(name="is_cross_border", type="boolean", description="Crosses the border", nullable=False),
    ),
    rules=(
        RowRule(id="future_event", offends="business_date > delivered_for", because="an event can't be later than the business date of its delivery"),
        RowRule(id="no_owner", offends="customer_key is null and account_key is not null", because="the account has no primary owner on the business date"),
    ),
)  # fmt: skip

BALANCE_DAILY = Table(
    layer="core", name="balance_daily", title="End-of-day balances", title_zh="日终余额",
    grain="account × business_date on which it moved, and month-ends; × known interval",
    key=("account_key", "business_date"), write=Write.INTERVALS, interval=KNOWN,
    date="business_date", partition_by=("month",), change_feed=True,
    columns=(
        ACCOUNT_KEY,
        BUSINESS_DATE,
        _key("customer_key", "primary owner on the business date (customer)"),
        CURRENCY,
        _money("balance_minor", "Ledger balance at the end of the day; holds until the next one", nullable=False),
        _money("balance_base_minor", "The same in the base currency by the day's rate", nullable=False),
    ),
    rules=(
        RowRule(id="future_event", offends="business_date > delivered_for", because="a balance can't be later than the business date of its delivery"),
        RowRule(id="no_owner", offends="customer_key is null and account_key is not null", because="the account has no primary owner on the business date"),
    ),
)  # fmt: skip

CHANNEL_EVENT = Table(
    layer="core", name="channel_event", title="Channel events", title_zh="渠道行为",
    grain="event × known interval, one current image", key=("event_id",), write=Write.INTERVALS, interval=KNOWN,
    date="business_date", partition_by=("month",), change_feed=True,
    columns=(
        _text("event_id", "Id in the source", nullable=False),
        CUSTOMER_KEY,
        BUSINESS_DATE,
        Column(name="occurred_at", type="timestamp", description="Instant, UTC", nullable=False),
        _text("channel", "Channel", nullable=False, one_of=CHANNELS),
        _text("event_type", "What happened", nullable=False,
              one_of=("login", "view", "transact", "service", "push_sent", "push_opened", "complaint", "enquiry", "device_change")),
        _text("function", "Function or page used"),
        _key("device_key", "device", nullable=True),
    ),
    rules=(
        RowRule(id="future_event", offends="business_date > delivered_for", because="an event can't be later than the business date of its delivery"),
        RowRule(id="unknown_customer", offends="not customer_is_known", because="no such customer in core.customer on the business date"),
    ),
)  # fmt: skip

CREDIT_ACCOUNT = Table(
    layer="core", name="credit_account", title="Loans and cards", title_zh="贷款与信用卡",
    grain="credit account × business_date of change × known interval", key=("credit_account_id", "business_date"),
    write=Write.INTERVALS, interval=KNOWN, date="business_date", partition_by=("month",), change_feed=True,
    columns=(
        _contract("credit_account_id", "loan or card contract"),
        BUSINESS_DATE,
        ACCOUNT_KEY,
        _key("customer_key", "primary owner on the business date (customer)"),
        _text("kind", "loan or card", nullable=False, one_of=("loan", "card")),
        _text("product_code", "Product", nullable=False),
        CURRENCY,
        _date("opened_on", "Contract date", nullable=False),
        _date("matures_on", "Last due day of a loan"),
        _money("limit_minor", "Principal of a loan, limit of a card", minimum=0),
        _money("balance_minor", "Outstanding; null where the source does not tell", minimum=0),
        _money("minimum_payment_minor", "Minimum payment of the last statement"),
        _money("last_payment_minor", "Last payment"),
        Column(name="annual_rate_ppm", type="int", description="Contract rate a year", unit="parts per million"),
        _count("days_past_due", "Days past due", unit="days", minimum=0),
        _text("status", "Contract status", nullable=False, one_of=("active", "closed", "default")),
    ),
    rules=(
        RowRule(id="future_event", offends="business_date > delivered_for", because="a change can't be later than the business date of its delivery"),
        RowRule(id="no_owner", offends="customer_key is null and account_key is not null", because="the account has no primary owner on the business date"),
    ),
)  # fmt: skip

CREDIT_INSTALMENT = Table(
    layer="core", name="credit_instalment", title="Loan instalments", title_zh="贷款分期",
    grain="credit account × instalment × known interval", key=("credit_account_id", "instalment_no"),
    write=Write.INTERVALS, interval=KNOWN, date="due_on", partition_by=("month",),
    counts_from=PAID_OR_DUE, closing=PAID, change_feed=True,
    columns=(
        _contract("credit_account_id", "loan contract"),
        _count("instalment_no", "1 for the first", unit="instalments", nullable=False, minimum=1),
        CUSTOMER_KEY,
        _date("due_on", "Due day", nullable=False),
        _money("due_minor", "Due", nullable=False, minimum=0),
        _date("paid_on", "Day of (last) payment; null: not paid"),
        _money("paid_minor", "Paid so far", minimum=0),
    ),
)  # fmt: skip

DEPOSIT_PLAN = Table(
    layer="core", name="deposit_plan", title="Recurring deposits", title_zh="零存整取",
    grain="plan × known interval", key=("plan_id",), write=Write.INTERVALS, interval=KNOWN,
    counts_from="started_on", closing=("closed_on", "status"), change_feed=True,
    columns=(
        _contract("plan_id", "plan"),
        ACCOUNT_KEY,
        CUSTOMER_KEY,
        _date("started_on", "Day of the first instalment", nullable=False),
        _date("matures_on", "Day of maturity"),
        _date("closed_on", "Day the plan ended, at maturity or before"),
        _count("planned_months", "Instalments agreed; null: open ended", unit="months", minimum=1),
        _money("instalment_minor", "Instalment agreed", nullable=False, minimum=0),
        CURRENCY,
        _text("status", "active, matured, rolled_over or broken", nullable=False, one_of=("active", "matured", "rolled_over", "broken")),
    ),
)  # fmt: skip

DEPOSIT_INSTALMENT = Table(
    layer="core", name="deposit_instalment", title="Instalments of recurring deposits", title_zh="零存整取缴存",
    grain="plan × instalment × known interval", key=("plan_id", "instalment_no"), write=Write.INTERVALS, interval=KNOWN,
    date="due_on", partition_by=("month",),
    counts_from=PAID_OR_DUE, closing=PAID, change_feed=True,
    columns=(
        _contract("plan_id", "plan"),
        _count("instalment_no", "1 for the first", unit="instalments", nullable=False, minimum=1),
        CUSTOMER_KEY,
        _date("due_on", "Due day", nullable=False),
        _money("due_minor", "Due", nullable=False, minimum=0),
        _date("paid_on", "Day of payment; null: missed"),
        _money("paid_minor", "Paid", minimum=0),
    ),
)  # fmt: skip

CONTACT = Table(
    layer="core", name="contact", title="Campaign contacts", title_zh="营销触达",
    grain="campaign × customer × sent_at, with response; × known interval", key=("campaign_id", "customer_key", "sent_at"),
    write=Write.INTERVALS, interval=KNOWN, date="business_date", partition_by=("month",),
    columns=(
        _text("campaign_id", "Campaign", nullable=False),
        CUSTOMER_KEY,
        Column(name="sent_at", type="timestamp", description="Instant of sending (of assignment for the hold-out), UTC", nullable=False),
        BUSINESS_DATE,
        _text("arm", "treated, or control: the randomised hold-out", nullable=False, one_of=("treated", "control")),
        _text("channel", "Channel of the contact", one_of=(*CHANNELS, "sms", "push", "email", "call")),
        _text("response", "none, opened, clicked or converted", nullable=False, one_of=("none", "opened", "clicked", "converted")),
        Column(name="responded_at", type="timestamp", description="Instant of the response, UTC"),
    ),
    rules=(
        RowRule(id="future_event", offends="business_date > delivered_for", because="a contact can't be later than the business date of its delivery"),
        RowRule(id="unknown_customer", offends="not customer_is_known", because="no such customer in core.customer on the business date"),
    ),
)  # fmt: skip

STANDING_ORDER = Table(
    layer="core", name="standing_order", title="Standing orders", title_zh="自动转账指令",
    grain="standing order × validity interval", key=("standing_order_id",), write=Write.INTERVALS, interval=VALID,
    columns=(
        _text("standing_order_id", "Id in the source", nullable=False),
        ACCOUNT_KEY,
        _key("customer_key", "primary owner on the day of the delivery (customer)"),
        _key("counterparty_key", "counterparty", nullable=True),
        _text("counterparty_bank", "Bank of the counterparty"),
        _money("amount_minor", "Amount of one execution", nullable=False, minimum=0),
        CURRENCY,
        _text("purpose", "What is paid", nullable=False, one_of=("household", "loan_payment", "insurance", "leasing", "none")),
    ),
)  # fmt: skip

DEBIT_CARD = Table(
    layer="core", name="debit_card", title="Debit cards", title_zh="借记卡",
    grain="card × validity interval", key=("card_id",), write=Write.INTERVALS, interval=VALID,
    columns=(
        _contract("card_id", "card"),
        ACCOUNT_KEY,
        _key("customer_key", "card holder (customer)"),
        _text("product_code", "Product", nullable=False),
        _date("issued_on", "Day of issue", nullable=False),
    ),
)  # fmt: skip

TABLES = (
    CUSTOMER, CUSTOMER_IDENTITY, CUSTOMER_MERGE, ACCOUNT, ACCOUNT_PARTY, PRODUCT, RATE, CONSENT, TRANSACTION, BALANCE_DAILY,
    CHANNEL_EVENT, CREDIT_ACCOUNT, CREDIT_INSTALMENT, DEPOSIT_PLAN, DEPOSIT_INSTALMENT, CONTACT,
    STANDING_ORDER, DEBIT_CARD,
)  # fmt: skip

__all__ = ["TABLES", "Severity"]
