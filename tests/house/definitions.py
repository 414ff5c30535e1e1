"""What a retail bank asks of a customer's features, definition by definition (domain.md part II §8), and the features that answer.

Every window and every category that the text asks for has a feature of its own here; what a feature tells otherwise than the text has it, and
why, `but` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.sources.channel import CHANNELS
from features.sources.transaction import COUNTERPARTIES, MCC_GROUPS, WEEKDAYS


@dataclass(frozen=True)
class Definition:
    """What is asked for, in the words of the text, and the full names of the features that answer."""

    asked: str
    answers: tuple[str, ...]
    but: str = ""


def over(name: str, windows: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{name}_{days}d" for days in windows)


def of(name: str, categories: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.format(category) for category in categories)


# "Windows W" and "per category c in top-20 MCC groups, channel, currency, counterparty type".
W = (7, 30, 90, 180, 365)
DIMENSIONS = {
    "mcc": MCC_GROUPS,
    "channel": of("channel_{}", CHANNELS),
    "currency": of("currency_{}", ("cny", "other")),
    "counterparty": of("counterparty_{}", tuple(COUNTERPARTIES)),
}
CATEGORIES = tuple(category for dimension in DIMENSIONS.values() for category in dimension)

DEFINITIONS = {
    # Identity and tenure
    "A1": Definition("age band", ("tenure__age_band",)),
    "A2": Definition("tenure_days = T0 - open_date", ("tenure__tenure_days",)),
    "A3": Definition("tenure_first_product", ("tenure__first_product_days",)),
    "A4": Definition("region/branch cluster", ("tenure__region",)),
    "A5": Definition("kyc_risk_rating", ("tenure__kyc_risk",)),
    "A6": Definition("occupation group", ("tenure__occupation",)),
    "A7": Definition("household_size_proxy", ("tenure__household_size",)),
    "A8": Definition("acquisition_channel", ("tenure__acquisition_channel",)),
    # Products
    "B1": Definition("n_products_active", ("holdings__product_count",)),
    "B2": Definition("ownership vector by product (k flags)", of("holdings__has_{}", ("demand", "term", "recurring", "wealth", "credit_card", "consumer_loan", "mortgage"))),
    "B3": Definition("months_since_open_last_product", ("holdings__last_opening_days",),
        but="in days, not months: whoever wants months divides"),
    "B4": Definition("n_products_opened_12m", ("holdings__opened_count_365d",)),
    "B5": Definition("n_products_closed_12m", ("holdings__closed_count_365d",)),
    "B6": Definition("has_salary", ("cash_flow__has_income_90d",)),
    "B7": Definition("has_mortgage", ("holdings__has_mortgage",)),
    "B8": Definition("has_credit_card", ("holdings__has_credit_card",)),
    "B9": Definition("wealth_holder", ("holdings__has_wealth",)),
    "B10": Definition("product_entropy = -sum s_j ln s_j over balance shares", ("balances__mix_entropy",)),
    # Deposits and assets
    "C1": Definition("aum_eod", ("balances__aum_eod",)),
    "C2": Definition("aum_mad_30 = mean daily AUM", ("balances__aum_mad_30d",)),
    "C3": Definition("aum_mad_90", ("balances__aum_mad_90d",)),
    "C4": Definition("aum_mad_365", ("balances__aum_mad_365d",)),
    "C5": Definition("aum_trend = mad_30/mad_90 - 1", ("balances__aum_trend",)),
    "C6": Definition("aum_slope_90 (OLS on daily log1p AUM)", ("balances__aum_slope_90d",)),
    "C7": Definition("aum_drawdown_90 = 1 - eod/max_90", ("balances__aum_drawdown_90d",)),
    "C8": Definition("aum_cv_90 = std/mean", ("balances__aum_cv_90d",)),
    "C9": Definition("demand_share", ("balances__demand_share",)),
    "C10": Definition("term_share", ("balances__term_share",)),
    "C11": Definition("wealth_share", ("balances__wealth_share",)),
    "C12": Definition("days_below_100_90", ("balances__nearly_empty_days_90d",),
        but="0 for who was emptied more than a year ago: a state of a year cannot tell them from who never had anything"),
    "C13": Definition("large_outflow_30 = max daily net out/mad_90", ("balances__largest_fall_ratio",)),
    "C14": Definition("net_flow_30 = in - out", ("cash_flow__net_flow_30d",)),
    "C15": Definition("net_flow_ratio = (in-out)/(in+out+eps)", over("cash_flow__net_flow_ratio", (30, 90))),
    "C16": Definition("term_maturing_30 (amount)", ("balances__term_maturing_30d",)),
    "C17": Definition("term_rollover_rate_12m = rolled/matured", ("balances__term_rollover_share_365d",)),
    "C18": Definition("aum_last_minus_mean_12m", ("balances__aum_less_mean",)),
    "C19": Definition("aum_last_minus_prev_month", ("balances__aum_less_month_end",)),
    "C20": Definition("months_tier_below", ("balances__months_below_tier",)),
    # Recurring deposits
    "D1": Definition("rd_active", ("deposits_recurring__has_plan", "deposits_recurring__plan_count")),
    "D2": Definition("rd_planned_months", ("deposits_recurring__planned_months",)),
    "D3": Definition("rd_on_time_ratio = on-time instalments/due", ("deposits_recurring__on_time_share_365d",)),
    "D4": Definition("rd_missed_12m", ("deposits_recurring__missed_count_365d",)),
    "D5": Definition("rd_consecutive_streak", ("deposits_recurring__streak_365d",)),
    "D6": Definition("rd_day_std (std of day-of-month, circular)", ("deposits_recurring__paid_day_std_365d",)),
    "D7": Definition("rd_amount_cv; of any standing saving regularity = 1 - std(gap)/mean(gap)", ("deposits_recurring__paid_cv_365d", "deposits_recurring__regularity_365d")),
    # Transactions: volume
    "E1": Definition("days_since_last_txn (customer-initiated)", ("activity__days_since_last",)),
    "E2": Definition("txn_cnt_W (30)", ("activity__txn_count_30d",)),
    "E3": Definition("txn_cnt_W (90)", ("activity__txn_count_90d",)),
    "E4": Definition("txn_cnt_W (365)", ("activity__txn_count_365d",)),
    "E5": Definition("active_days_90", ("activity__active_days_90d",)),
    "E6": Definition("active_weeks_26", ("activity__active_weeks_182d",)),
    "E7": Definition("active_months_12", ("activity__active_months_12m",)),
    "E8": Definition("amt_out_W", over("activity__out_sum", W)),
    "E9": Definition("amt_in_W", over("activity__in_sum", W)),
    "E10": Definition("avg_ticket_90", ("activity__ticket_mean_90d",)),
    "E11": Definition("p95_ticket_90", ("activity__ticket_p95_90d",)),
    "E12": Definition("std_ticket_90", ("activity__ticket_std_90d",)),
    "E13": Definition("txn_cnt_ratio = cnt_30*3/cnt_90", ("activity__txn_count_trend",)),
    "E14": Definition("gap_last/gap_mean = days since last / mean inter-purchase gap", ("activity__silence_ratio",)),
    # Transactions: mix
    "F1": Definition("cnt_c_90", of("spend_mix__{}_count_90d", CATEGORIES),
        but="15 groups of merchant categories, not 20: core.transaction tells no more; currencies are CNY and all others"),
    "F2": Definition("sum_c_90", of("spend_mix__{}_sum_90d", CATEGORIES)),
    "F3": Definition("share_c = cnt_c/cnt", of("spend_mix__{}_share_90d", CATEGORIES)),
    "F4": Definition("distinct days with c", of("spend_mix__{}_days_90d", CATEGORIES)),
    "F5": Definition("n_distinct_mcc_90", ("spend_mix__category_count_90d",)),
    "F6": Definition("mcc_entropy", ("spend_mix__category_entropy",)),
    "F7": Definition("tf-idf of mcc codes (top-50)", of("spend_mix__{}_rarity_90d", MCC_GROUPS),
        but="of groups of categories, not of the top 50 codes: core.transaction tells groups only"),
    "F8": Definition("new_mcc_30 (not seen in 180)", ("spend_mix__new_category_count",)),
    "F9": Definition("cash_share", ("spend_mix__cash_share_90d",)),
    "F10": Definition("online_share", ("spend_mix__online_share_90d",)),
    "F11": Definition("cross_border_share", ("spend_mix__cross_border_share_90d",)),
    "F12": Definition("rent/utility/insurance/education presence", ("spend_mix__pays_rent_90d", "spend_mix__pays_utility_90d", "spend_mix__pays_insurance_365d", "spend_mix__pays_tuition_365d")),
    # Time patterns
    "G1": Definition("hour histogram entropy", ("rhythm__hour_entropy",)),
    "G2": Definition("night_share (0-6)", ("rhythm__night_share_90d",)),
    "G3": Definition("weekend_share", ("rhythm__weekend_share_90d",)),
    "G4": Definition("salary_day", ("cash_flow__income_day",)),
    "G5": Definition("month_end_share", ("rhythm__month_end_share_90d",)),
    "G6": Definition("weekday vector (7)", of("rhythm__{}_share_90d", WEEKDAYS)),
    # Income and cash flow
    "H1": Definition("salary_amount_mean_6m", ("cash_flow__income_mean_180d",)),
    "H2": Definition("salary_months_present_6", ("cash_flow__income_months_180d",)),
    "H3": Definition("salary_last_gap_days", ("cash_flow__income_gap_days",)),
    "H4": Definition("income_cv_12m", ("cash_flow__income_cv_365d",)),
    "H5": Definition("spend_to_income_90", ("cash_flow__spend_to_income_90d",)),
    "H6": Definition("savings_rate = 1 - out/in", ("cash_flow__savings_rate_90d",)),
    "H7": Definition("transfers_to_other_banks_90 (share: wallet leak)", ("cash_flow__other_bank_out_90d", "cash_flow__other_bank_share_90d")),
    "H8": Definition("incoming_p2p_share", ("cash_flow__p2p_in_share_90d",)),
    # Channels
    "I1": Definition("days_since_login_mobile", ("channels__mobile_login_gap_days",)),
    "I2": Definition("login_cnt_30", ("channels__login_count_30d",)),
    "I3": Definition("sessions_trend = 30*3/90", ("channels__login_trend",)),
    "I4": Definition("feature_breadth (distinct functions)", ("channels__function_count_90d",)),
    "I5": Definition("channel_entropy", ("channels__channel_entropy",)),
    "I6": Definition("preferred_channel = argmax decayed share (half-life 30 d) + confidence", ("channels__habitual_channel", "channels__habitual_share")),
    "I7": Definition("branch_visits_90", ("channels__branch_count_90d",)),
    "I8": Definition("atm_cnt_90", ("channels__atm_count_90d",)),
    "I9": Definition("push_open_rate_90", ("channels__push_open_rate_90d",)),
    "I10": Definition("complaint_cnt_180", ("channels__complaint_count_180d",)),
    # Credit
    "J1": Definition("limit_total", ("credit__card_limit",),
        but="of cards: a loan has no limit beside its outstanding"),
    "J2": Definition("utilisation = bal/limit (last)", ("credit__utilisation",)),
    "J3": Definition("util_mean_6m", ("credit__utilisation_mean_180d",)),
    "J4": Definition("util_last_minus_mean", ("credit__utilisation_less_mean",)),
    "J5": Definition("min_pay_ratio", ("credit__payment_to_minimum",)),
    "J6": Definition("dpd_max_12m", ("credit__days_past_due_highest_365d",)),
    "J7": Definition("dpd_cnt_30p_12m", ("credit__past_due_30_count_365d",)),
    "J8": Definition("days_since_last_dpd", ("credit__past_due_gap_days",)),
    "J9": Definition("early_repay_cnt_12m", ("credit__early_repayment_count_365d",)),
    "J10": Definition("instalment_paid_minus_due_days_mean (Home Credit)", ("credit__instalment_late_days_365d",)),
    "J11": Definition("debt_surge = debt_now/debt_90d_ago - 1", ("credit__debt_surge_90d",)),
    "J12": Definition("enquiries_90", ("channels__enquiry_count_90d",)),
    "J13": Definition("dti = instalments/income", ("credit__debt_service_ratio_90d",)),
    # Sleeping customers and latent demand
    "K1": Definition("dormant_flag (rule set of 2.3)", ("dormancy__is_dormant", "dormancy__is_drowsy")),
    "K2": Definition("days_dormant", ("dormancy__dormant_days",),
        but="of the customer's own transactions, at most 365: the engine sees a year"),
    "K3": Definition("pre_dormant_aum_peak", ("dormancy__asleep_aum_peak",),
        but="the levels of four days and the peak where it lies before the sleep, of a year: tiles tell no peak of a window that ends elsewhere than on the date"),
    "K4": Definition("latent_credit = no loan with us and external repayment outflows or rent/tuition pattern", ("dormancy__latent_credit",)),
    "K5": Definition("preapproved_not_used", ("dormancy__preapproved_not_used",)),
    # Recency, frequency, amount and value
    "L1": Definition("R score (frozen cuts), missing = lowest + flag", ("value__recency_grade", "value__rfm_is_missing")),
    "L2": Definition("F score, likewise", ("value__frequency_grade",)),
    "L3": Definition("M score, likewise", ("value__amount_grade",)),
    "L4": Definition("rfm_cell", ("value__rfm_cell",)),
    "L5": Definition("margin_12m", ("value__margin_12m",),
        but="without commissions and a charge for capital: no feed tells commissions; capital is charged in raroc"),
    "L6": Definition("cost_to_serve_12m", ("value__cost_to_serve_12m",)),
    "L7": Definition("el_12m", ("value__expected_loss_12m",),
        but="a product's yearly loss rate for PD x LGD, its outstanding for EAD: what a bank prices with"),
    "L8": Definition("raroc", ("value__raroc",),
        but="capital by the standardised weight (8 % of 75 %), not by the internal-ratings formula: SQL of both engines has no normal distribution"),
    # Risk and early warning
    "M1": Definition("large_cash_in_day", ("early_warning__cash_in_largest_day_30d",)),
    "M2": Definition("large_cash_out_day", ("early_warning__cash_out_largest_day_30d",)),
    "M3": Definition("structuring_score", ("early_warning__structuring_score", "early_warning__split_cash_count_7d", "early_warning__split_days_5d")),
    "M4": Definition("passthrough_48h", ("early_warning__pass_through_share_30d",),
        but="the same and the next day for the 48 hours: day tiles hold no hours"),
    "M5": Definition("fund_flow_z = (net_flow_7 - mean_26w)/std_26w (robust: median/MAD)", ("early_warning__flow_z",)),
    "M6": Definition("new_counterparty_share_30", ("early_warning__new_counterparty_share",),
        but="counterparties by 252 buckets of their keys: a day tile holds bits, not sets"),
    "M7": Definition("device_change_30", ("channels__device_change_count_30d",)),
    "M8": Definition("pd_12m", ("early_warning__pd_12m",)),
    "M9": Definition("pd_delta_90", ("early_warning__pd_delta_90d",)),
    # Merchants
    "N1": Definition("settle_amt_30", ("merchant__settled_sum_30d",)),
    "N2": Definition("settle_days_30", ("merchant__settled_days_30d",)),
    "N3": Definition("settle_cv_90", ("merchant__settled_cv_90d",)),
    "N4": Definition("refund_rate_90", ("merchant__refund_rate_90d",)),
    "N5": Definition("avg_ticket_shift = 30/180", ("merchant__ticket_shift",)),
    "N6": Definition("night_or_round_share -> merchant credit score (WOE logistic, KS >= .35)", ("merchant__night_or_round_share_90d",),
        but="the share, not the merchant credit score: that is a model, and the bank has too few merchants that fail to train one"),
}  # fmt: skip

# How many definitions each letter has.
ASKED_FOR = {"A": 8, "B": 10, "C": 20, "D": 7, "E": 14, "F": 12, "G": 6, "H": 8, "I": 10, "J": 13, "K": 5, "L": 8, "M": 9, "N": 6}
