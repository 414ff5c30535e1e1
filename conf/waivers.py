"""Waivers: promises that a source is excused from, each with a type, a reason, an owner and an end."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conf.settings import CONF, SettingsError, read_yaml


class Waiver(BaseModel):
    """check: `delivery` (a feed that does not come) or the id of a rule. Dates bound the deliveries it excuses."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    check: str
    source: str
    feed: str = "*"
    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")
    type: Literal["does_not_apply", "broken"]
    reason: str = Field(min_length=10)
    owner: str = Field(min_length=2)
    expires: date

    def covers(self, *, check: str, feed: str, day: date) -> bool:
        """Whether it excuses this check of this feed's delivery for this day."""
        named = self.check == check and self.feed in {"*", feed}
        return named and (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    waivers: tuple[Waiver, ...]


def load(source: str, *, today: date, folder: Path = CONF) -> tuple[Waiver, ...]:
    """The waivers of a source. Raises SettingsError for one that has expired: renew it with a reason, or mend the cause."""
    path = folder / "waivers.yml"
    try:
        found = _File.model_validate(read_yaml(path)).waivers
    except ValidationError as error:
        raise SettingsError(f"[{path.name}] can't be used: {error}") from error
    mine = tuple(waiver for waiver in found if waiver.source == source)
    expired = [
        f"{waiver.check} of {waiver.feed} (expired {waiver.expires}, owner {waiver.owner})" for waiver in mine if waiver.expires < today
    ]
    if expired:
        raise SettingsError(f"[{path.name}] holds expired waivers of [{source}]: {expired}; mend the cause or renew them with a reason")
    return mine
