"""Why a deal waits, in plain words."""

from __future__ import annotations

_WORDS = {
    "no_words": "The text holds no words to read",
    "foreign_script": "The text is in a script that the model does not read",
    "foreign_language": "The text is in a language that the model does not read",
    "no_cause_found": "No reason could be found",
    "primary_reason_uncertain": "The primary reason is uncertain",
    "rep_buyer_conflict": "Note and buyer tell different reasons",
    "stated_reason_conflict": "The CRM states another reason",
    "write_back_refused": "The CRM refused the values",
    "verdicts_differ": "Two verdicts differ",
    "verdict_taken_back": "A verdict was taken back",
    "taxonomy_changed": "The list of reasons has changed, and what was read may be one of several now",
    "audit_sample": "Drawn for the audit",
    "drift_sample": "Drawn to watch for change",
}


def cause_in_words(cause: str) -> str:
    """Gives a cause as people read it; one that is not known here keeps its own name, with spaces."""
    return _WORDS.get(cause) or cause.replace("_", " ").capitalize()
