"""What stands in a mail beside its words: closing formula, signature, device line and legal notice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from lossnlp.labels import Likeness, likeness_of
from lossnlp.turns import BLANK, Line

_MAX_SIGNATURE_LINES = 14
_MAX_SIGNATURE_LINE = 110
_PROSE_WORDS = 7
_MAX_NAME = 3
_WINDOW = 2_000

_FORMULA = (
    r"(?:(?:with |my |kind(?:est)? |best |warm(?:est)? |many |very |all the |yours |mit |freundlichen |besten? |viele[n]? |herzliche[n]? |"
    r"liebe |schöne |met |vriendelijke |hartelijke |bien |très |cordiali |distinti |un |med |vennlig |venlig |vänlig[a]? )*"
    r"(?:regards|best|wishes|thanks(?: (?:again|so much|a lot|ah))?|thank you|thx|cheers|sincerely|truly|faithfully|cordially|rgds|br|kr|"
    r"grüßen|grüße|gruß|gruss|grüssen|mfg|lg|vg|dank|groet(?:en)?|gr|cordialement|à vous|bonne journée|salutations|saludos|"
    r"atentamente|un abrazo|abs|saluti|cordialmente|grazie|merci|hilsen|hälsningar|mvh|terveisin|pozdrawiam|take care|talk soon))"
)
_CLOSING = re.compile(rf"{_FORMULA}\s?[,.!]?(?:\s+\S{{1,30}}){{0,4}}", re.IGNORECASE)
_DEVICE = re.compile(
    r"(?:sent (?:from|via) (?:my )?\w|get outlook for|von meinem \w+ gesendet|gesendet (?:von|mit)|envoyé (?:de|depuis) mon|"
    r"enviado desde mi|inviato da(?:l mio)? |verzonden vanaf|skickat från min|sendt fra min)",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"confidential|vertraulich|confiden[tc]i[ae]l|confidencial|riservat|vertrouwelijk|privileged|intended (?:recipient|solely|only)|"
    r"(?:sole|exclusive) use|received (?:this|it).{0,30}(?:error|mistake)|by mistake|in error|notify the sender|delete (?:it|this)|"
    r"destinat[aá]ri|destinataire|empfänger|any attachments|consider the environment|before printing|virus|registered in|"
    r"registered office|company (?:no|number)|originated from outside|external (?:e-?mail|sender)|unsubscribe|monitored",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"p\.?\s?p?\.?\s?s\b", re.IGNORECASE)
_MIN_NOTICE_CUES = 2
_NOTICE_TITLE = re.compile(
    r"(?:confidentiality|legal|avis de|privacy|disclaimer|caution|\[?external)\W?.{0,40}"
    r"(?:notice|disclaimer|confidentialité|email|e-mail|sender|:)",
    re.IGNORECASE,
)


def read_own_lines(text: str, lines: Sequence[Line], author: str | None) -> Iterator[Line]:
    """Gives the lines of a mail that carry its words.

    Args:
        text: The thread.
        lines: The lines of one mail between its frame and the next one.
        author: Who wrote it, where known; a line that is this name begins a signature.
    """
    kept = [line for line in _without_notices(text, lines) if not _DEVICE.match(text, line.start, line.end)]
    start, end = _find_signature(text, kept, author)
    kept = kept[:start] + kept[end:]
    index = {line: number for number, line in enumerate(lines)}
    before = -1
    for line in kept:
        yield line._replace(joins=index[line] == before + 1)
        before = index[line]


def find_signer(text: str, lines: Sequence[Line]) -> str | None:
    """Gives the name under the closing formula or alone on the last line, or None where nobody signed."""
    closings = [number for number, line in enumerate(lines[:-1]) if _is_closing(text, line)]
    if not closings and len(lines) > 1 and lines[-1].paragraph == lines[-2].paragraph:
        return None
    line = lines[closings[0] + 1] if closings else lines[-1]
    signer = text[line.start : min(line.end, line.start + _MAX_SIGNATURE_LINE)].strip(BLANK + ",.-\u2013")
    is_name = len(lines) > 1 and len(signer.split()) <= _MAX_NAME and likeness_of(signer) == Likeness.NAME
    return signer if is_name else None


def _find_signature(text: str, lines: Sequence[Line], author: str | None) -> tuple[int, int]:
    """Gives the first line of the signature and the line after it; both at the end where nothing is signed."""
    for number, line in enumerate(lines):
        if text[line.start : line.end] in {"--", "\u2014", "\u2013", "__"}:
            return number, len(lines)
        if number and (
            _is_closing(text, line)
            or (_is_author(text, line, author) and not _is_followed_by_prose(text, lines, number))
        ):
            return number, _find_signature_end(text, lines, number)
    return len(lines), len(lines)


def _find_signature_end(text: str, lines: Sequence[Line], number: int) -> int:
    """Gives the line after the signature: a postscript, or a paragraph that begins with prose."""
    last = min(len(lines), number + _MAX_SIGNATURE_LINES)
    for end in range(number + 1, last):
        is_head = lines[end].paragraph != lines[end - 1].paragraph
        if _POSTSCRIPT.match(text, lines[end].start) or (is_head and _is_prose(text, lines[end])):
            return end
    return last


def _is_followed_by_prose(text: str, lines: Sequence[Line], number: int) -> bool:
    return number + 1 < len(lines) and _is_prose(text, lines[number + 1])


def _is_closing(text: str, line: Line) -> bool:
    """Says whether the line is a closing formula, alone or with the name behind it."""
    words = text[line.start : min(line.end, line.start + _MAX_SIGNATURE_LINE)]
    closing = _CLOSING.fullmatch(words)
    name = re.sub(rf"{_FORMULA}\s?[,.!]?", "", words, count=1, flags=re.IGNORECASE).split() if closing else []
    return closing is not None and all(not word[0].islower() for word in name)


def _is_author(text: str, line: Line, author: str | None) -> bool:
    """Says whether the line is the author's name, whole or in part, with nothing but a title behind it."""
    if not author or line.end - line.start > _MAX_SIGNATURE_LINE:
        return False
    head = re.split(r"[|,\u2013\u2014]|\s-\s", text[line.start : line.end], maxsplit=1)[0]
    words = [word.strip(".").casefold() for word in head.split()]
    names = [name.strip(".,").casefold() for name in author.split()]
    return (
        0 < len(words) <= len(names) + 1
        and any(word in names for word in words)
        and all(word in names or (len(word) == 1 and any(name.startswith(word) for name in names)) for word in words)
    )


def _is_prose(text: str, line: Line) -> bool:
    """Says whether the line is speech rather than name, title, firm or number."""
    words = text[line.start : line.end]
    if "@" in words or "www." in words or "|" in words or re.search(r"\d{3}", words[-20:]):
        return False
    return len(words) > _MAX_SIGNATURE_LINE or (len(words.split()) >= _PROSE_WORDS and words.endswith((".", "?", "!")))


def _without_notices(text: str, lines: Sequence[Line]) -> Iterator[Line]:
    """Gives the lines outside legal notices and banners."""
    for _, run in groupby(lines, key=lambda line: line.paragraph):
        paragraph = list(run)
        yield from paragraph[: _find_notice(text, paragraph)]


def _find_notice(text: str, paragraph: Sequence[Line]) -> int:
    """Gives the line of a paragraph at which a legal notice begins, or the number of its lines."""
    for number, line in enumerate(paragraph):
        words = text[line.start : min(line.end, line.start + _WINDOW)]
        if _NOTICE_TITLE.match(words):
            return number
        cues = {cue.casefold() for cue in _NOTICE.findall(words)}
        if len(cues) >= _MIN_NOTICE_CUES and (number == 0 or len(words) > _MAX_SIGNATURE_LINE):
            return number
    return len(paragraph)
