"""May a customer be contacted: consents, suppressions and what follows from both. Pure: frames in, frames out.

Every frame is a picture of one as-of date. Keys of merged customers are the survivor's already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.contracts import mart

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

ADULT_AGE_YEARS = 18
COLLECTIONS_DAYS = 90
BUCKETS = 10_000
CONSENT_COLUMNS = {
    "consent_marketing": "marketing",
    "consent_profiling": "profiling",
    "optin_sms": "sms",
    "optin_push": "push",
    "optin_email": "email",
    "optin_call": "call",
}
CHANNEL_COLUMNS = tuple(name for name in CONSENT_COLUMNS if name.startswith("optin_"))


def consents(granted: DataFrame) -> DataFrame:
    """Grain: customer_key. One flag per purpose; null where nothing was ever said.

    granted: one row per customer_key × purpose.
    """
    from pyspark.sql import functions as F

    flags = [F.bool_or(F.when(F.col("purpose") == purpose, F.col("is_granted"))).alias(name) for name, purpose in CONSENT_COLUMNS.items()]
    return granted.groupBy("customer_key").agg(*flags)


def in_collections(credit: DataFrame, *, as_of: date) -> DataFrame:
    """Grain: customer_key, only customers with a contract more than 90 days past due on the date.

    credit: current images of core.credit_account, one row per contract × business_date of change.
    """
    from pyspark.sql import functions as F

    latest = (
        credit.where(F.col("business_date") <= F.lit(as_of))
        .groupBy("credit_account_id")
        .agg(F.max_by(F.struct("customer_key", "days_past_due"), "business_date").alias("latest"))
    )
    return latest.where(F.col("latest.days_past_due") > COLLECTIONS_DAYS).select(F.col("latest.customer_key")).distinct()


def with_active_account(accounts: DataFrame, parties: DataFrame, *, as_of: date) -> DataFrame:
    """Grain: customer_key, only customers who own (alone or jointly) an account that is neither closed nor dormant."""
    from pyspark.sql import functions as F

    day = F.lit(as_of)
    held = (F.col("held_from") <= day) & (F.col("held_to").isNull() | (F.col("held_to") >= day))
    owned = parties.where(held & F.col("role").isin("owner", "joint")).select("account_key", "customer_key")
    active = accounts.where(F.col("status") == "active").select("account_key")
    return owned.join(active, on="account_key", how="left_semi").select("customer_key").distinct()


def control_bucket(key: Column, *, salt: str) -> Column:
    """0..9999, equal for ever for a key and a salt: the first 32 bits of sha256('salt:key') modulo 10,000."""
    from pyspark.sql import functions as F

    digest = F.sha2(F.concat(F.lit(f"{salt}:"), key.cast("string")), 256)
    return F.conv(F.substring(digest, 1, 8), 16, 10).cast("bigint") % F.lit(BUCKETS)


def suppress_reason(*, as_of: date, salt: str, share: float) -> Column:
    """Sorted codes of contracts.mart over the columns is_employee, birth_date, has_active_account, is_in_collections."""
    from pyspark.sql import functions as F

    reasons = {
        mart.EMPLOYEE: F.coalesce(F.col("is_employee"), F.lit(False)),
        mart.MINOR: F.add_months(F.col("birth_date"), 12 * ADULT_AGE_YEARS) > F.lit(as_of),
        mart.INACTIVE: F.col("has_active_account").isNull(),
        mart.CONTROL_GROUP: control_bucket(F.col("customer_key"), salt=salt) < F.lit(round(share * BUCKETS)),
        mart.INTERNAL: F.col("is_in_collections").isNotNull(),
    }
    return F.array_compact(F.array(*[F.when(holds, F.lit(code)) for code, holds in sorted(reasons.items())]))


def marketable() -> Column:
    """Both consents, at least one channel, nothing that suppresses."""
    from pyspark.sql import functions as F

    channels = F.greatest(*[F.col(name) for name in CHANNEL_COLUMNS])
    return F.col("consent_marketing") & F.col("consent_profiling") & channels & (F.size("suppress_reason") == 0)
