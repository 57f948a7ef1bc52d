"""Deals sealed at rest: encrypted before they are stored, and only where an installation has set keys for it."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.orm import Session

from lossnlp.deal import Deal
from lossnlp.errors import LossNlpError
from serving.errors import ConfigurationError
from serving.settings import Settings
from serving.tables import AssessmentRow, SealedTextRow

_HINT = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class SealError(LossNlpError):
    """Says that no key at hand opens a sealed deal."""

    code = "sealed"


class Seal:
    """Seals deals and opens them again.

    Args:
        keys: Fernet keys, at least one: the first seals, each of them opens. A key is replaced by putting a new one before it.

    Raises:
        ConfigurationError: A key is none; tells which, never what it is.

    Source: https://cryptography.io/en/latest/fernet/
    """

    def __init__(self, *keys: str) -> None:
        self._fernet = MultiFernet([_fernet(key, place) for place, key in enumerate(keys, start=1)])

    def seal(self, deal: Deal) -> bytes:
        """Gives the deal as bytes that nobody reads without a key."""
        return self._fernet.encrypt(json.dumps(deal.model_dump(mode="json", exclude_none=True)).encode("ascii"))

    def open(self, sealed: bytes) -> Deal:
        """Gives the deal that was sealed.

        Raises:
            SealError: None of the keys opens it.
        """
        try:
            return Deal.model_validate(json.loads(self._fernet.decrypt(sealed)))
        except InvalidToken:
            raise SealError(
                "No key of LOSSNLP_TEXT_KEYS opens this sealed deal; add the key it was sealed with."
            ) from None


def open_seal(settings: Settings) -> Seal | None:
    """Gives the seal of an installation; None where it has set no keys and keeps no texts.

    Raises:
        ConfigurationError: A key cannot be used.
    """
    given = settings.text_keys.get_secret_value() if settings.text_keys else ""
    keys = [key.strip() for key in given.split(",") if key.strip()]
    return Seal(*keys) if keys else None


def keep_sealed(session: Session, row: AssessmentRow, deal: Deal, *, seal: Seal) -> None:
    """Keeps the deal of an assessment sealed, in the unit of work that stores the assessment."""
    session.add(SealedTextRow(assessment_id=row.id, sealed=seal.seal(deal), created_at=row.created_at))


def _fernet(key: str, place: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        message = f"LOSSNLP_TEXT_KEYS: key {place} is no Fernet key; make one with `{_HINT}`."
        raise ConfigurationError(message, field="LOSSNLP_TEXT_KEYS") from None
