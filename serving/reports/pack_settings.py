"""Settings of the monthly loss review that the worker writes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import read_settings

_PREFIX = "LOSSNLP_"


class PackSettings(BaseSettings):
    """What an installation may set of the loss review; every name stands in the environment as `LOSSNLP_<NAME>`.

    Args:
        report_dir: Folder that the worker writes the review of each month into; None writes none.
        report_day: Day of the month from which the review of the month before is due, 1 to 28.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    report_dir: Path | None = None
    report_day: int = Field(default=3, ge=1, le=28)


def load_pack_settings() -> PackSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why.
    """
    return read_settings(PackSettings, prefix=_PREFIX)
