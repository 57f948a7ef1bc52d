"""What is drawn: texts made of the pieces that readers look for, phrases of time, and values of a CRM."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

_PIECES = (
    *("[00:00:04] ", "00:01 ", "Dana Ortiz (Nordwind): ", "Me: ", "BUYER 2:", "Speaker 1 - 00:12", "Dana: "),
    *(
        "WEBVTT",
        "NOTE x",
        "STYLE",
        "1",
        "00:00:01.000 --> 00:00:02.000",
        "00:00:01,5 -> 00:00:02",
        "-->",
        "<v Dana>",
        "</v>",
        "<b>",
    ),
    *(
        "> ",
        ">> ",
        "On Mon, 3 Nov 2026 at 10:00, Dana Ortiz <dana@nordwind.example> wrote:",
        "From: Dana Ortiz",
        "Sent: Monday",
    ),
    *(
        "To: rep@us.example",
        "Subject: Re: offer",
        "-----Original Message-----",
        "Am 3.11.2026 schrieb Dana:",
        "________",
    ),
    *(
        "Best regards,",
        "Viele Grüße",
        "-- ",
        "Dana",
        "Sent from my iPhone",
        "PS: one more",
        "+44 20 7946 0958",
        "10.42.7.19",
    ),
    *(
        "This mail is confidential and intended only for the recipient.",
        "DE89 3704 0044 0532 0130 00",
        "[person 1]",
        "password: x1y2!",
    ),
    *(
        "Lost to Gong on price, 30% lower.",
        "Come back in Q3.",
        "KundenÃ¼bersicht",
        "K\u00f6nig don\u2019t",
        "\u200b",
        "\u00a0",
        "\x00",
        "\ufeff",
    ),
    *("\n", "\r\n", "\r", "\u2028", "\t", " ", "\n\n", "😀", "日本", "e\u0301", "\u202e", "x" * 70, "word " * 60),
)
_TIMES = (
    *(
        "in",
        "after",
        "before",
        "until",
        "by",
        "next",
        "this",
        "last",
        "early",
        "mid",
        "late",
        "end of",
        "the",
        "of",
        "when",
        "is over",
    ),
    *(
        "Q1",
        "Q4",
        "h2",
        "1q",
        "FY27",
        "fiscal year",
        "half",
        "quarter",
        "month",
        "week",
        "year",
        "day",
        "year end",
        "eoq",
        "KW 12",
    ),
    *(
        "Feb",
        "March",
        "31 June",
        "29 Feb",
        "Feb 29",
        "Feb 27",
        "2nd week of May",
        "Easter",
        "Ramadan",
        "Diwali",
        "summer",
        "Monday",
    ),
    *(
        "2026",
        "'28",
        "2099",
        "12/31/26",
        "31.12.26",
        "00/27",
        "0/0",
        "13/13",
        "2026-02-30",
        "02/2027",
        "99/99",
        "1/3/27",
        "30.02.",
    ),
    *(
        "999 years",
        "6 months",
        "a quarter",
        "3 weeks before",
        "999 half",
        "10 years after",
        "ago",
        "come back",
        "renewal",
        "(",
        ",",
        "-",
    ),
)

texts = st.lists(
    st.one_of(st.sampled_from(_PIECES), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)), max_size=14
).map("".join)
lines = st.lists(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=3).map("".join), max_size=12).map("\n".join)
any_text = st.one_of(texts, lines)
phrases = st.lists(st.one_of(st.sampled_from(_TIMES), st.integers(0, 2100).map(str)), min_size=1, max_size=6).map(
    " ".join
)
closing_days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
