"""What a retail bank asks of a customer's features, definition by definition (domain.md part II §8), and the features that answer.

A name that ends with `*` stands for a family: one feature per category, weekday or product.
"""

from __future__ import annotations

ANSWERED_BY = {
    # Identity and tenure
    "A1": "tenure__age_band", "A2": "tenure__tenure_days", "A3": "tenure__first_product_days", "A4": "tenure__region", "A5": "tenure__kyc_risk",
    "A6": "tenure__occupation", "A7": "tenure__household_size", "A8": "tenure__acquisition_channel",
    # Products
    "B1": "holdings__product_count", "B2": "holdings__has_*", "B3": "holdings__last_opening_days", "B4": "holdings__opened_count_365d",
    "B5": "holdings__closed_count_365d", "B6": "cash_flow__has_income_90d", "B7": "holdings__has_mortgage", "B8": "holdings__has_credit_card",
    "B9": "holdings__has_wealth", "B10": "balances__mix_entropy",
    # Deposits and assets
    "C1": "balances__aum_eod", "C2": "balances__aum_mad_30d", "C3": "balances__aum_mad_90d", "C4": "balances__aum_mad_365d", "C5": "balances__aum_trend",
    "C6": "balances__aum_slope_90d", "C7": "balances__aum_drawdown_90d", "C8": "balances__aum_cv_90d", "C9": "balances__demand_share",
    "C10": "balances__term_share", "C11": "balances__wealth_share", "C12": "balances__nearly_empty_days_90d", "C13": "balances__largest_fall_ratio",
    "C14": "cash_flow__net_flow_30d", "C15": "cash_flow__net_flow_ratio_90d", "C16": "balances__term_maturing_30d",
    "C17": "balances__term_rollover_share_365d", "C18": "balances__aum_less_mean", "C19": "balances__aum_less_month_end",
    "C20": "balances__months_below_tier",
    # Recurring deposits
    "D1": "deposits_recurring__plan_count", "D2": "deposits_recurring__planned_months", "D3": "deposits_recurring__on_time_share_365d",
    "D4": "deposits_recurring__missed_count_365d", "D5": "deposits_recurring__streak_365d", "D6": "deposits_recurring__paid_day_std_365d",
    "D7": "deposits_recurring__paid_cv_365d",
    # Transactions: volume
    "E1": "activity__days_since_last", "E2": "activity__txn_count_30d", "E3": "activity__txn_count_90d", "E4": "activity__txn_count_365d",
    "E5": "activity__active_days_90d", "E6": "activity__active_weeks_182d", "E7": "activity__active_months_365d", "E8": "activity__out_sum_*",
    "E9": "activity__in_sum_*", "E10": "activity__ticket_mean_90d", "E11": "activity__ticket_p95_90d", "E12": "activity__ticket_std_90d",
    "E13": "activity__txn_count_trend", "E14": "activity__silence_ratio",
    # Transactions: mix
    "F1": "spend_mix__*_count_90d", "F2": "spend_mix__*_sum_90d", "F3": "spend_mix__*_share_90d", "F4": "spend_mix__*_days_90d",
    "F5": "spend_mix__category_count_90d", "F6": "spend_mix__category_entropy", "F7": "spend_mix__*_rarity_90d", "F8": "spend_mix__new_category_count",
    "F9": "spend_mix__cash_share_90d", "F10": "spend_mix__online_share_90d", "F11": "spend_mix__cross_border_share_90d", "F12": "spend_mix__pays_*",
    # Time patterns
    "G1": "rhythm__hour_entropy", "G2": "rhythm__night_share_90d", "G3": "rhythm__weekend_share_90d", "G4": "cash_flow__income_day",
    "G5": "rhythm__month_end_share_90d", "G6": "rhythm__*day_share_90d",
    # Income and cash flow
    "H1": "cash_flow__income_mean_180d", "H2": "cash_flow__income_months_180d", "H3": "cash_flow__income_gap_days", "H4": "cash_flow__income_cv_365d",
    "H5": "cash_flow__spend_to_income_90d", "H6": "cash_flow__savings_rate_90d", "H7": "cash_flow__other_bank_share_90d",
    "H8": "cash_flow__p2p_in_share_90d",
    # Channels
    "I1": "channels__mobile_login_gap_days", "I2": "channels__login_count_30d", "I3": "channels__login_trend", "I4": "channels__function_count_90d",
    "I5": "channels__channel_entropy", "I6": "channels__habitual_*", "I7": "channels__branch_count_90d", "I8": "channels__atm_count_90d",
    "I9": "channels__push_open_rate_90d", "I10": "channels__complaint_count_180d",
    # Credit
    "J1": "credit__card_limit", "J2": "credit__utilisation", "J3": "credit__utilisation_mean_180d", "J4": "credit__utilisation_less_mean",
    "J5": "credit__payment_to_minimum", "J6": "credit__days_past_due_highest_365d", "J7": "credit__past_due_30_count_365d",
    "J8": "credit__past_due_gap_days", "J9": "credit__early_repayment_count_365d", "J10": "credit__instalment_late_days_365d",
    "J11": "credit__debt_surge_90d", "J12": "channels__enquiry_count_90d", "J13": "credit__debt_service_ratio_90d",
    # Sleeping customers and latent demand
    "K1": "dormancy__is_dormant", "K2": "dormancy__dormant_days", "K3": "dormancy__asleep_aum_peak", "K4": "dormancy__latent_credit",
    "K5": "dormancy__preapproved_not_used",
    # Recency, frequency, amount and value
    "L1": "value__recency_grade", "L2": "value__frequency_grade", "L3": "value__amount_grade", "L4": "value__rfm_cell", "L5": "value__margin_12m",
    "L6": "value__cost_to_serve_12m", "L7": "value__expected_loss_12m", "L8": "value__raroc",
    # Risk and early warning
    "M1": "early_warning__cash_in_largest_day_30d", "M2": "early_warning__cash_out_largest_day_30d", "M3": "early_warning__split_cash_count_7d",
    "M4": "early_warning__pass_through_share_30d", "M5": "early_warning__flow_z", "M6": "early_warning__new_counterparty_share",
    "M7": "channels__device_change_count_30d", "M8": "early_warning__pd_12m", "M9": "early_warning__pd_delta_90d",
    # Merchants
    "N1": "merchant__settled_sum_30d", "N2": "merchant__settled_days_30d", "N3": "merchant__settled_cv_90d", "N4": "merchant__refund_rate_90d",
    "N5": "merchant__ticket_shift", "N6": "merchant__night_or_round_share_90d",
}  # fmt: skip

# How many definitions each letter has.
ASKED_FOR = {"A": 8, "B": 10, "C": 20, "D": 7, "E": 14, "F": 12, "G": 6, "H": 8, "I": 10, "J": 13, "K": 5, "L": 8, "M": 9, "N": 6}
