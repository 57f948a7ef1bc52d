"""Settings of the weekly look at drift."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import read_settings

_PREFIX = "LOSSNLP_DRIFT_"


class DriftSettings(BaseSettings):
    """What an installation may set of drift; every name stands in the environment as `LOSSNLP_DRIFT_<NAME>`.

    Args:
        days: How many days up to the last Sunday are the newest, 7 to 92.
        reference_days: How many days before those they are compared with, 28 to 730.
        false_alarms: How many false alarms a year are expected at most, above 0 up to 12.
        sample: How many deals an alarm puts before people, 0 to 200.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    days: int = Field(default=28, ge=7, le=92)
    reference_days: int = Field(default=182, ge=28, le=730)
    false_alarms: float = Field(default=1.0, gt=0, le=12, allow_inf_nan=False)
    sample: int = Field(default=20, ge=0, le=200)


def load_drift_settings() -> DriftSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why.
    """
    return read_settings(DriftSettings, prefix=_PREFIX)
