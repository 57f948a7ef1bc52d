"""Settings of the doors: who may tell us of lost deals, and how they prove it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import ConfigurationError
from serving.settings import MIB, read_settings

DoorName = Literal["hubspot", "bottlecrm", "salesforce", "flow", "deals"]
_PREFIX = "LOSSNLP_DOOR_"
_SECRETS_DIR = f"{_PREFIX}SECRETS_DIR"
_UNESCAPED = re.compile(r"[A-Za-z0-9._~-]+")  # RFC 3986, section 2.3: the same in an address however it is encoded
# Doors whose calls are never large
_MOST_BODY_BYTES: dict[DoorName, int] = {"salesforce": 128 * 1024}


def _holding(min_chars: int) -> Callable[[SecretStr], SecretStr]:
    """Gives a check for one value, or for two where the first is being changed for the second."""

    def check(secret: SecretStr) -> SecretStr:
        values = reveal(secret)
        if not 0 < len(values) <= 2:
            raise ValueError("takes one value, or two with a blank between them while it is changed")
        if min(map(len, values)) < min_chars:
            raise ValueError(f"takes values of {min_chars} characters or more")
        return secret

    return check


def _fit_for_address(secret: SecretStr) -> SecretStr:
    if not all(map(_UNESCAPED.fullmatch, reveal(secret))):
        raise ValueError("takes letters, digits and -._~ alone, since it stands in an address")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_holding(1))]
SharedSecret = Annotated[SecretStr, AfterValidator(_holding(32))]
AddressKey = Annotated[SecretStr, AfterValidator(_holding(16)), AfterValidator(_fit_for_address)]


class DoorSettings(BaseSettings):
    """What opens the doors; every name stands in the environment as `LOSSNLP_DOOR_<NAME>`.

    A value may also stand in a file `lossnlp_door_<name>` of the folder that `LOSSNLP_DOOR_SECRETS_DIR` names; the environment wins.
    A secret or key may hold two values with a blank between them, and then counts with either: so one is changed without refused calls.

    Args:
        public_url: Scheme and host under which HubSpot calls us, with a path where a proxy strips one; HubSpot signs it.
        hubspot_secret: Client secret of the HubSpot app.
        bottlecrm_secret: Of the webhook, as BottleCRM showed it once.
        salesforce_organization: Id of the org that may send Outbound Messages, 15 or 18 characters.
        salesforce_key: What the address of Outbound Messages has to end with, as `?key=...`; 16 characters or more. None asks for none.
        deals_secret: Shared with whatever signs calls at the door for any CRM, 32 characters or more.
        max_body_bytes: Largest body of a call, in bytes. Doors read before they know who calls, so this stays small.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    public_url: str | None = Field(
        default=None, pattern=r"^(https://|http://(127\.0\.0\.1|localhost)([:/]|$))[^?#\s]*$"
    )
    hubspot_secret: Secret | None = None
    bottlecrm_secret: Secret | None = None
    salesforce_organization: str | None = Field(default=None, pattern=r"^00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")
    salesforce_key: AddressKey | None = None
    deals_secret: SharedSecret | None = None
    max_body_bytes: int = Field(default=2 * MIB, ge=1024)

    @model_validator(mode="after")
    def _with_signed_address(self) -> DoorSettings:
        if self.hubspot_secret and not self.public_url:
            raise ValueError(f"is missing beside {_PREFIX}HUBSPOT_SECRET; HubSpot signs the address that it calls")
        return self

    def has_proof(self, door: DoorName) -> bool:
        """Says whether it is set how a caller proves itself at this door; at the Flow's an API key does, and there always is one."""
        proofs: dict[DoorName, object] = {
            "hubspot": self.hubspot_secret,
            "bottlecrm": self.bottlecrm_secret,
            "salesforce": self.salesforce_organization,
            "flow": True,
            "deals": self.deals_secret,
        }
        return proofs[door] is not None

    def body_limit(self, door: DoorName) -> int:
        """Gives the most bytes that this door reads."""
        return min(self.max_body_bytes, _MOST_BODY_BYTES.get(door, self.max_body_bytes))


def load_door_settings() -> DoorSettings:
    """Gives the settings of the doors that the environment and the folder of secrets describe.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why, never its value.
    """
    folder = os.environ.get(_SECRETS_DIR) or None
    if folder and not Path(folder).is_dir():
        raise ConfigurationError(f"{_SECRETS_DIR} names no folder; mount the secrets there.", field=_SECRETS_DIR)
    try:
        return read_settings(lambda: DoorSettings(_secrets_dir=folder), prefix=_PREFIX, blamed="public_url")
    except OSError:
        raise ConfigurationError(f"A file of {_SECRETS_DIR} cannot be read.", field=_SECRETS_DIR) from None


def reveal(secret: SecretStr | None) -> tuple[str, ...]:
    """Gives the values of a secret that count, two while it is changed; none where none is set."""
    return tuple(secret.get_secret_value().split()) if secret else ()
