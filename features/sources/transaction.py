"""Transactions as day tiles: who moved how much, when and for what. Amounts in minor units of the base currency."""

from __future__ import annotations

from features.measures import (
    calendar_months_with,
    days_since,
    days_since_first,
    days_with,
    flow_median,
    flow_spread,
    kinds_in,
    largest,
    matched,
    new_kinds_in,
    spells_with,
    squares,
    total,
)
from features.operations import Merge
from features.sources.channel import CHANNELS
from features.spec import Kind, Source, TileColumn

MCC_GROUPS = (
    "grocery", "dining", "transport", "fuel", "travel", "apparel", "electronics", "medical", "education", "entertainment",
    "online_shop", "home", "beauty", "telecom", "government",
)  # fmt: skip
HOURS = (0, 4, 8, 12, 16, 20)
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

IS_OUT = "direction = 'out'"
IS_IN = "direction = 'in'"
INITIATED = "is_customer_initiated"
IS_INCOME = "type in ('salary', 'pension') and direction = 'in'"
IS_CASH = "type in ('cash_deposit', 'cash_withdrawal')"
IS_PURCHASE = "type = 'purchase' and direction = 'out'"
IS_TRANSFER = "type in ('transfer', 'standing_order')"
IS_SETTLED = "type = 'settlement' and direction = 'in'"
IS_TAKEN_BACK = "type = 'settlement' and direction = 'out'"
IS_BILL = "type in ('rent', 'utility', 'insurance', 'tuition')"
IS_CNY = "currency = 'CNY'"
# Who is at the other end, each transaction counted once at most: cash, fees and interest have nobody there.
_HAS_MERCHANT = "merchant_key is not null or type = 'purchase'"
_HAS_OWN = "type in ('transfer', 'standing_order', 'wealth_buy', 'wealth_sell', 'plan_instalment', 'loan_drawdown', 'loan_payment', 'card_payment', 'fx')"
COUNTERPARTIES = {
    "merchant": f"({_HAS_MERCHANT})",
    "other_bank": f"not ({_HAS_MERCHANT}) and counterparty_bank is not null",
    "same_bank": f"not ({_HAS_MERCHANT}) and counterparty_bank is null and counterparty_key is not null",
    "own": f"not ({_HAS_MERCHANT}) and counterparty_bank is null and counterparty_key is null and {_HAS_OWN}",
}
_OTHER_ENDS = {
    "merchant": "With a merchant: purchases and their refunds", "other_bank": "With somebody at another bank",
    "same_bank": "With somebody else at this bank", "own": "Between the customer's own accounts here, each account's side counted",
}  # fmt: skip
# Takings in whole hundreds, or in the small hours, are what turning cards into cash looks like.
_IS_ODD = "(local_hour < 6 or amount_base_minor % 10000 = 0)"

# Counterparties fall into so many buckets by their key, in words of bits that stay positive. Sets of few counterparties
# seldom share a bucket: of 15 known ones the 16th meets one in 6 % of the cases.
COUNTERPARTY_WORDS = tuple(f"counterparties_{word}" for word in range(4))
_WORD_BITS = 63
COUNTERPARTY_BUCKETS = _WORD_BITS * len(COUNTERPARTY_WORDS)
_BUCKET = f"pmod(counterparty_key, {COUNTERPARTY_BUCKETS})"

# Up to which sums tickets are counted, in units of the base currency. Frozen with version 1.
TICKET_EDGES = (10, 20, 50, 100, 150, 200, 300, 500, 800, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 200_000)
TICKETS_UP_TO = tuple(f"tickets_up_to_{edge}" for edge in TICKET_EDGES)
# Tickets count in whole units up to ten million of them, so that the squares of a day fit 64 bits.
_UNITS = "least(cast(floor(amount_base_minor / 100) as bigint), 10000000)"

# Cash of 80 to 100 % of the 50,000 that are reported: what is split to stay below (domain.md §7, patterns).
REPORTED_CASH_MINOR = 5_000_000


def _count(name: str, when: str, description: str) -> TileColumn:
    return TileColumn(name=name, sql=f"case when {when} then 1 else 0 end", description=description)


def _amount(name: str, when: str, description: str) -> TileColumn:
    return TileColumn(
        name=name, sql=f"case when {when} then amount_base_minor else 0 end", description=f"{description}, minor units of the base currency"
    )


_BITS = " ".join(f"when '{group}' then shiftleft(1L, {bit})" for bit, group in enumerate(MCC_GROUPS))

COLUMNS = (
    _count("initiated_count", INITIATED, "Transactions the customer made: no salary, fee, interest, standing order"),
    _count("initiated_out_count", f"{INITIATED} and {IS_OUT}", "Debits the customer made"),
    _amount("initiated_out", f"{INITIATED} and {IS_OUT}", "Debits the customer made"),
    TileColumn(name="largest_out", sql=f"case when {INITIATED} and {IS_OUT} then amount_base_minor end", merge=Merge.MAX,
               description="Largest debit the customer made, minor units of the base currency"),
    TileColumn(name="ticket_units", sql=f"case when {INITIATED} and {IS_OUT} then {_UNITS} else 0 end",
               description="Debits the customer made, in whole units, each at most ten million"),
    TileColumn(name="ticket_squares", sql=f"case when {INITIATED} and {IS_OUT} then {_UNITS} * {_UNITS} else 0 end",
               description="Squares of these units"),
    *(_count(name, f"{INITIATED} and {IS_OUT} and amount_base_minor <= {100 * edge}", f"Debits the customer made of up to {edge:,} units")
      for name, edge in zip(TICKETS_UP_TO, TICKET_EDGES, strict=True)),
    _amount("out", IS_OUT, "All debits"),
    _amount("in", IS_IN, "All credits"),
    _count("out_count", IS_OUT, "All debits"),
    _count("in_count", IS_IN, "All credits"),
    _count("income_count", IS_INCOME, "Salaries and pensions"),
    _amount("income", IS_INCOME, "Salaries and pensions"),
    _count("purchase_count", IS_PURCHASE, "Purchases"),
    _amount("purchase", IS_PURCHASE, "Purchases"),
    _count("cash_count", IS_CASH, "Cash deposits and withdrawals"),
    _amount("cash_in", "type = 'cash_deposit'", "Cash deposits"),
    _amount("cash_out", "type = 'cash_withdrawal'", "Cash withdrawals"),
    _count("split_cash_count", f"type = 'cash_deposit' and amount_base_minor >= {REPORTED_CASH_MINOR * 8 // 10} and amount_base_minor < {REPORTED_CASH_MINOR}",
           "Cash deposits of 80 to 100 % of the reported amount"),
    _count("online_count", f"{INITIATED} and channel in ('app', 'web', 'wechat')", "Made by app, web or WeChat"),
    _count("cross_border_count", "is_cross_border", "Across the border"),
    _count("rent_count", "type = 'rent'", "Rents"),
    _count("utility_count", "type = 'utility'", "Utility bills"),
    _count("insurance_count", "type = 'insurance'", "Insurance premiums"),
    _count("tuition_count", "type = 'tuition'", "Tuition fees"),
    _amount("other_bank_out", f"{IS_TRANSFER} and {IS_OUT} and counterparty_bank is not null", "Transfers to other banks"),
    _amount("transfer_out", f"{IS_TRANSFER} and {IS_OUT}", "Transfers out"),
    _amount("transfer_in", f"{IS_TRANSFER} and {IS_IN}", "Transfers in"),
    _amount("p2p_in", f"{IS_TRANSFER} and {IS_IN} and counterparty_key is not null", "Transfers in from a counterparty, not from own accounts here"),
    _amount("wealth_buy", "type = 'wealth_buy'", "Wealth products bought"),
    _amount("wealth_sell", "type = 'wealth_sell'", "Wealth products sold"),
    _amount("loan_payment", "type = 'loan_payment'", "Loan payments"),
    _amount("fee", f"type = 'fee' and {IS_OUT}", "Fees paid"),
    _count("weekend_count", f"{INITIATED} and dayofweek(business_date) in (1, 7)", "Made on a Saturday or Sunday"),
    _count("month_end_count", f"{INITIATED} and datediff(last_day(business_date), business_date) < 3", "Made on the last three days of a month"),
    _count("night_count", f"{INITIATED} and local_hour < 6", "Made from midnight to six"),
    *(_count(f"hour_{hour:02d}_count", f"{INITIATED} and local_hour >= {hour} and local_hour < {hour + 4}",
             f"Made from {hour:02d}:00 to {hour + 4:02d}:00, local time") for hour in HOURS),
    *(_count(f"{day}_count", f"{INITIATED} and dayofweek(business_date) = {position}", f"Made on a {day.capitalize()}")
      for position, day in enumerate(WEEKDAYS, start=1)),
    *(_count(f"mcc_{group}_count", f"{IS_PURCHASE} and mcc_group = '{group}'", f"Purchases: {group.replace('_', ' ')}")
      for group in MCC_GROUPS),
    _count("mcc_other_count", f"{IS_PURCHASE} and coalesce(mcc_group, '') not in ({', '.join(repr(group) for group in MCC_GROUPS)})",
           "Purchases in other or unknown categories"),
    *(_amount(f"mcc_{group}", f"{IS_PURCHASE} and mcc_group = '{group}'", f"Purchases: {group.replace('_', ' ')}") for group in MCC_GROUPS),
    _amount("settled", IS_SETTLED, "Settlements an acquirer paid"),
    _count("settled_count", IS_SETTLED, "Settlements an acquirer paid"),
    _count("odd_settled_count", f"{IS_SETTLED} and {_IS_ODD}", "Settlements from midnight to six or in whole hundreds"),
    _amount("taken_back", IS_TAKEN_BACK, "Refunds an acquirer took back"),
    _count("moved_count", "type <> 'interest'", "All transactions but interest"),
    _amount("bills", f"{IS_BILL} and {IS_OUT}", "Rents, utility bills, insurance premiums and tuition fees paid"),
    *(_count(f"channel_{channel}_count", f"{INITIATED} and channel = '{channel}'", f"Made on the channel {channel}") for channel in CHANNELS),
    *(_amount(f"channel_{channel}", f"{INITIATED} and channel = '{channel}'", f"Made on the channel {channel}") for channel in CHANNELS),
    _count("cny_count", IS_CNY, "In renminbi"),
    _count("other_currency_count", f"not ({IS_CNY})", "In other currencies"),
    _amount("cny", IS_CNY, "In renminbi"),
    *(_count(f"with_{end}_count", when, _OTHER_ENDS[end]) for end, when in COUNTERPARTIES.items()),
    *(_amount(f"with_{end}", when, _OTHER_ENDS[end]) for end, when in COUNTERPARTIES.items()),
    *(TileColumn(name=name, merge=Merge.BITS, bits=_WORD_BITS, description=f"Bit set of the counterparties of transfers, part {word + 1} of {len(COUNTERPARTY_WORDS)}",
                 sql=f"case when {IS_TRANSFER} and {_BUCKET} div {_WORD_BITS} = {word} then shiftleft(1L, cast({_BUCKET} % {_WORD_BITS} as int)) end")
      for word, name in enumerate(COUNTERPARTY_WORDS)),
    TileColumn(name="mcc_groups", sql=f"case when {IS_PURCHASE} then case mcc_group {_BITS} end end", merge=Merge.BITS, bits=len(MCC_GROUPS),
               description="Bit set of the categories bought"),
)  # fmt: skip

# Extrema and dates are not sums; everything else in the tile is.
_SUMMED = tuple(column for column in COLUMNS if column.merge is Merge.SUM)


TRANSACTION = Source(
    name="transaction", title="transactions", title_zh="交易", kind=Kind.EVENTS, reads="core.transaction", is_stored=True, columns=COLUMNS,
    measures=(
        *(total(column.name) for column in _SUMMED),
        largest("largest_out", name="largest_out"),
        days_with("initiated_count", name="active_days"),
        spells_with("initiated_count", name="active_weeks", days=7),
        calendar_months_with("initiated_count", name="active_months"),
        days_since("initiated_count", name="silent_days"),
        days_since_first("initiated_count", name="first_active_days"),
        days_since("income_count", name="income_gap_days"),
        calendar_months_with("income_count", name="income_months"),
        largest("income", name="largest_income"),
        largest("cash_in", name="largest_cash_in"),
        largest("cash_out", name="largest_cash_out"),
        days_with("income_count", name="income_days"),
        total("income", name="income_units", per=100),
        squares("income", name="income_squares", per=100),
        *(days_with(f"mcc_{group}_count", name=f"mcc_{group}_days") for group in MCC_GROUPS),
        *(days_with(f"channel_{channel}_count", name=f"channel_{channel}_days") for channel in CHANNELS),
        *(days_with(f"{currency}_count", name=f"{currency}_days") for currency in ("cny", "other_currency")),
        *(days_with(f"with_{end}_count", name=f"with_{end}_days") for end in COUNTERPARTIES),
        new_kinds_in("mcc_groups", name="new_mcc_groups", days=30),
        *(kinds_in(name, name=name) for name in COUNTERPARTY_WORDS),
        *(new_kinds_in(name, name=f"new_{name}", days=30) for name in COUNTERPARTY_WORDS),
        days_with("settled_count", name="settled_days"),
        total("settled", name="settled_units", per=100),
        squares("settled", name="settled_squares", per=100),
        matched("in", "out", name="passed_through"),
        flow_median("in", "out", name="flow_median"),
        flow_spread("in", "out", name="flow_spread"),
    ),
)  # fmt: skip
