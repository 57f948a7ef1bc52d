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
    read = read_text(deal)
    return view_all(encoder, read, encoder.read(read.segments))


def read_text(deal: Deal) -> ReadDeal:
    """Gives the segments and speakers of a deal.

    Raises:
        InvalidDealError: Nothing readable stands in its documents.
    """
    read = read_deal(deal)
    if not read.segments:
        raise InvalidDealError("Field 'documents': no readable text; give at least one word.", field="documents")
    return read


def view_all(encoder: Encoder, read: ReadDeal, readings: Readings) -> DealReading:
    """Gives the views of a deal.

    Args:
        encoder: That read the deal.
        read: Its segments, at least one.
        readings: What the encoder read in them.
    """
    is_note = np.array([segment.kind == "rep_note" for segment in read.segments])
    heard = np.array([segment.kind != "rep_note" and segment.role in ("buyer", None) for segment in read.segments])

    def view(kind: ViewKind, members: NDArray[np.int64]) -> View:
        reading = encoder.view(readings, members, sources=SOURCES[kind])
        return View(kind, members, reading, bool(heard[members].any()))

    notes, others = np.flatnonzero(is_note), np.flatnonzero(~is_note)
    note = view("note", notes) if len(notes) else None
    buyer = view("buyer", others) if len(others) else None
    whole = note or buyer if note is None or buyer is None else view("whole", np.arange(len(is_note)))
    assert whole is not None  # noqa: S101 - there is a segment, and it stands in one of the two
    return DealReading(read=read, readings=readings, note=note, buyer=buyer, whole=whole)
