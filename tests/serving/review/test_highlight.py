"""Documents with their evidence lit: nothing is lost, everything is escaped, every place is right."""

from __future__ import annotations

import random
from html import unescape
from html.parser import HTMLParser

from lossnlp.assessment import Span, Speaker
from lossnlp.deal import Document, Turn
from serving.review.highlight import (
    Block,
    Fold,
    Mark,
    Piece,
    ShownDocument,
    anchor_of,
    find_again,
    fold,
    show_documents,
)

CALL = "[00:00:03] Dana Ortiz (Nordwind): Too much 💸 for us.\n[00:00:09] Kim Lee (Ovelia): I see <b>.\n"
SIGNS = "ab é😀\U0001f9d1\u200d💻<>&\"'\r\n\x00\t"


def note(text: str, name: str = "note") -> Document:
    return Document(id=name, kind="rep_note", text=text)


def mark(document: Document, label: str, start: int, end: int, turn: int | None = None) -> Mark:
    text = document.text if turn is None else (document.turns or ())[turn].text
    return Mark(label, Span(document_id=document.id, start=start, end=end, text=(text or "")[start:end], turn=turn))


def pieces(document: ShownDocument) -> list[Piece]:
    return [piece for block in document.blocks if isinstance(block, Block) for piece in block.pieces]


def whole(document: ShownDocument) -> str:
    return "".join(piece.text for piece in pieces(document))


class Shown(HTMLParser):
    """The characters that a browser shows; any element is a fault."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        raise AssertionError(tag, attrs)


def test_overlapping_marks_split_into_pieces() -> None:
    document = note("price was far too high")
    [shown] = show_documents([document], [mark(document, "price", 0, 15), mark(document, "gap", 6, 22)])
    assert [(piece.text, piece.labels) for piece in pieces(shown)] == [
        ("price ", ("price",)),
        ("was far t", ("price", "gap")),
        ("oo high", ("gap",)),
    ]


def test_any_spans_keep_every_character() -> None:
    chance = random.Random(7)
    for _ in range(300):
        text = "".join(chance.choices(SIGNS, k=chance.randrange(1, 60)))
        document = Document(id="d", kind=chance.choice(["rep_note", "call_transcript", "email_thread"]), text=text)
        places = [sorted(chance.choices(range(len(text) + 1), k=2)) for _ in range(chance.randrange(6))]
        marks = [mark(document, f"label{n}", *place) for n, place in enumerate(places)]
        [shown] = show_documents([document], marks)
        assert whole(shown) == text
        for one in marks:
            lit = "".join(piece.text for piece in pieces(shown) if one.label in piece.labels)
            assert lit == one.span.text
        for piece in pieces(shown):
            assert text[piece.start : piece.start + len(piece.text)] == piece.text


def test_markup_in_texts_is_escaped() -> None:
    [shown] = show_documents([note('<script>alert("1")</script> & <b>')], [])
    parser = Shown()
    parser.feed(str(pieces(shown)[0].html))
    parser.close()
    assert parser.text == '<script>alert("1")</script> & <b>'


def test_browsers_keep_line_ends_and_nul() -> None:
    html = str(Piece(0, "a\r\nb\x00c", (), "").html)
    assert "\r" not in html
    assert unescape(html.replace("&#13;", "R")) == "aR\nb\ufffdc"


def test_emoji_before_a_span_shift_nothing() -> None:
    document = note("😀😀 price")
    [shown] = show_documents([document], [mark(document, "price", 3, 8)])
    assert [piece.text for piece in pieces(shown) if piece.labels] == ["price"]


def test_call_shows_speakers_and_roles() -> None:
    document = Document(id="call", kind="call_transcript", text=CALL)
    speakers = [
        Speaker(document_id="call", speaker="Dana Ortiz (Nordwind)", role="buyer", confidence=0.9),
        Speaker(document_id="call", speaker="Kim Lee (Ovelia)", role="rep", confidence=0.9),
    ]
    [shown] = show_documents([document], [], speakers)
    spoken = [block for block in shown.blocks if isinstance(block, Block) and block.is_speech]
    assert [(block.role, block.text.strip()) for block in spoken] == [
        ("buyer", "Too much 💸 for us."),
        ("rep", "I see <b>."),
    ]
    assert whole(shown) == CALL


def test_turns_count_in_their_own_text() -> None:
    turns = (Turn(speaker="Dana", role="buyer", text="hello"), Turn(speaker=None, text="too high"), Turn(text=""))
    document = Document(id="call", kind="call_transcript", turns=turns)
    marked = mark(document, "price", 4, 8, turn=1)
    [shown] = show_documents([document], [marked])
    assert [(piece.text, piece.labels, piece.anchor) for piece in pieces(shown)][1:] == [
        ("too ", (), "d0t1c0"),
        ("high", ("price",), "d0t1c4"),
    ]
    assert anchor_of([document], marked.span) == "d0t1c4"


def test_marks_of_other_documents_light_nothing() -> None:
    document, other = note("price"), note("price", "other")
    shown = show_documents([document, other], [mark(other, "price", 0, 5)])
    assert [[piece.labels for piece in pieces(one)] for one in shown] == [[()], [("price",)]]


def test_moved_words_are_found_nearest() -> None:
    before, after = note("the price, the price"), note("oh the price, the price")
    found, lost = find_again([mark(before, "price", 15, 20)], [after])
    assert not lost
    assert (found[0].span.start, found[0].span.end) == (18, 23)


def test_words_found_in_another_document() -> None:
    before, after = (
        note("too high", "old"),
        Document(id="call", kind="call_transcript", turns=(Turn(text="it is too high"),)),
    )
    found, _ = find_again([mark(before, "price", 0, 8)], [after])
    span = found[0].span
    assert (span.document_id, span.turn, span.start, span.end) == ("call", 0, 6, 14)


def test_words_that_are_gone_are_lost() -> None:
    found, lost = find_again([mark(note("too high"), "price", 0, 8)], [note("all fine")])
    assert (found, len(lost)) == ((), 1)


def test_long_calls_fold_far_from_quotes() -> None:
    turns = tuple(Turn(speaker="Dana", text=f"turn {n} " + "word " * 20) for n in range(60))
    document = Document(id="call", kind="call_transcript", turns=turns)
    shown = show_documents([document], [mark(document, "price", 0, 4, turn=30)])
    [folded] = fold(shown, most_chars=1_000)
    left = [block.n_blocks if isinstance(block, Fold) else block.turn for block in folded.blocks]
    assert left == [0, 1, 2, 3, 23, 27, 28, 29, 30, 31, 32, 33, 26]


def test_short_documents_are_not_folded() -> None:
    shown = show_documents([note("price")], [])
    assert fold(shown, most_chars=5) == shown


def test_endless_notes_are_cut_at_lines() -> None:
    document = note("a line of a note\n" * 1_000)
    [shown] = show_documents([document], [])
    assert len(shown.blocks) > 3
    assert all(block.text.endswith("\n") for block in shown.blocks if isinstance(block, Block))
    assert whole(shown) == document.text
