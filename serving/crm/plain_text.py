"""The words of a rich text, as CRMs keep them in notes and mails."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_BLOCK = re.compile("blockquote|div|d[dlt]|h[1-6]|hr|li|[ou]l|p|pre|table|tr")
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"script", "style", "title"})
_TAG = re.compile(
    r"</?(?:a|b|blockquote|body|br|div|em|font|h[1-6]|hr|html|i|img|li|ol|p|pre|s|span|strong|table|td|tr|u|ul)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)


def read_html(text: str | None) -> str:
    """Gives the words of a rich text as plain lines; a text without tags keeps its own lines."""
    if not text:
        return ""
    if not _TAG.search(text):
        return html.unescape(text).replace("\xa0", " ").strip()
    parser = _Words()
    parser.feed(text.replace("<![", "<! ["))  # the parser stops at a marked section that it does not know
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Words(HTMLParser):
    """Collects the words of a rich text, with a line for each block and a blank line after each paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begins a line where the tag does."""
        del attrs
        if tag == "br":
            self.parts.append("\n")
        elif _BLOCK.fullmatch(tag):
            self._begin_line()
        elif tag in _CELLS:
            self.parts.append(" ")
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        """Ends a line or a paragraph where the tag does."""
        if _BLOCK.fullmatch(tag):
            self._begin_line()
        if tag == "p":
            self.parts.append("\n")
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))

    def handle_data(self, data: str) -> None:
        """Keeps the words; line breaks in the source of a rich text mean nothing."""
        if not self._unseen and (data.strip() or not self._is_at_start()):
            self.parts.append(re.sub(r"\s+", " ", data))

    def _begin_line(self) -> None:
        if not self._is_at_start():
            self.parts.append("\n")

    def _is_at_start(self) -> bool:
        return not self.parts or self.parts[-1].endswith("\n")
