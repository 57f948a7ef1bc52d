"""Loss reviews as files: one a month and team, written when they are due and never twice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

import structlog
from sqlalchemy import func, select

from lossnlp.deal import Document
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.errors import ConfigurationError
from serving.logs import describe_error
from serving.loops import repeat
from serving.people.access import Viewer, sees_loss
from serving.reports.cuts import MINIMUM
from serving.reports.pack import ALL_SEEING, Asked, Pack, add_documents, make_pack, render_pack
from serving.reports.pack_month import Month
from serving.reports.pack_settings import load_pack_settings
from serving.reports.winbacks import open_winbacks
from serving.review.texts import TextSource, open_text_source
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import LossRow

_DAY_S = 24 * 3600.0
_MOST_SLUG_CHARS = 40
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PackMaker:
    """Makes loss reviews.

    Args:
        database: Where losses are.
        taxonomy: The labels there are.
        texts: Where the words of deals come from; None shows no days of documents.
        fiscal_year_starts: Month in which fiscal years start, 1 to 12.
    """

    database: Database
    taxonomy: Taxonomy
    texts: TextSource | None = None
    fiscal_year_starts: int = 1

    def make(self, asked: Asked, *, viewer: Viewer = ALL_SEEING) -> Pack:
        """Gives a review; its documents are asked for once the database is let go.

        Raises:
            ConfigurationError: The file of win-back windows cannot be used.
        """
        winbacks = open_winbacks(self.taxonomy, fiscal_year_starts=self.fiscal_year_starts)
        with self.database.reading() as session:
            pack = make_pack(session, viewer, asked, taxonomy=self.taxonomy, winbacks=winbacks)
        return add_documents(pack, self._find_documents)

    def _find_documents(self, assessment_id: str) -> Sequence[Document]:
        if self.texts is None:
            return ()
        found = self.texts.find(assessment_id)
        return found.documents if found.is_as_read else ()

    def find_teams(self, *, viewer: Viewer = ALL_SEEING) -> list[str]:
        """Gives the teams with losses that a viewer sees."""
        query = select(LossRow.team).where(sees_loss(viewer), LossRow.team.is_not(None))
        with self.database.reading() as session:
            return [team for team in session.scalars(query.distinct().order_by(LossRow.team)) if team]

    def find_due_teams(self, month: Month) -> list[str]:
        """Gives the teams that get a review of their own: with deals enough in a month, and not of one rep alone."""
        query = select(LossRow.team).where(LossRow.lost_on.between(month.first, month.last), LossRow.team.is_not(None))
        query = query.group_by(LossRow.team).order_by(LossRow.team)
        query = query.having(func.count() >= MINIMUM, func.count(LossRow.owner.distinct()) != 1)
        with self.database.reading() as session:
            return [team for team in session.scalars(query) if team]

    def has_losses(self, month: Month) -> bool:
        """Says whether anything was lost in a month."""
        query = select(LossRow.deal_id).where(LossRow.lost_on.between(month.first, month.last)).limit(1)
        with self.database.reading() as session:
            return session.scalar(query) is not None


def open_pack_maker(settings: Settings, database: Database, *, taxonomy: Taxonomy | None = None) -> PackMaker:
    """Gives what makes loss reviews, as the installation has set it.

    Args:
        settings: What the installation has set.
        database: Where losses are.
        taxonomy: The labels there are; None takes those that ship.

    Raises:
        ConfigurationError: A key of LOSSNLP_TEXT_KEYS cannot be used.
    """
    texts = open_text_source(settings, database)
    return PackMaker(database, taxonomy or get_default_taxonomy(), texts, settings.fiscal_year_starts)


def file_name(month: Month, team: str | None) -> str:
    """Gives the name of a review's file; another one for each month and team, whatever a team is called."""
    if team is None:
        return f"loss-review-{month}.html"
    slug = re.sub(r"[^a-z0-9]+", "-", team.casefold()).strip("-")[:_MOST_SLUG_CHARS]
    digest = hashlib.sha256(team.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"loss-review-{month}-{slug or 'team'}-{digest}.html"


def write_pack(pack: Pack, folder: Path) -> Path:
    """Gives the file of a review; it appears whole or not at all.

    Raises:
        OSError: The folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / file_name(pack.asked.month, pack.asked.team)
    part = file.with_suffix(".part")
    part.write_text(render_pack(pack), encoding="utf-8", errors="replace")
    return part.replace(file)


def write_due_packs(database: Database, settings: Settings, at: datetime) -> list[Path]:
    """Gives the reviews that were due and are written now: one for all teams, one for each team that gets its own.

    Due is the last month that ended before the day that LOSSNLP_REPORT_DAY names, so that a worker that stood still on that day
    catches up. What is written stays as it is, however often this is called.

    Args:
        database: Where losses are.
        settings: What the installation has set.
        at: The moment, with its time zone.

    Raises:
        ConfigurationError: A setting cannot be used, or LOSSNLP_REPORT_DIR cannot be written.
    """
    options = load_pack_settings()
    if options.report_dir is None:
        return []
    maker = open_pack_maker(settings, database)
    month = Month.of(at.date()).back(1 if at.day >= options.report_day else 2)
    if not maker.has_losses(month):
        return []
    teams = [None, *maker.find_due_teams(month)]
    due = [team for team in teams if not (options.report_dir / file_name(month, team)).exists()]
    try:
        return [write_pack(maker.make(Asked(month, team, at.date())), options.report_dir) for team in due]
    except OSError as error:
        _log.warning("report_not_written", **describe_error(error))
        message = "LOSSNLP_REPORT_DIR: the folder cannot be written; make it writable or name another one."
        raise ConfigurationError(message, field="LOSSNLP_REPORT_DIR") from None


def run_packs(database: Database, settings: Settings, stop: Event) -> None:
    """Writes due reviews once a day until `stop` is set; a fault is logged and tried again the next day."""

    def write() -> bool:
        for file in write_due_packs(database, settings, now()):
            _log.info("report_written", file=file.name)
        return False  # so that the loop waits

    repeat(write, stop, wait_s=_DAY_S, name="loss_reviews")
