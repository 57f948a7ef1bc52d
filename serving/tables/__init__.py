"""The tables.

No text of a deal is stored, unless an installation switches on that it is kept encrypted. Of its documents only a digest is
kept, and in the assessment and in verdicts the short stretches that they quote as evidence; whoever deletes those has deleted
all that was kept of the words. The deal's own fields stay beside it as last received, and of the CRM's fields the values that
a write-back replaced or left alone. Beside each assessment stand figures of its words, from which no word can be told.
"""

from serving.tables.access import ApiKeyRow, AuditRow
from serving.tables.base import Table, UtcDateTime, cut_error
from serving.tables.deals import AssessmentRow, DealRow
from serving.tables.drift import DealFiguresRow, DriftLookRow
from serving.tables.loop import AttemptRow, BatchRow, InboxRow, PollRow, WriteBackRow
from serving.tables.model import ModelChoiceRow, ModelServiceRow, ShadowDifferenceRow, ShadowReadingRow
from serving.tables.people import PersonRow, SessionRow
from serving.tables.reports import (
    InterviewRow,
    LossElementRow,
    LossReasonRow,
    LossRivalRow,
    LossRow,
    ReopenedRow,
    StoryConsentRow,
    WinbackNoticeRow,
)
from serving.tables.review import ReviewCauseRow, ReviewRow, SavedFilterRow, SealedTextRow, VerdictRow
from serving.tables.taxonomy import RelabelledRow, TaxonomyChangeRow

__all__ = [
    "ApiKeyRow",
    "AssessmentRow",
    "AttemptRow",
    "AuditRow",
    "BatchRow",
    "DealFiguresRow",
    "DealRow",
    "DriftLookRow",
    "InboxRow",
    "InterviewRow",
    "LossElementRow",
    "LossReasonRow",
    "LossRivalRow",
    "LossRow",
    "ModelChoiceRow",
    "ModelServiceRow",
    "PersonRow",
    "PollRow",
    "RelabelledRow",
    "ReopenedRow",
    "ReviewCauseRow",
    "ReviewRow",
    "SavedFilterRow",
    "SealedTextRow",
    "SessionRow",
    "ShadowDifferenceRow",
    "ShadowReadingRow",
    "StoryConsentRow",
    "Table",
    "TaxonomyChangeRow",
    "UtcDateTime",
    "VerdictRow",
    "WinbackNoticeRow",
    "WriteBackRow",
    "cut_error",
]
