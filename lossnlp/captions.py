"""The lines of speech in WebVTT and SubRip files, with their place in the text as it came in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import zip_longest

from webvtt import WebVTT
from webvtt.errors import MalformedCaptionError, MalformedFileError
from webvtt.models import Caption

from lossnlp.turns import BLANK, Line, find_words, read_lines

_ARROW = "-->"
_ANY_ARROW = re.compile(r"\d[ \t]{0,4}--?>")
_BEGIN = re.compile(r"WEBVTT|(?:\d{1,9}\s{1,4})?\d{1,4}(?::\d{1,2}){1,2}[.,]?\d{0,3}\s{0,4}--?>")
_TAG = r"</?(?:[bciuv]|lang|ruby|rt|font)(?:[. ][^<>]{0,40})?>|<[\d:.]{5,12}>"
_TAGS_AHEAD = re.compile(rf"(?:(?!<v[. ])(?:{_TAG})\s{{0,4}}){{1,8}}")
_TAGS_BEHIND = re.compile(rf"(?:\s{{0,4}}(?:{_TAG})){{1,8}}$")
_LINE_END = re.compile(r"[\r\n]")
_MAX_TAGS = 160
_BLOCK_NAMES = ("NOTE", "STYLE", "REGION")


def is_captions(text: str) -> bool:
    """Says whether the text begins like a caption file, whole or broken."""
    return _BEGIN.match(text[:200].lstrip(BLANK)) is not None


def read_caption_lines(text: str) -> list[Line]:
    """Gives the lines that are spoken in a caption file; each cue is a paragraph that no slice may leave.

    A file that does not parse, or from which the parser would drop cues, is read line by line.
    """
    body = text.lstrip(BLANK)
    form = "vtt" if body.startswith("WEBVTT") else "srt"
    try:
        captions: Sequence[Caption] = WebVTT.from_buffer(StringIO(body, newline=""), format=form).captions
        if len(captions) >= len(_ANY_ARROW.findall(text)):
            return list(_read_cues(text, captions))
    except (MalformedCaptionError, MalformedFileError, ValueError):  # the last where a cue's line is not found again
        pass
    return list(_read_plain(text))


def _read_cues(text: str, captions: Sequence[Caption]) -> Iterator[Line]:
    """Gives the lines of each cue, found again behind the cue's own timing line, so that the search only goes forward."""
    position = 0
    for number, caption in enumerate(captions):
        position = text.index(_ARROW, position)
        position = found.start() if (found := _LINE_END.search(text, position)) else len(text)
        for raw in caption.lines:
            start = text.index(raw, position)
            position = start + len(raw)
            yield from _split_voices(text, Line(start, position, number, joins=raw is not caption.lines[0]))


def _split_voices(text: str, line: Line) -> Iterator[Line]:
    """Gives the parts of a cue's line that are spoken by one voice each, without the tags around the words."""
    bounds = [line.start]
    while (at := text.find("<v", bounds[-1] + 1, line.end)) > 0:
        bounds.append(at)
    for start, end in zip(bounds, [*bounds[1:], line.end], strict=True):
        span = _without_tags(text, *find_words(text, start, end))
        if span[0] < span[1]:
            yield line._replace(start=span[0], end=span[1], joins=line.joins and start == line.start)


def _without_tags(text: str, start: int, end: int) -> tuple[int, int]:
    """Gives the stretch without formatting tags at its ends; a voice tag ahead stays, since it names the speaker."""
    ahead = _TAGS_AHEAD.match(text, start, end)
    start = ahead.end() if ahead else start
    behind = _TAGS_BEHIND.search(text, max(start, end - _MAX_TAGS), end)
    return find_words(text, start, behind.start() if behind else end)


def _read_plain(text: str) -> Iterator[Line]:
    """Gives the lines that are neither timings nor cue numbers nor comments."""
    lines = list(read_lines(text))
    joins = False
    for line, after in zip_longest(lines, lines[1:]):
        if _is_frame(text, line) or (after and text[line.start : line.end].isdigit() and _is_timing(text, after)):
            joins = False
            continue
        for part in _split_voices(text, line):
            yield part._replace(joins=joins and part.joins)
        joins = True


def _is_frame(text: str, line: Line) -> bool:
    return _is_timing(text, line) or text.startswith(("WEBVTT", *_BLOCK_NAMES), line.start)


def _is_timing(text: str, line: Line) -> bool:
    return _ANY_ARROW.search(text, line.start, min(line.end, line.start + _MAX_TAGS)) is not None
