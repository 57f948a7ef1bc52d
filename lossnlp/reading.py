"""The reading of a deal: its segments, what the network says of them, and the views that decisions rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossnlp.deal import Deal
from lossnlp.encoder import Encoder, Readings
from lossnlp.errors import InvalidDealError
from lossnlp.heads import ViewReading
from lossnlp.segments import ReadDeal, read_deal


@dataclass(frozen=True)
class View:
    """Some segments of a deal read together.

    Args:
        members: Segments of the view, shape (members,).
        reading: Logits and attention.
        has_buyer: Says whether somebody of the buyer, or somebody unnamed, speaks in it.
    """

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

    def view(members: NDArray[np.int64], sources: tuple[bool, bool]) -> View | None:
        if not len(members):
            return None
        return View(members, encoder.view(readings, members, sources=sources), bool(heard[members].any()))

    note = view(np.flatnonzero(is_note), (True, False))
    buyer = view(np.flatnonzero(~is_note), (False, True))
    both = note is not None and buyer is not None
    whole = view(np.arange(len(is_note)), (True, True)) if both else note or buyer
    if whole is None:
        raise InvalidDealError("Field 'documents': no readable text; give at least one word.", field="documents")
    return DealReading(read=read, readings=readings, note=note, buyer=buyer, whole=whole)
