"""The functions that a mapping may call besides Spark's own, as Spark SQL. A text that can't be read gives null."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError
from jobs.ingest.expressions import Lookup, lookup_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conf.sources import Feed, SourceMapping

# Currencies whose minor unit is the unit itself (ISO 4217).
WITHOUT_DECIMALS = ("JPY", "KRW", "VND", "CLP", "ISK")
SIGNATURES = {
    "entity_key": ("kind", "id"),
    "to_minor": ("amount", "currency"),
    "to_base": ("minor", "currency", "date"),
    "to_day": ("text",),
    "to_instant": ("text",),
    "bank_day": ("instant",),
    "local_hour": ("instant",),
    "owner": ("account_key", "date"),
}
# The secret stands in a column of this name, so that no plan, message or log spells it.
SECRET = "secret__"  # noqa: S105 a column name


def decimals(currency: str) -> int:
    """Digits of the minor unit."""
    return 0 if currency in WITHOUT_DECIMALS else 2


def _without_decimals(currency: str) -> str:
    return f"{currency} in ({', '.join(repr(code) for code in WITHOUT_DECIMALS)})"


@dataclass(frozen=True)
class Called:
    """A call as Spark SQL, with the joins that it needs."""

    sql: str
    lookups: tuple[Lookup, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Functions:
    """The functions of one feed of a source: its zone, cut-off, formats and way of writing numbers are filled in."""

    source: str
    time_zone: str
    cut_off: str
    base_currency: str
    date_format: str
    time_format: str
    decimal: str
    grouping: str

    @classmethod
    def of(cls, mapping: SourceMapping, feed: Feed) -> Functions:
        return cls(
            source=mapping.source, time_zone=mapping.time_zone, cut_off=mapping.cut_off, base_currency=mapping.base_currency,
            date_format=mapping.date_format, time_format=mapping.time_format, decimal=feed.numbers.decimal,
            grouping=feed.numbers.grouping,
        )  # fmt: skip

    @property
    def known(self) -> frozenset[str]:
        return frozenset(SIGNATURES)

    def call(self, name: str, arguments: Sequence[str]) -> Called:
        """What a call stands for. Raises ConfigurationError for a wrong number of arguments."""
        signature = SIGNATURES[name]
        if len(arguments) != len(signature):
            raise ConfigurationError(f"[{name}] takes {list(signature)}, got {list(arguments)}")
        made: str | Called = getattr(self, f"_{name}")(*arguments)
        return made if isinstance(made, Called) else Called(made)

    def _entity_key(self, kind: str, identifier: str) -> str:
        """60 bits of a keyed hash; jobs.ingest.keys.entity_key is its twin."""
        hashed = f"sha2(concat({SECRET}, '|{self.source}|', {kind}, '|', {identifier}), 256)"
        return f"cast(conv(substr({hashed}, 1, 15), 16, 10) as bigint)"

    def _plain(self, amount: str) -> str:
        """The amount's text with a point and without grouping; null where it is no strict decimal with at most two decimals."""
        point = re.escape(self.decimal).replace("\\", "\\\\")
        if not self.grouping:
            return f"case when {amount} rlike '^-?[0-9]{{1,16}}({point}[0-9]{{1,2}})?$' then replace({amount}, '{self.decimal}', '.') end"
        group = re.escape(self.grouping).replace("\\", "\\\\")
        pattern = f"^-?([0-9]{{1,16}}|[0-9]{{1,3}}({group}[0-9]{{3}})+)({point}[0-9]{{1,2}})?$"
        return f"case when {amount} rlike '{pattern}' then replace(replace({amount}, '{self.grouping}', ''), '{self.decimal}', '.') end"

    def _to_minor(self, amount: str, currency: str) -> str:
        exact = f"try_cast({self._plain(amount)} as decimal(20,2))"
        whole = f"case when {exact} = floor({exact}) then {exact} end"
        return f"cast(case when {_without_decimals(currency)} then {whole} else {exact} * 100 end as bigint)"

    def amount(self, column: str) -> str:
        """DECIMAL of an amount's text, for control sums."""
        return f"try_cast({self._plain(column)} as decimal(20,2))"

    def _to_base(self, minor: str, currency: str, day: str) -> Called:
        """Half up in minor units of the base currency; null where no rate is in force on the day."""
        rate = Lookup("rate", (currency, day))
        digits = decimals(self.base_currency)
        factor = f"case when {_without_decimals(currency)} then {10**digits}.00BD else {10 ** (digits - 2):.2f}BD end"
        scaled = f"cast({minor} as decimal(18,0)) * cast({lookup_column(rate)} as decimal(14,0)) * ({factor})"
        converted = f"cast(round({scaled} / 1000000) as bigint)"
        return Called(f"case when {currency} = '{self.base_currency}' then {minor} else {converted} end", (rate,))

    def _to_day(self, text: str) -> str:
        return f"try_to_date({text}, '{self.date_format}')"

    def _to_instant(self, text: str) -> str:
        return f"to_utc_timestamp(try_to_timestamp({text}, '{self.time_format}'), '{self.time_zone}')"

    def _bank_day(self, instant: str) -> str:
        """Local date; from the cut-off on the next one."""
        hours, minutes = (int(part) for part in self.cut_off.split(":"))
        shift = (24 * 60 - (hours * 60 + minutes)) % (24 * 60)
        return f"to_date(from_utc_timestamp({instant}, '{self.time_zone}') + interval {shift} minutes)"

    def _local_hour(self, instant: str) -> str:
        return f"hour(from_utc_timestamp({instant}, '{self.time_zone}'))"

    def _owner(self, account_key: str, day: str) -> Called:
        owner = Lookup("owner", (account_key, day))
        return Called(lookup_column(owner), (owner,))
