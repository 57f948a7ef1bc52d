"""The lines of a mail thread that frame the mails: header blocks, attribution lines and separators, in the common languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from lossnlp.labels import Likeness, likeness_of
from lossnlp.turns import BLANK, Line, read_lines

_MAX_DEPTH = 40
_MAX_HEADER_LINES = 16
_MAX_ATTRIBUTION_LINES = 3
_MAX_ATTRIBUTION = 300
_MAX_DATE = 60

_SENDER = "from|von|de|da|van|från|fra|od|lähettäjä|expéditeur|remitente|mittente|afzender|от"
_OTHER_KEY = (
    "sent|date|to|cc|bcc|subject|reply-to|importance|attachments|gesendet|datum|an|betreff|kopie|antwort|envoyé|à|objet|fecha|"
    "enviado|enviada|para|asunto|inviato|data|a|oggetto|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til|emne|kopi|assunto|"
    "wysłano|do|temat|lähetetty|aihe"
)
_KEY = re.compile(
    rf"[*_]{{0,2}}(?:(?P<sender>{_SENDER})|(?P<other>{_OTHER_KEY}))[*_]{{0,2}}\s{{0,3}}:[*_]{{0,2}}(?!//)",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:wrote|writes|schrieb|a écrit|escribió|ha scritto|schreef|het volgende geschreven|escreveu|skrev|napisał(?:\(a\)|a)?|"
    r"kirjoitti)(?!\w)",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"(?:on|am|le|el|il|op|em|den|w dniu|dnia|dne)\s|\w{2,12}\.?,?\s{1,2}\d|\d|[^<\n]{1,80}<[^<>@\s]{1,64}@",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,2}[:.]\d{2}|\b(?:19|20)\d\d\b")
_ADDRESS = re.compile(r"[<(\[]?\s?(?:mailto:)?[\w.+'-]{1,64}@[\w.-]{1,120}\s?[>)\]]?")
_LAST_OF_DATE = re.compile(
    r"(?:\d[\d:.]*(?:\s?[ap]\.?m\b\.?)?(?:\s?Uhr|\s?h\b)?(?:\s?\(?[+-]\d{4}\)?)?(?:\s?\(?(?:GMT|UTC|BST|IST|CES?T|[ECMP][SD]T)\)?(?=[\s,]))?)[,\s]*",
    re.IGNORECASE,
)
_RULE = re.compile(
    r"[-_=*\u2013\u2014]{2,80}(?P<words>[^-_=*\u2013\u2014]{0,60})[-_=*\u2013\u2014]{2,200}\s{0,4}|[-_=\u2013\u2014]{5,}"
)
_FORWARD = re.compile(
    r"(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)|début du message (?:réexpédié|transféré)|"
    r"inicio del mensaje reenviado|inizio messaggio inoltrato|begin doorgestuurd bericht)\s?:",
    re.IGNORECASE,
)


class MailLine(NamedTuple):
    """A line of a thread without its quote marks; `depth` is how many `>` stood before it."""

    line: Line
    depth: int


class Frame(NamedTuple):
    """Lines that stand before the words of one author.

    Args:
        author: The name or address as written, or None where the frame tells none.
        end: Index of the line after the frame.
        depth: At which depth of quotation the author's words follow.
        is_rule: Says that the frame is a mere line of dashes, behind which the same author may go on.
    """

    author: str | None
    end: int
    depth: int = 0
    is_rule: bool = False


def read_mail_lines(text: str) -> list[MailLine]:
    """Gives the lines with words, each with its depth of quotation; a change of depth ends a paragraph."""
    lines: list[MailLine] = []
    paragraph, before = -1, (-1, -1)
    for line in read_lines(text):
        start, depth = line.start, 0
        while start < line.end and depth < _MAX_DEPTH and (text[start] == ">" or (depth and text[start] in BLANK)):
            depth += text[start] == ">"
            start += 1
        while start < line.end and text[start] in BLANK:
            start += 1
        if start == line.end:
            before = (-1, -1)
            continue
        paragraph += before != (line.paragraph, depth)
        before = (line.paragraph, depth)
        lines.append(MailLine(Line(start, line.end, paragraph), depth))
    return lines


def find_frame(text: str, lines: Sequence[MailLine], index: int) -> Frame | None:
    """Gives the frame that begins at a line, or None where the line belongs to a mail's own words."""
    line = lines[index].line
    words = text[line.start : min(line.end, line.start + _MAX_ATTRIBUTION)]
    return (
        _find_attribution(text, lines, index)
        or _find_header(text, lines, index)
        or _find_separator(words, index, lines[index].depth)
    )


def read_author(value: str) -> str | None:
    """Gives the name in `Dana Ortiz <dana@x.com>`, or the address where there is no name."""
    value = value.strip(BLANK + ",;")
    address = _ADDRESS.search(value)
    name = value[: address.start()] if address else value
    name = re.sub(r"^[*_]+|[*_]+$", "", name.strip(BLANK)).strip(BLANK + "\"'\u201c\u201d,;:(<[")
    return name or (address[0].strip("<>()[] ").removeprefix("mailto:") if address else None)


def _find_header(text: str, lines: Sequence[MailLine], index: int) -> Frame | None:
    """Gives the header block of a mail: two keys or more, or one line that names a sender at the head of a paragraph."""
    line, depth = lines[index]
    is_head = index == 0 or lines[index - 1].line.paragraph != line.paragraph
    if not is_head and _KEY.match(text, lines[index - 1].line.start, lines[index - 1].line.end):
        return None  # a block begins at its first key; trying again at each one would take time for nothing
    keys: dict[str, str] = {}
    end = index
    while end < min(len(lines), index + _MAX_HEADER_LINES) and lines[end].depth == depth:
        key = _KEY.match(text, lines[end].line.start, lines[end].line.end)
        value = text[
            key.end() if key else lines[end].line.start : min(lines[end].line.end, line.start + 4 * _MAX_ATTRIBUTION)
        ]
        if key:
            keys.setdefault("sender" if key["sender"] else key["other"].casefold(), value)
        elif end == index and is_head and _is_named_address(value):
            keys["sender"] = value
        elif end == index + 1 and "sender" in keys and _is_date(value):
            keys["date"] = value
        elif not keys or not _is_folded(text, lines, end):
            break
        end += 1
    author = read_author(keys.get("sender", ""))
    if len(keys) > 1 or (author and is_head and likeness_of(author) >= Likeness.NAME and keys):
        return Frame(author, end, depth)
    return None


def _is_folded(text: str, lines: Sequence[MailLine], index: int) -> bool:
    """Says whether a line goes on with the list of addresses of the header line above."""
    line, above = lines[index].line, lines[index - 1].line
    words = text[line.start : min(line.end, line.start + _MAX_ATTRIBUTION)]
    return (
        line.paragraph == above.paragraph and ("@" in words or text[above.end - 1] in ",;") and not words.endswith(".")
    )


def _is_named_address(value: str) -> bool:
    """Says whether a line is a name with its address, and at most a date."""
    address = _ADDRESS.search(value)
    if address is None or "<" not in address[0] or likeness_of(value[: address.start()].strip(BLANK)) < Likeness.NAME:
        return False
    rest = value[address.end() :].strip(BLANK + ",")
    return not rest or bool(_DATED.search(rest) and not rest.endswith("."))


def _is_date(value: str) -> bool:
    return len(value) <= _MAX_DATE and _DATED.search(value) is not None and not value.endswith((".", "?", "!"))


def _find_attribution(text: str, lines: Sequence[MailLine], index: int) -> Frame | None:
    """Gives the frame of `On Tue, 3 Feb 2026 at 10:11, Dana <dana@x.com> wrote:`, which mail programs break over lines."""
    line, depth = lines[index]
    if not _ATTRIBUTION.match(text, line.start, line.end):
        return None
    joined = ""
    for end in range(index, min(len(lines), index + _MAX_ATTRIBUTION_LINES)):
        if lines[end].depth != depth or lines[end].line.paragraph != line.paragraph or len(joined) > _MAX_ATTRIBUTION:
            return None
        words = text[lines[end].line.start : lines[end].line.end][:_MAX_ATTRIBUTION]
        joined = f"{joined} {words}".strip(BLANK + "*")
        if joined.endswith(":"):
            verb = _VERB.search(joined)
            if verb is None or not (_DATED.search(joined) or "@" in joined):
                return None
            below = lines[end + 1].depth if end + 1 < len(lines) else depth
            return Frame(_attributed_author(joined, verb), end + 1, max(depth, below))
    return None


def _attributed_author(joined: str, verb: re.Match[str]) -> str | None:
    """Gives the author between the date and the verb, or behind the verb where the language puts it there."""
    behind = joined[verb.end() :].strip(BLANK + ":")
    if behind and _ADDRESS.sub("", behind).strip(BLANK + ":<>()"):
        return read_author(re.sub(r"\b(?:het volgende|folgendes)\b.*", "", behind))
    before = joined[: verb.start()]
    address = _ADDRESS.search(before)
    dates = list(_LAST_OF_DATE.finditer(before, 0, address.start() if address else len(before)))
    rest = before[dates[-1].end() :] if dates else before
    return read_author(re.sub(r"^(?:heeft|at|um|alle ore|a las|om|kl|à|,)\s", "", rest.strip(BLANK)))


def _find_separator(words: str, index: int, depth: int) -> Frame | None:
    """Gives the frame of a rule or of words such as `-----Original Message-----`."""
    words = words.strip(BLANK)
    rule = _RULE.fullmatch(words)
    if rule or _FORWARD.fullmatch(words):
        return Frame(None, index + 1, depth, is_rule=rule is not None and not (rule["words"] or "").strip(BLANK))
    return None
