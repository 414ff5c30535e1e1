"""What the simulated bank sells, where it works and what things are called. Declarations only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product; rates are yearly shares: `client` paid to or by the customer, `transfer` by the treasury."""

    code: str
    family: str
    en: str
    zh: str
    is_asset: bool
    client: float = 0.0
    loss: float = 0.0
    months: int = 0


PRODUCTS = (
    Product(code="D01", family="demand", en="Current savings", zh="活期存款", is_asset=True, client=0.002),
    Product(code="D02", family="demand", en="Foreign currency savings", zh="外币活期", is_asset=True, client=0.001),
    Product(code="D03", family="demand", en="App wallet", zh="电子账户", is_asset=True, client=0.0025),
    Product(code="T03", family="term", en="Term deposit 3 months", zh="定期存款三个月", is_asset=True, client=0.0125, months=3),
    Product(code="T12", family="term", en="Term deposit 1 year", zh="定期存款一年", is_asset=True, client=0.0165, months=12),
    Product(code="T36", family="term", en="Term deposit 3 years", zh="定期存款三年", is_asset=True, client=0.0225, months=36),
    Product(code="R12", family="recurring", en="Recurring deposit 1 year", zh="零存整取一年", is_asset=True, client=0.0135, months=12),
    Product(code="R36", family="recurring", en="Recurring deposit 3 years", zh="零存整取三年", is_asset=True, client=0.0155, months=36),
    Product(code="W01", family="wealth", en="Cash management fund", zh="现金管理理财", is_asset=True, client=0.018),
    Product(code="W02", family="wealth", en="Fixed income plan", zh="固定收益理财", is_asset=True, client=0.028),
    Product(code="W03", family="wealth", en="Balanced plan", zh="混合类理财", is_asset=True, client=0.032),
    Product(code="C01", family="credit_card", en="Credit card", zh="信用卡", is_asset=False, client=0.15, loss=0.02),
    Product(code="C02", family="credit_card", en="Gold credit card", zh="信用卡金卡", is_asset=False, client=0.14, loss=0.012),
    Product(code="L01", family="consumer_loan", en="Consumer loan", zh="个人消费贷款", is_asset=False, client=0.065, loss=0.018, months=36),
    Product(code="L02", family="consumer_loan", en="App quick loan", zh="线上快贷", is_asset=False, client=0.088, loss=0.03, months=12),
    Product(code="M01", family="mortgage", en="Mortgage", zh="个人住房贷款", is_asset=False, client=0.041, loss=0.002, months=240),
    Product(code="B01", family="debit_card", en="Debit card", zh="借记卡", is_asset=False),
    Product(code="X01", family="other", en="Safe deposit box", zh="保管箱", is_asset=False),
)
PRODUCT_INDEX = {product.code: position for position, product in enumerate(PRODUCTS)}

# Slots: the accounts a customer can hold; an account number is customer, slot and generation (how often the slot was reopened).
DEMAND, TERM, CERTIFICATE, RECURRING, WEALTH, CARD, LOAN, MORTGAGE, FOREIGN, WALLET = range(10)
SLOTS = 10
GENERATIONS = 10

CURRENCIES = ("CNY", "USD", "HKD", "EUR", "JPY")
CURRENCY_DIGITS = (2, 2, 2, 2, 0)
CNY_PER_UNIT = (1.0, 7.1, 0.91, 7.7, 0.048)
CNY = 0
JPY = 4

CHANNELS = ("app", "web", "wechat", "branch", "atm", "call_centre")
APP, WEB, WECHAT, BRANCH, ATM, CALL = range(6)
TYPES = (
    "salary", "pension", "transfer", "purchase", "cash_deposit", "cash_withdrawal", "rent", "utility", "insurance",
    "tuition", "loan_drawdown", "loan_payment", "card_payment", "interest", "fee", "tax", "wealth_buy", "wealth_sell",
    "plan_instalment", "refund", "standing_order", "fx", "other", "settlement",
)  # fmt: skip
(SALARY, PENSION, TRANSFER, PURCHASE, CASH_DEPOSIT, CASH_WITHDRAWAL, RENT, UTILITY, INSURANCE,
 TUITION, LOAN_DRAWDOWN, LOAN_PAYMENT, CARD_PAYMENT, INTEREST, FEE, TAX, WEALTH_BUY, WEALTH_SELL,
 PLAN_INSTALMENT, REFUND, STANDING_ORDER, FX, OTHER, SETTLEMENT) = range(24)  # fmt: skip
INITIATORS = ("C", "B", "T")
CUSTOMER, BANK, THIRD_PARTY = range(3)
STATUSES = ("A", "D", "C")
ACTIVE, DORMANT, CLOSED = range(3)
ROLES = ("OWNER", "JOINT", "AUTH")
OWNER, JOINT, AUTH = range(3)

MCC_GROUPS = (
    "grocery", "dining", "transport", "fuel", "travel", "apparel", "electronics", "medical", "education", "entertainment",
    "online_shop", "home", "beauty", "telecom", "government",
)  # fmt: skip
MCC_SHARE = (0.22, 0.19, 0.11, 0.05, 0.03, 0.06, 0.03, 0.04, 0.02, 0.05, 0.14, 0.02, 0.02, 0.015, 0.005)
MCC_TICKET = (0.8, 0.6, 0.25, 2.5, 8.0, 2.2, 9.0, 2.5, 6.0, 0.7, 1.3, 4.0, 1.5, 0.6, 1.2)
ONLINE_SHOP = 10
TRAVEL = 4

EVENT_TYPES = ("login", "view", "transact", "service", "push_sent", "push_opened", "complaint", "enquiry", "device_change")
LOGIN, VIEW, TRANSACT, SERVICE, PUSH_SENT, PUSH_OPENED, COMPLAINT, ENQUIRY, DEVICE_CHANGE = range(9)
FUNCTIONS = (
    "home", "balance", "statement", "transfer", "pay", "wealth", "deposit", "loan", "card", "points", "settings", "close_account",
    "cash", "queue", "fraud", "fee",
)  # fmt: skip
VIEW_SHARE = (0.18, 0.22, 0.14, 0.1, 0.08, 0.1, 0.06, 0.04, 0.05, 0.02, 0.01)
CLOSE_ACCOUNT, CASH, QUEUE = 11, 12, 13

CITIES = ("上海", "北京", "深圳", "广州", "杭州", "南京", "苏州", "成都", "武汉", "西安", "重庆", "长沙", "厦门", "青岛", "昆明", "拉萨")
CITY_SHARE = (0.22, 0.12, 0.1, 0.08, 0.08, 0.07, 0.07, 0.06, 0.05, 0.04, 0.04, 0.03, 0.015, 0.015, 0.007, 0.003)
CITY_CODE = ("310101", "110101", "440303", "440103", "330102", "320102", "320505", "510104", "420102", "610102", "500103", "430102",
             "350203", "370202", "530102", "540102")  # fmt: skip
BRANCHES_PER_CITY = 6
BANKS = ("ICBC", "ABC", "BOC", "CCB", "BOCOM", "CMB", "PSBC", "CITIC", "WEBANK", "HSBC-HK")
BANK_ABROAD = 9
OCCUPATIONS = ("office", "worker", "civil_servant", "self_employed", "professional", "manager", "student", "retired")
SELF_EMPLOYED, STUDENT, RETIRED = 3, 6, 7
ACQUISITION = ("branch", "app", "referral", "payroll", "campaign")
PURPOSES = ("marketing", "profiling", "sms", "push", "email", "call")
CONTACT_CHANNELS = ("push", "sms", "call", "wechat")
RESPONSES = ("none", "opened", "clicked", "converted")
ARMS = ("treated", "control")
GENDERS = ("F", "M")
CREDIT_STATUSES = ("active", "closed", "default")
PLAN_STATUSES = ("active", "matured", "rolled_over", "broken")

# The last two of each list lie outside GBK: only a true GB18030 reader gets them right.
SURNAMES = tuple(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙史陶贺顾毛郝龚邵万钱严武戴莫孔向汤㛃𬱖"
)
GIVEN = tuple(
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文玉建国春红梅兰志辉鹏飞宇浩然子轩梓涵欣怡诗雨佳琪思远博雅嘉怡晨曦俊熙若彤一诺奕辰可馨天佑海燕晓东小龙永康德福长青𠅤䶮"
)

ARCHETYPES = ("prospect", "inclusive", "mass", "affluent", "private")
PROSPECT, INCLUSIVE, MASS, AFFLUENT, PRIVATE = range(5)
ARCHETYPE_SHARE = (0.07, 0.27, 0.56, 0.09, 0.01)
TRENDS = ("stable", "growing", "shrinking")
STABLE, GROWING, SHRINKING = range(3)
PATTERNS = ("none", "structuring", "pass_through", "reactivated")
NO_PATTERN, STRUCTURING, PASS_THROUGH, REACTIVATED = range(4)
UPLIFTS = ("lost_cause", "persuadable", "sure_thing", "sleeping_dog")
LOST_CAUSE, PERSUADABLE, SURE_THING, SLEEPING_DOG = range(4)
MERCHANTS = ("none", "honest", "cash_out")
NO_MERCHANT, HONEST, CASH_OUT = range(3)
DEPARTURES = ("stays", "fades", "abrupt")
STAYS, FADES, ABRUPT = range(3)

TRANSFER_RATE = {
    "demand": 0.019, "term": 0.026, "recurring": 0.025, "wealth": 0.034, "consumer_loan": 0.03, "mortgage": 0.028, "credit_card": 0.03,
}  # fmt: skip
UNIT_COST_CNY = {"app": 0.12, "web": 0.15, "wechat": 0.1, "branch": 18.0, "atm": 1.6, "call_centre": 9.0}
