"""Settings of the win-back list and its reminders."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.door_settings import SharedSecret
from serving.errors import ConfigurationError
from serving.settings import read_settings

_PREFIX = "LOSSNLP_"


class WinbackSettings(BaseSettings):
    """What an installation may set of win-backs; every name stands in the environment as `LOSSNLP_<NAME>`.

    Args:
        winback_windows: YAML file of a company's own windows, in months by reason; None keeps ours.
        winback_tasks: Whether the CRM gets a task for each win-back that is due.
        reminder_url: Where a reminder of each win-back that is due is posted; None posts none. https, in development also http.
        reminder_secret: Signs the reminders, 32 characters or more; needed beside `reminder_url`.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    winback_windows: Path | None = None
    winback_tasks: bool = False
    reminder_url: str | None = Field(default=None, pattern=r"^https?://[^/?#\s@]+([/?][^#\s]*)?$")
    reminder_secret: SharedSecret | None = None

    @model_validator(mode="after")
    def _is_signed(self) -> WinbackSettings:
        if self.reminder_url and not self.reminder_secret:
            raise ValueError(f"needs {_PREFIX}REMINDER_SECRET beside it; reminders are signed")
        return self

    def get_reminder_url(self, *, env: str) -> str | None:
        """Gives where reminders go, None where nowhere.

        Args:
            env: `production` or `development`.

        Raises:
            ConfigurationError: In production the address is not https: reminders name accounts.
        """
        if self.reminder_url and env != "development" and not self.reminder_url.startswith("https://"):
            message = f"{_PREFIX}REMINDER_URL needs to start with https:// outside development."
            raise ConfigurationError(message, field=f"{_PREFIX}REMINDER_URL")
        return self.reminder_url


def load_winback_settings() -> WinbackSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why, never its value.
    """
    return read_settings(WinbackSettings, prefix=_PREFIX, blamed="reminder_url")
