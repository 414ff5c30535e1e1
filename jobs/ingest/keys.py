"""The secret behind the pseudonyms, and the plain-Python twin of entity_key."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from conf.settings import Settings

# Marked as what it is: it protects nobody, and server and cluster profiles refuse it.
DEVELOPMENT_KEY = "kequn-development-key-not-secret"


def secret(settings: Settings) -> str:
    """The key of the pseudonyms, from the variable that settings name. Raises ConfigurationError where there is none."""
    name = settings.source.key_secret
    found = os.environ.get(name)
    if found:
        return found
    if not settings.source.allow_development_key:
        raise ConfigurationError(
            f"The variable [{name}] is not set, and [{settings.environment}] does not allow the development key; set it to the secret"
        )
    return DEVELOPMENT_KEY


def entity_key(key: str, *, source: str, kind: str, identifier: str) -> int:
    """The first 15 hex digits of sha256(secret|source|kind|id) as a number: what entity_key gives in a mapping."""
    return int(hashlib.sha256(f"{key}|{source}|{kind}|{identifier}".encode()).hexdigest()[:15], 16)
