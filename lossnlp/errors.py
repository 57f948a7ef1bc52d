"""The errors that lossnlp raises on purpose; each carries a code and, where it helps, the field to mend."""

from __future__ import annotations


class LossNlpError(Exception):
    """Gives the base of every error lossnlp raises on purpose.

    Args:
        message: One sentence for a person: what is wrong and how to mend it. Never holds text of a deal.
        field: Dotted path of the offending input field, or None.
    """

    code = "error"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidDealError(LossNlpError):
    """Says that a request is not a readable closed-lost deal."""

    code = "invalid_deal"


class BundleError(LossNlpError):
    """Says that a model bundle is missing, incomplete, altered or made for another version."""

    code = "bad_bundle"


class TaxonomyError(LossNlpError):
    """Says that a taxonomy file breaks its own rules."""

    code = "bad_taxonomy"
