"""Three deals worth telling: chosen for what can be learned from them, never for their size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import ColumnElement, case, func, select

from lossnlp.assessment import Evidence
from lossnlp.deal import Document, Kind
from lossnlp.questions import coaching_questions
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS
from serving.reports.differences import count_reps
from serving.reports.pack_section import Event, Section, Story
from serving.reports.pack_words import Told, Voice, distinct, read_told
from serving.reports.report import Report
from serving.reports.story_consents import find_consented
from serving.tables import InterviewRow, LossElementRow, LossRow

FindDocuments = Callable[[str], Sequence[Document]]
_MOST, _MOST_QUOTES, _FEWEST_QUOTES, _MOST_QUESTIONS = 3, 5, 2, 3
_CANDIDATES_A_REASON = 8
_MOST_GAPS_COUNTED, _MOST_DOCUMENTS_COUNTED = 3, 3
_SAME_GROUP = 3
_KINDS: Mapping[Kind, str] = {
    "rep_note": "Our note",
    "call_transcript": "Call",
    "buyer_interview": "Interview with the buyer",
    "email_thread": "Mails",
}
_NOTE = (
    "Chosen for what can be learned: different reasons and different owners, two accounts that differ, a reading that a person has "
    "looked at, words from several documents. The size of a deal plays no part. Names of people are taken out of the quotes; rep and "
    "account are named only where the rep has agreed."
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A deal that may be told, with its telling quotes and what it is worth."""

    told: Told
    quotes: tuple[Evidence, ...]

    @property
    def documents(self) -> int:
        """How many documents are quoted."""
        return len({quote.document_id for quote in self.quotes})

    @property
    def has_both_sides(self) -> bool:
        """Whether the buyer and our side are both quoted."""
        return {"buyer", "rep"} <= {quote.role for quote in self.quotes}

    @property
    def worth(self) -> int:
        """How much there is to learn, 0 or more."""
        loss = self.told.loss
        flags = (
            3 * bool(loss.rep_buyer_conflict) + bool(loss.stated_reason_conflict) + 2 * (loss.verdict_id is not None)
        )
        gaps = sum(found.state == "gap" and bool(found.evidence) for found in self.told.reading.meddpicc.values())
        words = (
            min(self.documents, _MOST_DOCUMENTS_COUNTED) + 2 * self.has_both_sides + min(len(self.quotes), _MOST_QUOTES)
        )
        return flags + min(gaps, _MOST_GAPS_COUNTED) + words


def stories_section(report: Report) -> Section:
    """Gives the deals to tell; fewer than three where few have words that tell anything."""
    candidates = [_Candidate(told, _telling_quotes(told)) for told in read_told(report, _find_candidates(report))]
    consented = find_consented(report.session, [one.told.loss.deal_id for one in candidates])
    able = [one for one in candidates if len(one.quotes) >= _FEWEST_QUOTES]
    points = []
    if count_reps(report.session, report.scope) == 1:
        able = [one for one in able if one.told.loss.deal_id in consented]
        points.append(
            "All deals are one rep's, so that none of them is anonymous; told is only what that rep has agreed to."
        )
    chosen = _choose(able)
    if not chosen:
        points.append("No deal of this month has enough quoted words to tell its story.")
    interviews = _find_interviews(report, chosen)
    stories = tuple(
        _story(report, one, interviews.get(one.told.loss.deal_id), is_named=one.told.loss.deal_id in consented)
        for one in chosen
    )
    return Section("stories", "Deals worth telling", tuple(points), stories=stories, notes=(_NOTE,) if stories else ())


def with_documents(section: Section, find_documents: FindDocuments) -> Section:
    """Gives stories and quotes with what their documents add: dates, and names that only they show. No database is held meanwhile.

    Args:
        section: A section with stories or quotes.
        find_documents: Gives the documents behind an assessment; none where they are not at hand.
    """
    stories = tuple(_with_documents(story, find_documents(story.told.loss.assessment_id)) for story in section.stories)
    choruses = tuple(
        replace(chorus, voices=tuple(_cleaned(voice, find_documents) for voice in chorus.voices))
        for chorus in section.choruses
    )
    return replace(section, stories=stories, choruses=choruses)


def _cleaned(voice: Voice, find_documents: FindDocuments) -> Voice:
    return voice.without_names_of(find_documents(voice.told.loss.assessment_id))


def _with_documents(story: Story, documents: Sequence[Document]) -> Story:
    if not documents:
        return story
    lost_on = story.told.loss.lost_on
    dated = [_event(one.recorded_at, _KINDS[one.kind], lost_on) for one in documents if one.recorded_at is not None]
    timeline = tuple(
        sorted({*story.timeline, *dated}, key=lambda event: (event.on, -event.days_before_end, event.what))
    )
    return replace(story, voice=story.voice.without_names_of(documents), timeline=timeline)


def _find_candidates(report: Report) -> list[LossRow]:
    """Gives the most promising deals of each reason, by what the database knows of them."""
    gaps = select(func.count()).where(LossElementRow.deal_id == LossRow.deal_id, LossElementRow.state == "gap")
    counted = gaps.correlate(LossRow).scalar_subquery()
    promise = (
        3 * _one_if(LossRow.rep_buyer_conflict.is_(True))
        + _one_if(LossRow.stated_reason_conflict.is_(True))
        + 2 * _one_if(LossRow.verdict_id.is_not(None))
        - 3 * _one_if(LossRow.insufficient_detail.is_(True))
        + case((counted > _MOST_GAPS_COUNTED, _MOST_GAPS_COUNTED), else_=counted)
    )
    order = (promise.desc(), LossRow.deal_id)
    place = func.row_number().over(partition_by=LossRow.primary_reason, order_by=order).label("place")
    where = (*report.scope.where, LossRow.primary_reason.not_in((NO_CAUSE, NOT_A_LOSS)))
    placed = select(LossRow.deal_id, place).where(*where).subquery()
    query = select(LossRow).join(placed, placed.c.deal_id == LossRow.deal_id)
    return list(report.session.scalars(query.where(placed.c.place <= _CANDIDATES_A_REASON)))


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _choose(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Gives up to three, the most telling first: each of another reason and, as far as there are such, of another owner and group."""
    left = sorted(candidates, key=lambda one: (-one.worth, one.told.loss.deal_id))
    chosen: list[_Candidate] = []
    while left and len(chosen) < _MOST:
        best = max(left, key=lambda one: _worth_beside(one, chosen))
        chosen.append(best)
        left = [one for one in left if one.told.loss.primary_reason != best.told.loss.primary_reason]
    return chosen


def _worth_beside(candidate: _Candidate, chosen: Sequence[_Candidate]) -> tuple[bool, int]:
    """Gives what a deal is worth beside those chosen: another owner counts first, another group of reasons a little."""
    owners = {one.told.loss.owner for one in chosen} - {None}
    groups = {one.told.reading.primary.group for one in chosen}
    is_same_group = candidate.told.reading.primary.group in groups
    return candidate.told.loss.owner not in owners, candidate.worth - _SAME_GROUP * is_same_group


def _telling_quotes(told: Told) -> tuple[Evidence, ...]:
    """Gives the quotes that tell a deal: of its reasons, the primary first, then of its gaps; the buyer's and ours by turns."""
    reading = told.reading
    quotes = [quote for reason in reading.reasons for quote in reason.evidence]
    quotes += [quote for found in reading.meddpicc.values() if found.state == "gap" for quote in found.evidence]
    unique = distinct(quote for quote in quotes if len(quote.text.split()) > 2)
    buyers = [quote for quote in unique if quote.role == "buyer"]
    others = [quote for quote in unique if quote.role != "buyer"]
    most = max(_MOST_QUOTES - len(others[:2]), 0)
    return tuple([*buyers[:most], *others][:_MOST_QUOTES])


def _story(report: Report, candidate: _Candidate, held_on: date | None, *, is_named: bool) -> Story:
    told, loss = candidate.told, candidate.told.loss
    asked = coaching_questions(
        report.taxonomy,
        told.reading.meddpicc,
        told.reading.reasons,
        stage=loss.stage,
        is_insufficient=bool(loss.insufficient_detail),
        most=_MOST_QUESTIONS,
    )
    return Story(
        told=told,
        title=f"{report.label(loss.primary_reason)}: {told.deal}",
        teller=" · ".join(name for name in (loss.account, loss.owner) if name) if is_named else "",
        beside=tuple(report.label(reason.code) for reason in told.reading.reasons if not reason.primary),
        chosen=tuple(_because(candidate)),
        voice=Voice(told.deal, told.passages(candidate.quotes), told),
        gaps=tuple(one.label for one in report.taxonomy.elements if _is_gap(told, one.code)),
        questions=asked,
        timeline=tuple(_timeline(loss, held_on)),
    )


def _is_gap(told: Told, element: str) -> bool:
    found = told.reading.meddpicc.get(element)
    return found is not None and found.state == "gap"


def _because(candidate: _Candidate) -> Iterator[str]:
    """Gives why a deal is told."""
    loss = candidate.told.loss
    if loss.rep_buyer_conflict:
        yield "Our note names another reason than the buyer does; both saw something."
    elif candidate.has_both_sides:
        yield "Both sides are quoted."
    if loss.stated_reason_conflict:
        yield "The reason in the CRM is none of those that the texts show."
    if loss.verdict_id is not None:
        yield "A person has looked at the reading."
    if candidate.documents > 1:
        yield f"{candidate.documents} documents speak of it."


def _timeline(loss: LossRow, held_on: date | None) -> Iterator[Event]:
    """Gives what is known without the documents, oldest first."""
    events = [_event(loss.lost_on, "Closed as lost", loss.lost_on)]
    if held_on is not None:
        events.append(_event(held_on, _KINDS["buyer_interview"], loss.lost_on))
    if loss.revisit_on is not None:
        events.append(_event(loss.revisit_on, "Day to come back that the texts name", loss.lost_on))
    yield from sorted(events, key=lambda event: event.on)


def _event(on: date, what: str, lost_on: date) -> Event:
    return Event(on, what, (lost_on - on).days)


def _find_interviews(report: Report, chosen: Sequence[_Candidate]) -> dict[str, date]:
    """Gives the day of the last interview of each deal that has one."""
    ids = [one.told.loss.deal_id for one in chosen]
    query = select(InterviewRow.deal_id, func.max(InterviewRow.held_on)).where(InterviewRow.deal_id.in_(ids))
    query = query.where(InterviewRow.held_on.is_not(None)).group_by(InterviewRow.deal_id)
    return {deal_id: day for deal_id, day in report.session.execute(query) if day is not None}
