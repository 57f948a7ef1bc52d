"""Where a deal's words come from when its page is opened: kept sealed, fetched from the CRM, or nowhere any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import structlog

from lossnlp.deal import Deal, Document
from lossnlp.errors import InvalidDealError, LossNlpError
from serving.crm.connect import connect_crm
from serving.crm.protocol import Crm
from serving.intake import content_digest, parse_deal
from serving.logs import describe_error
from serving.review.seal import Seal, SealError, open_seal
from serving.settings import Settings
from serving.store import Database, get_assessment
from serving.tables import SealedTextRow

Source = Literal["sealed", "crm", "crm_changed", "none"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Texts:
    """A deal's documents, as far as they are at hand.

    Args:
        source: `sealed` (kept here), `crm` (unchanged since the assessment), `crm_changed`, or `none`.
        documents: Empty where there are none.
        why: One sentence for the person where the source is not what the model read.
    """

    source: Source
    documents: tuple[Document, ...] = ()
    why: str = ""

    @property
    def is_as_read(self) -> bool:
        """Whether these are the very words that were assessed, so that places in them can be kept."""
        return self.source in ("sealed", "crm")


class CrmLink:
    """The connected CRM, reached for at the first need; safe to share between threads.

    Args:
        settings: What the installation has set.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._crm: Crm | None = None
        self._lock = Lock()

    def __call__(self) -> Crm | None:
        """Gives the CRM, None where none is set or this process has not what it takes to reach it."""
        if self._settings.crm is None:
            return None
        with self._lock:
            if self._crm is None:
                try:
                    self._crm = connect_crm(self._settings)
                except LossNlpError as error:
                    _log.warning("crm_not_connected", crm=self._settings.crm, **describe_error(error))
            return self._crm


@dataclass(frozen=True, slots=True)
class TextSource:
    """Finds the words of assessed deals.

    Args:
        database: Where assessments and sealed texts are kept.
        find_crm: Gives the connected CRM, or None.
        seal: Opens what was sealed; None where the installation keeps no texts.
    """

    database: Database
    find_crm: Callable[[], Crm | None]
    seal: Seal | None = None

    def find(self, assessment_id: str) -> Texts:
        """Gives the documents of an assessment; no database connection is held while a CRM is asked.

        Raises:
            UnknownIdError: No assessment has this id.
        """
        with self.database.reading() as session:
            row = get_assessment(session, assessment_id)
            deal_id, digest = row.deal_id, row.content_sha256
            kept = session.get(SealedTextRow, assessment_id)
            sealed = kept.sealed if kept else None
        return self._open(sealed) or self._fetch(deal_id, digest)

    def _open(self, sealed: bytes | None) -> Texts | None:
        if sealed is None or self.seal is None:
            return None
        try:
            return Texts("sealed", self.seal.open(sealed).documents)
        except SealError as error:
            _log.warning("sealed_text_not_opened", **describe_error(error))
            return None

    def _fetch(self, deal_id: str, digest: str) -> Texts:
        crm = self.find_crm()
        if crm is None:
            return _nothing("no text is kept here and no CRM can be asked")
        try:
            request = crm.fetch_requests([deal_id]).get(deal_id)
        except Exception as error:  # noqa: BLE001 (whatever a CRM client raises, the page still opens)
            _log.warning("crm_call_failed", crm=crm.name, **describe_error(error))
            return _nothing("the CRM does not answer at the moment")
        if request is None:
            return _nothing("the CRM does not hold this deal as lost any more")
        try:
            deal = parse_deal(request)
        except InvalidDealError:
            return _nothing("the CRM holds no readable text of this deal any more")
        if _has_digest(deal, digest):
            return Texts("crm", deal.documents)
        return Texts("crm_changed", deal.documents, "The deal has changed in the CRM since it was read.")


def open_text_source(settings: Settings, database: Database) -> TextSource:
    """Gives where an installation's words come from.

    Raises:
        ConfigurationError: A key of LOSSNLP_TEXT_KEYS cannot be used.
    """
    return TextSource(database, CrmLink(settings), open_seal(settings))


def _has_digest(deal: Deal, digest: str) -> bool:
    """Says whether this is what was assessed; a stated reason that was our own word was left out of it then."""
    return digest in (content_digest(deal), content_digest(deal.model_copy(update={"stated_reason": None})))


def _nothing(cause: str) -> Texts:
    return Texts("none", why=f"The documents cannot be shown: {cause}. The quotes below are what was kept.")
