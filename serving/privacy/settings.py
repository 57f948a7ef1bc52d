"""Settings of how long each kind of record is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import read_settings

_PREFIX = "LOSSNLP_KEEP_"
Days = Annotated[int | None, Field(ge=7, le=36_500)]


class RetentionSettings(BaseSettings):
    """How many days each kind of record is kept, 7 or more; every name stands in the environment as `LOSSNLP_KEEP_<NAME>`.

    What is not set is kept for good. `lossnlp-serve retention` shows what would go, and the worker lets it go once a day. What reports
    count (reasons, amounts, rivals, days) stays, without words.

    Args:
        texts_days: Encrypted documents, from the day they were assessed.
        quotes_days: Quotes, labels of speakers and the words of a revisit, in assessments and in the verdicts on them.
        remarks_days: What reviewers wrote beside their verdicts.
        deal_fields_days: Owner, account and stated reason of a deal, from the day the deal was last received.
        write_backs_days: Values that were written to the CRM and what stood there before, from the day that was settled. It cannot be
            taken back any more then, and our values there count as a person's. What waits to be sent is never dropped.
        inbox_days: Events of the CRM that were taken in or failed for good, from the day that was settled.
        figures_days: Figures of each deal's words that drift is seen by; those in the windows of `LOSSNLP_DRIFT_*` stay.
        shadow_days: What a challenger read otherwise.
        audit_days: The audit log. The chain can still be proved from the last row that was dropped.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    texts_days: Days = None
    quotes_days: Days = None
    remarks_days: Days = None
    deal_fields_days: Days = None
    write_backs_days: Days = None
    inbox_days: Days = None
    figures_days: Days = None
    shadow_days: Days = None
    audit_days: Days = None


def load_retention_settings() -> RetentionSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why.
    """
    return read_settings(RetentionSettings, prefix=_PREFIX)
