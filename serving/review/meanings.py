"""What the values mean that the taxonomy does not define: one sentence each, after the annotation guide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a person can choose: as it is sent, as it is shown, and when it applies."""

    value: str
    label: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the whole deal, with its answers."""

    name: str
    label: str
    meaning: str
    choices: tuple[Choice, ...]


_YES_NO = (Choice("", "Does not arise"), Choice("yes", "Yes"), Choice("no", "No"))

QUESTIONS = (
    Question(
        "attribution",
        "Where the note looks for the causes",
        "Whom the writer of the note holds responsible; only causes of the loss count. A price list, a roadmap or a template "
        "that the rep does not own lies outside.",
        (
            Choice("", "No note"),
            Choice(
                "external_only", "Only outside the team", "Every cause that is given lies outside the selling team."
            ),
            Choice(
                "mixed", "Outside and inside", "Outside causes, and something that the team did, missed or learned."
            ),
            Choice(
                "internal_only", "Only inside the team", "Only things that the selling team did, missed or learned."
            ),
            Choice("none", "No cause given", "The note gives no cause."),
        ),
    ),
    Question(
        "insufficient_detail",
        "Too little to act on",
        "The note gives no cause, or only a bare category, and no fact of this deal: no name, person, amount, date or event.",
        _YES_NO,
    ),
    Question(
        "rep_buyer_conflict",
        "Note and buyer differ",
        "The primary reason of the note is not among the reasons that the buyer gives; a buyer who gives none contradicts nobody.",
        _YES_NO,
    ),
    Question(
        "stated_reason_conflict",
        "The CRM's reason differs",
        "The reason that was chosen in the CRM is none of the reasons that apply.",
        _YES_NO,
    ),
)
WINBACK = Question(
    "winback",
    "Way back",
    "What the text leaves open; a rep's own plan to come back counts as open.",
    (
        Choice("open", "Open", "Asked to return, postponed, or a passing obstacle with goodwill."),
        Choice("unclear", "Unclear", "Neither open nor closed can be read."),
        Choice(
            "closed", "Closed", "Signed elsewhere for a term, built or staffed already, a hard no, impossible, or gone."
        ),
    ),
)
REVISIT = "The words that say when to come back, and the day they mean, counted from the day the deal was closed."
STATES = (Choice("gap", "Gap"), Choice("covered", "Covered"), Choice("not_mentioned", "Not mentioned"))
ROLES = (
    Choice("won", "Won", "Chosen instead of us."),
    Choice("incumbent", "Incumbent", "Was in place and stayed."),
    Choice("mentioned", "Mentioned", "Named without deciding it."),
    Choice("", "No rival", "The buyer, a partner, an in-house tool or our own product."),
)
KINDS: Mapping[str, str] = {
    "rep_note": "Note",
    "call_transcript": "Call",
    "buyer_interview": "Buyer interview",
    "email_thread": "E-mails",
}
