"""What a loss review is made of: sections with sentences, tables, charts, quotes and stories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from serving.reports.pack_words import Chorus, Told, Voice
from serving.reports.sheets import Held, Sheet


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a deal.

    Args:
        on: The day.
        what: What happened, for people.
        days_before_end: How long before the deal was closed; negative after it.
    """

    on: date
    what: str
    days_before_end: int


@dataclass(frozen=True, slots=True)
class Story:
    """A deal that is worth telling, anonymous but where its rep has agreed.

    Args:
        told: The deal; it is shown to nobody as it is.
        title: What kind of deal it is, and why it was lost.
        teller: Rep and account where the rep has agreed; else empty.
        beside: Labels of the reasons beside the primary one.
        chosen: Why it is told, in sentences.
        voice: Its quotes.
        gaps: Labels of the elements with a gap.
        questions: What is worth asking next time.
        timeline: What happened when, oldest first.
    """

    told: Told
    title: str
    teller: str
    beside: tuple[str, ...]
    chosen: tuple[str, ...]
    voice: Voice
    gaps: tuple[str, ...]
    questions: tuple[str, ...]
    timeline: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a loss review; what it has none of is not shown.

    Args:
        name: Its anchor.
        title: Its heading.
        points: Sentences, the most important first.
        charts: Drawings.
        sheets: Tables.
        choruses: Quotes by subject.
        stories: Deals that are told.
        notes: What a reader must know to read it right.
    """

    name: str
    title: str
    points: tuple[str, ...] = ()
    charts: tuple[Markup, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    choruses: tuple[Chorus, ...] = ()
    stories: tuple[Story, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def held_back(self) -> int:
        """How many figures are held back."""
        return sum(isinstance(cell, Held) for sheet in self.sheets for row in sheet.rows for cell in row.cells)
