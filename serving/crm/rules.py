"""When a field of a CRM may be written: the policy of each field, and what counts as the same value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from serving.crm.protocol import FieldValue

Policy = Literal["if_empty", "if_ours", "never"]
PRIMARY_REASON = "lossnlp_primary_reason"
CONFIDENCE = "lossnlp_confidence"
EVIDENCE = "lossnlp_evidence"
REVIEW_STATE = "lossnlp_review_state"
EVERYTHING = "*"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
SPEAKS_OF: Mapping[str, str] = {
    CONFIDENCE: PRIMARY_REASON,
    EVIDENCE: PRIMARY_REASON,
    "lossnlp_model_version": EVERYTHING,
    "lossnlp_assessed_at": EVERYTHING,
    REVIEW_STATE: EVERYTHING,
}


@dataclass(frozen=True, slots=True)
class WriteRules:
    """What is known of the fields of a CRM, under its names.

    Args:
        policies: Of fields that differ from the default.
        default: `if_empty` writes an empty field alone, `if_ours` also replaces exactly what we wrote, `never` writes nothing. A field
            that speaks of others goes with them: where it has no policy of its own, its policy is `if_ours`.
        spoken_of: For a field that speaks of another the name of that one, or EVERYTHING.
        sets: Fields that hold several values joined by ';', whose order says nothing.
    """

    policies: Mapping[str, Policy] = field(default_factory=dict)
    default: Policy = "if_empty"
    spoken_of: Mapping[str, str] = field(default_factory=lambda: dict(SPEAKS_OF))
    sets: frozenset[str] = frozenset({"lossnlp_contributing_reasons"})

    def policy(self, name: str) -> Policy:
        """Gives when this field may be written."""
        return self.policies.get(name, "if_ours" if name in self.spoken_of else self.default)

    def for_verdict(self) -> WriteRules:
        """Gives the rules for values that a person has confirmed: a value that is exactly ours gives way to them, a person's never."""
        policies: dict[str, Policy] = {
            name: "if_ours" if policy == "if_empty" else policy for name, policy in self.policies.items()
        }
        return replace(self, policies=policies, default="never" if self.default == "never" else "if_ours")

    def speaks_of(self, name: str) -> str | None:
        """Gives the field that this one tells something about, EVERYTHING for all of them, None for a value of its own."""
        return self.spoken_of.get(name)

    def is_same(self, name: str, one: FieldValue, other: FieldValue) -> bool:
        """Says whether two values of a field are the same to a reader."""
        if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
            return one is other
        if isinstance(one, float | int) and isinstance(other, float | int):
            return math.isclose(one, other, abs_tol=1e-9)
        if name in self.sets and isinstance(one, str) and isinstance(other, str):
            return set(one.split(";")) == set(other.split(";"))
        if isinstance(one, str) and isinstance(other, str):
            return _plain(one) == _plain(other) or _is_same_moment(one, other)
        return one == other


def _is_same_moment(one: str, other: str) -> bool:
    """Says whether two texts are one moment, told in two time zones."""
    if not (_MOMENT.match(one) and _MOMENT.match(other)):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except ValueError:
        return False


def _plain(text: str) -> str:
    """Gives a text as CRMs give it back: without blanks around it, with one kind of line end."""
    return text.replace("\r\n", "\n").strip()
