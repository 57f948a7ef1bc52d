"""What a person enters on a deal's page: out of labels, out of a form, and back into labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.datastructures import FormData

from lossnlp.assessment import Evidence
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import NO_CAUSE, Taxonomy
from serving.review.verdict import VerdictError, VerdictLabels, parse_labels

FLAGS = ("insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")
_SAID = {None: "", True: "yes", False: "no"}
_MEANT = {said: value for value, said in _SAID.items()}


@dataclass(frozen=True, slots=True)
class Entered:
    """The fields of the form, as they stand in it.

    Args:
        primary: Code of the primary reason.
        others: Codes of the other reasons.
        meddpicc: State by element.
        attribution: Empty without a note.
        flags: `yes`, `no` or nothing, by name.
        winback: State of the way back.
        revisit_text: Words that say when to come back.
        revisit_on: The day, YYYY-MM-DD.
        rivals: Name and role; without a role it is none.
        comment: In the person's own words.
        marked: Evidence that was marked, as JSON.
    """

    primary: str
    others: tuple[str, ...] = ()
    meddpicc: Mapping[str, str] = field(default_factory=dict)
    attribution: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    winback: str = "unclear"
    revisit_text: str = ""
    revisit_on: str = ""
    rivals: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    marked: str = "[]"

    @classmethod
    def of_labels(cls, labels: VerdictLabels) -> Entered:
        """Gives the fields that show these labels."""
        return cls(
            primary=labels.reasons[0],
            others=labels.reasons[1:],
            meddpicc=dict(labels.meddpicc),
            attribution=labels.attribution or "",
            flags={name: _SAID[getattr(labels, name)] for name in FLAGS},
            winback=labels.winback,
            revisit_text=labels.revisit_text or "",
            revisit_on=labels.revisit_on.isoformat() if labels.revisit_on else "",
            rivals=tuple(labels.competitors.items()),
        )

    @classmethod
    def of_form(cls, form: FormData, taxonomy: Taxonomy) -> Entered:
        """Gives the fields that were sent."""
        names, roles = _all(form, "rival"), _all(form, "rival_role")
        return cls(
            primary=_one(form, "primary"),
            others=tuple(code for code in dict.fromkeys(_all(form, "reasons")) if code != _one(form, "primary")),
            meddpicc={code: _one(form, f"meddpicc.{code}") or "not_mentioned" for code in taxonomy.element_codes},
            attribution=_one(form, "attribution"),
            flags={name: _one(form, name) for name in FLAGS},
            winback=_one(form, "winback") or "unclear",
            revisit_text=_one(form, "revisit_text"),
            revisit_on=_one(form, "revisit_on"),
            rivals=tuple((name, role) for name, role in zip(names, roles, strict=False) if name),
            comment=_one(form, "comment"),
            marked=_one(form, "marked") or "[]",
        )

    def to_labels(
        self,
        taxonomy: Taxonomy,
        *,
        base: VerdictLabels,
        stated: str | None,
        added: Mapping[str, Sequence[Evidence]],
    ) -> VerdictLabels:
        """Gives the labels that hold by what was entered.

        Args:
            taxonomy: The labels there are.
            base: What stood in the form before; its evidence stays with the labels that still hold.
            stated: The reason in the CRM, in its words. Whether it differs follows from the reasons, unless that was answered anew.
            added: Evidence that was marked, by label.

        Raises:
            VerdictError: Names the field that cannot be taken, and how to mend it.
        """
        if self.primary == NO_CAUSE and self.others:
            label = taxonomy.get_reason(NO_CAUSE).label
            raise VerdictError(f"'{label}' stands alone: clear the other reasons, or choose another.", field="primary")
        reasons = (self.primary, *self.others)
        flags = {name: _MEANT.get(self.flags.get(name, "")) for name in FLAGS}
        codes = stated_codes(stated, taxonomy)
        is_as_before = flags["stated_reason_conflict"] == base.stated_reason_conflict
        if codes and is_as_before and reasons != base.reasons:
            flags["stated_reason_conflict"] = not set(codes) & set(reasons)
        quoted = {label: (*base.evidence.get(label, ()), *added.get(label, ())) for label in (*base.evidence, *added)}
        values = self._values() | flags | {"reasons": reasons}
        values["evidence"] = {label: quotes for label, quotes in quoted.items() if _holds(label, values)}
        return parse_labels(values, taxonomy)

    def _values(self) -> dict[str, Any]:
        is_closed = self.winback == "closed"
        return {
            "meddpicc": {code: state for code, state in self.meddpicc.items() if state != "not_mentioned"},
            "attribution": self.attribution or None,
            "winback": self.winback,
            "revisit_text": self.revisit_text or None,
            "revisit_on": None if is_closed else _day(self.revisit_on),
            "competitors": {name[:300]: role for name, role in self.rivals if role},
        }


def _holds(label: str, values: Mapping[str, Any]) -> bool:
    """Says whether a label that has evidence is among the values."""
    if label.startswith("meddpicc."):
        return label.removeprefix("meddpicc.") in values["meddpicc"]
    if label == "external_only":
        return bool(values["attribution"] == "external_only")
    if label == "rep_buyer_conflict":
        return bool(values["rep_buyer_conflict"])
    return label == "winback" or label in values["reasons"]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise VerdictError("Give the day as YYYY-MM-DD, such as 2027-02-01.", field="revisit_on") from None


def _one(form: FormData, name: str) -> str:
    given = form.get(name, "")
    return given.replace("\x00", "").strip() if isinstance(given, str) else ""


def _all(form: FormData, name: str) -> list[str]:
    return [given.replace("\x00", "").strip() for given in form.getlist(name) if isinstance(given, str)]
