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
