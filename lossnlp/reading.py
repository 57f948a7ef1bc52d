"""The reading of a deal: its segments, what the network says of them, and the views that decisions rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossnlp.calibration import ViewKind
from lossnlp.deal import Deal
from lossnlp.encoder import Encoder, Readings
from lossnlp.errors import InvalidDealError
from lossnlp.heads import ViewReading
from lossnlp.segments import ReadDeal, read_deal

# Whether a view of this kind holds a rep note, and whether the buyer's words.
SOURCES: dict[ViewKind, tuple[bool, bool]] = {"note": (True, False), "buyer": (False, True), "whole": (True, True)}


@dataclass(frozen=True)
class View:
    """Some segments of a deal read together.

    Args:
        kind: The note, the buyer's words, or both together.
        members: Segments of the view, shape (members,).
        reading: Logits and attention.
        has_buyer: Says whether somebody of the buyer, or somebody unnamed, speaks in it.
    """

    kind: ViewKind
    members: NDArray[np.int64]
    reading: ViewReading
    has_buyer: bool


@dataclass(frozen=True)
class DealReading:
    """A deal as the network read it.

    Args:
        read: Segments and speakers.
        readings: Per segment and per token.
        note: The rep's notes alone, or None.
        buyer: Calls, interviews and mails alone (where the buyer speaks), or None.
        whole: Everything.
    """

    read: ReadDeal
    readings: Readings
    note: View | None
    buyer: View | None
    whole: View


def read_views(encoder: Encoder, deal: Deal) -> DealReading:
    """Gives the reading of a deal; each window of text passes the encoder once, whatever the number of views.

    Raises:
        InvalidDealError: Nothing readable stands in its documents.
    """
    read = read_deal(deal)
    if not read.segments:
        raise InvalidDealError("Field 'documents': no readable text; give at least one word.", field="documents")
    readings = encoder.read(read.segments)
    is_note = np.array([segment.kind == "rep_note" for segment in read.segments])
    heard = np.array([segment.kind != "rep_note" and segment.role in ("buyer", None) for segment in read.segments])

    def view(kind: ViewKind, members: NDArray[np.int64]) -> View | None:
        if not len(members):
            return None
        reading = encoder.view(readings, members, sources=SOURCES[kind])
        return View(kind, members, reading, bool(heard[members].any()))

    note, buyer = view("note", np.flatnonzero(is_note)), view("buyer", np.flatnonzero(~is_note))
    both = note is not None and buyer is not None
    whole = view("whole", np.arange(len(is_note))) if both else note or buyer
    if whole is None:
        raise InvalidDealError("Field 'documents': no readable text; give at least one word.", field="documents")
    return DealReading(read=read, readings=readings, note=note, buyer=buyer, whole=whole)
