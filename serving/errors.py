"""The errors that the service raises on purpose, beside those of lossnlp."""

from __future__ import annotations

from lossnlp.errors import LossNlpError


class ConfigurationError(LossNlpError):
    """Says that a setting is missing or wrong; the service does not start."""

    code = "bad_configuration"


class SchemaError(LossNlpError):
    """Says that the database cannot be reached or its tables are not those of this version."""

    code = "bad_schema"


class UnknownIdError(LossNlpError):
    """Says that nothing stands under this id."""

    code = "not_found"


class OverloadError(LossNlpError):
    """Says that a deal is not read now because too many wait, or its request's time is over.

    Args:
        message: One sentence for a person.
        retry_after_s: When to try again, in whole seconds.
    """

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class CallerLeftError(LossNlpError):
    """Says that nobody waits for the answer any more."""

    code = "caller_left"
