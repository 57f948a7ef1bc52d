"""Settings of the doors: who may tell us of lost deals, and how they prove it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import ConfigurationError
from serving.settings import MIB

DoorName = Literal["hubspot", "bottlecrm", "salesforce", "flow", "deals"]
_PREFIX = "LOSSNLP_DOOR_"
_SECRETS_DIR = f"{_PREFIX}SECRETS_DIR"


class DoorSettings(BaseSettings):
    """What opens the doors; every name stands in the environment as `LOSSNLP_DOOR_<NAME>`.

    A value may also stand in a file `lossnlp_door_<name>` of the folder that `LOSSNLP_DOOR_SECRETS_DIR` names; the environment wins.

    Args:
        public_url: Scheme and host under which HubSpot calls us, with a path where a proxy strips one; HubSpot signs it.
        hubspot_secret: Client secret of the HubSpot app.
        bottlecrm_secret: Of the webhook, as BottleCRM showed it once.
        salesforce_organization: Id of the org that may send Outbound Messages, 15 or 18 characters.
        deals_secret: Shared with whatever signs calls at the door for any CRM, 32 characters or more.
        max_body_bytes: Largest body of a call, in bytes. Doors read before they know who calls, so this stays small.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    public_url: str | None = Field(
        default=None, pattern=r"^(https://|http://(127\.0\.0\.1|localhost)([:/]|$))[^?#\s]*$"
    )
    hubspot_secret: SecretStr | None = Field(default=None, min_length=1)
    bottlecrm_secret: SecretStr | None = Field(default=None, min_length=1)
    salesforce_organization: str | None = Field(default=None, pattern=r"^00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")
    deals_secret: SecretStr | None = Field(default=None, min_length=32)
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


def load_door_settings() -> DoorSettings:
    """Gives the settings of the doors that the environment and the folder of secrets describe.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why, never its value.
    """
    folder = os.environ.get(_SECRETS_DIR) or None
    if folder and not Path(folder).is_dir():
        raise ConfigurationError(f"{_SECRETS_DIR} names no folder; mount the secrets there.", field=_SECRETS_DIR)
    try:
        return DoorSettings(_secrets_dir=folder)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = _PREFIX + str(fault["loc"][0]).upper() if fault["loc"] else f"{_PREFIX}PUBLIC_URL"
        raise ConfigurationError(f"{name}: {fault['msg']}.", field=name) from None
    except OSError:
        raise ConfigurationError(f"A file of {_SECRETS_DIR} cannot be read.", field=_SECRETS_DIR) from None


def reveal(secret: SecretStr | None) -> str:
    """Gives the secret itself; the empty text, which signs nothing, where none is set."""
    return secret.get_secret_value() if secret else ""
