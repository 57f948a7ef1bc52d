"""Rich text as plain lines."""

from __future__ import annotations

import pytest

from serving.crm.plain_text import read_html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<p>One &amp; two</p><p>three</p>", "One & two\n\nthree"),
        ("<div>Dana: no</div><div>Sam: why?</div>", "Dana: no\nSam: why?"),
        ("<ul>\n <li>price</li>\n <li>timing</li>\n</ul>", "price\ntiming"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<style>p {color: red}</style><p>seen</p>", "seen"),
        ("<p>odd <![foo[x]]> rest</p>", "odd rest"),
        ("cost < budget & plain\nsecond line", "cost < budget & plain\nsecond line"),
        (
            "<html><head><title>x</title></head><body><p>Dear\n Ada,</p>too&nbsp;dear&lt;</body>",
            "Dear Ada,\n\ntoo dear<",
        ),
        (None, ""),
    ],
)
def test_rich_text_becomes_plain_lines(text: str | None, words: str) -> None:
    assert read_html(text) == words
