"""The rep's account of a loss beside the buyer's: what both name, what one of them does, in neutral words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lossnlp.taxonomy import NO_CAUSE, Taxonomy
from serving.reports.winback_entries import reason_label


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rep's account beside the buyer's, in words for people.

    Args:
        ours: Reasons by our account, primary first.
        buyers: Reasons by the buyer's.
        is_note: Whether our account is a note; else it is what was read of the deal before the interview.
        both: Reasons that both name.
        only_ours: Reasons of our account alone.
        only_buyers: Reasons of the buyer's alone.
        summary: What that comes to, in one or two sentences.
    """

    ours: tuple[str, ...]
    buyers: tuple[str, ...]
    is_note: bool
    both: tuple[str, ...]
    only_ours: tuple[str, ...]
    only_buyers: tuple[str, ...]
    summary: str


def compare(reasons: Mapping[str, Sequence[str]], taxonomy: Taxonomy) -> Comparison | None:
    """Gives the two accounts side by side, None where one of them is not there.

    Args:
        reasons: As an interview keeps them.
        taxonomy: Labels for people.
    """
    is_note = bool(reasons.get("note"))
    ours, buyers = reasons.get("note") or reasons.get("earlier"), reasons.get("interview")
    if not (ours and buyers):
        return None

    def labels(codes: Iterable[str]) -> tuple[str, ...]:
        return tuple(reason_label(taxonomy, code) for code in codes)

    return Comparison(
        ours=labels(ours),
        buyers=labels(buyers),
        is_note=is_note,
        both=labels(code for code in ours if code in buyers and code != NO_CAUSE),
        only_ours=labels(code for code in ours if code not in buyers and code != NO_CAUSE),
        only_buyers=labels(code for code in buyers if code not in ours and code != NO_CAUSE),
        summary=_summary(ours, buyers, labels),
    )


def _summary(ours: Sequence[str], buyers: Sequence[str], labels: Callable[[Iterable[str]], tuple[str, ...]]) -> str:
    (first,), (theirs,) = labels(ours[:1]), labels(buyers[:1])
    if NO_CAUSE in (ours[0], buyers[0]):
        side = "The interview" if buyers[0] == NO_CAUSE else "Our account"
        return f"{side} names no cause, so there is nothing to compare it with."
    if ours[0] == buyers[0]:
        return f"Both accounts put the same first: {first}."
    if ours[0] in buyers:
        return f"Both accounts speak of {first}; the buyer puts {theirs} first."
    return (
        f"Our account puts {first} first, the buyer puts {theirs} first. Each saw the decision from their own place; "
        "it is worth asking what would explain both."
    )
