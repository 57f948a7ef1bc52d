from __future__ import annotations

import pytest

from lossnlp.mails import read_mails


def mails(text: str) -> list[tuple[str | None, str]]:
    return [(turn.speaker, text[turn.start : turn.end]) for turn in read_mails(text)]


@pytest.mark.parametrize(
    "header",
    [
        "From: Dana Ortiz <dana@x.com>\nSent: Tuesday\nTo: Hugo\nSubject: Offer\n\n",
        "Von: Dana Ortiz\nGesendet: Dienstag\nAn: Hugo\nBetreff: AW: Angebot\n\n",
        "De : Dana Ortiz <dana@x.com>\nEnvoyé : mardi\nÀ : Hugo\nObjet : Offre\n\n",
        "*From:* Dana Ortiz [mailto:dana@x.com]\n*Date:* Tuesday\n\n",
        'Date: 3 Feb\nFrom: "Dana Ortiz" <dana@x.com>\nTo: Hugo <hugo@acme.com>,\n  Ilse <ilse@acme.com>\n\n',
        "Dana Ortiz <dana@x.com>\nTue, Feb 3, 2026 at 10:11 AM\nTo: Hugo <hugo@acme.com>\n\n",
        "-----Original Message-----\nFrom: Dana Ortiz\nSent: Tuesday\n\n",
        "________________________________\r\nFrom: Dana Ortiz\r\nSent: Tuesday\r\n\r\n",
    ],
)
def test_header_block_names_the_author(header: str) -> None:
    assert mails(header + "We chose Acme.") == [("Dana Ortiz", "We chose Acme.")]


@pytest.mark.parametrize(
    "attribution",
    [
        "On Tue, 3 Feb 2026 at 10:11, Hugo Bast <hugo@acme.com> wrote:",
        "On Feb 3, 2026, at 10:11 AM, Hugo Bast wrote:",
        "On Tue, 3 Feb 2026 at 10:11, Hugo Bast <hugo@acme.com>\nwrote:",
        "Am Di., 3. Feb. 2026 um 10:11 Uhr schrieb Hugo Bast <hugo@acme.com>:",
        "Le mar. 3 févr. 2026 à 10:11, Hugo Bast <hugo@acme.com> a écrit\u00a0:",
        "El mar, 3 feb 2026 a las 10:11, Hugo Bast (<hugo@acme.com>) escribió:",
        "Il giorno mar 3 feb 2026 alle ore 10:11 Hugo Bast <hugo@acme.com> ha scritto:",
        "Op di 3 feb 2026 om 10:11 schreef Hugo Bast <hugo@acme.com>:",
        "Op 3 feb 2026 heeft Hugo Bast <hugo@acme.com> het volgende geschreven:",
        "Em ter., 3 de fev. de 2026 às 10:11, Hugo Bast <hugo@acme.com> escreveu:",
        "man. 1. sep. 2025 kl. 09:44 skrev Hugo Bast <hugo@acme.com>:",
    ],
)
def test_attribution_line_names_quoted_author(attribution: str) -> None:
    text = f"From: Dana <d@x.com>\nTo: Hugo\n\nNo.\n\n{attribution}\n> Any news?\n"
    assert mails(text) == [("Dana", "No."), ("Hugo Bast", "Any news?")]


def test_nested_quotes_keep_their_authors() -> None:
    text = (
        "No.\n\nOn 3 Feb 2026 at 10:11, Hugo <h@a.com> wrote:\n> Any news?\n>\n"
        "> On 2 Feb 2026 at 09:00, Dana <d@x.com>\n> wrote:\n>> We need time.\n"
    )
    assert mails(text) == [(None, "No."), ("Hugo", "Any news?"), ("Dana", "We need time.")]


def test_attribution_inside_the_quote_counts() -> None:
    text = "From: Dana\nTo: Volker\n\nThird reminder.\n\n> Am 02.10.2025 um 17:58 schrieb Volker Tischler:\n> Hourly!"
    assert mails(text)[1] == ("Volker Tischler", "Hourly!")


def test_answers_between_quotes_stay_apart() -> None:
    text = "From: Dana\nTo: Hugo\n\nOn 3 Feb 2026 Hugo <h@a.com> wrote:\n> Is it the price?\nNo.\n> The product?\nYes."
    assert [speaker for speaker, _ in mails(text)] == ["Hugo", "Dana", "Hugo", "Dana"]


def test_repeated_quote_is_marked() -> None:
    words = "Hi Dana, is there any news from the board\n{}about our offer of last week?"
    text = (
        f"From: Hugo <h@a.com>\nDate: 2 Feb\n\n{words.format('')}\n\n"
        f"From: Dana <d@x.com>\nDate: 3 Feb\n\nThey said no.\n\nOn 2 Feb 2026 Hugo <h@a.com> wrote:\n> {words.format('> ')}"
    )
    assert [(turn.speaker, turn.quoted) for turn in read_mails(text)] == [
        ("Hugo", False),
        ("Dana", False),
        ("Hugo", True),
    ]


def test_only_copy_in_quotes_counts() -> None:
    text = "From: Dana\nTo: Hugo\n\nSee below.\n\nOn 2 Feb 2026 Hugo <h@a.com> wrote:\n> The board froze the budget in May."
    assert [turn.quoted for turn in read_mails(text)] == [False, False]


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nDana Ortiz\nCFO",
        "Best regards,\nDana Ortiz\nCFO, Nordwind\n+49 89 1234 | www.nordwind.de",
        "Mit freundlichen Grüßen\n\nDana Ortiz",
        "Dana\n\nDana Ortiz\nCFO",
        "Thanks, Dana",
        "Sent from my iPhone",
        "Best\nDana\n\nThis e-mail and any attachments are confidential and intended solely for the addressee.",
        "CONFIDENTIALITY NOTICE: for the exclusive use of the intended recipient.",
    ],
)
def test_signature_and_notice_are_left_out(signature: str) -> None:
    text = f"From: Dana Ortiz <dana@x.com>\nDate: 3 Feb\n\nHi Hugo,\n\nno budget.\n\n{signature}\n"
    assert mails(text) == [("Dana Ortiz", "Hi Hugo,\n\nno budget.")]


def test_postscript_behind_signature_is_kept() -> None:
    text = "From: Dana\nDate: 3 Feb\n\nNo budget.\n\nBest\nDana\n\nPS: call me in May."
    assert mails(text) == [("Dana", "No budget."), ("Dana", "PS: call me in May.")]


def test_thanks_in_a_sentence_stays() -> None:
    text = "From: Dana\nDate: 3 Feb\n\nHi Hugo\n\nThanks for the call on Friday.\nWe chose Acme."
    assert mails(text)[0][1].endswith("We chose Acme.")


def test_signature_names_an_unframed_author() -> None:
    text = "We pass.\n\nBest\nDana\n\nOn 3 Feb 2026 at 10:11, Hugo <h@a.com> wrote:\n> Any news?"
    assert mails(text)[0] == ("Dana", "We pass.")


def test_signature_is_matched_to_known_author() -> None:
    text = "From: Bast, Hugo\nDate: 3 Feb\n\nOk.\n\n-----Forwarded message-----\n\nAny news yet?\n\nBest\nHugo"
    assert mails(text)[1] == ("Bast, Hugo", "Any news yet?")


def test_address_stands_in_for_a_name() -> None:
    assert mails("From: dana@x.com\nTo: hugo@acme.com\n\nNo.") == [("dana@x.com", "No.")]


def test_chat_like_thread_is_read() -> None:
    assert mails("Dana: hi\nHugo: news?\nDana: no budget.")[2] == ("Dana", "no budget.")


def test_line_ends_and_marks_keep_offsets() -> None:
    text = "\ufeffFrom: Dana\r\nDate: 3 Feb\r\n\r\nNo budget.\r\nReally.\r\n\r\n> old\r\n> words\r\n"
    assert mails(text) == [("Dana", "No budget.\r\nReally."), (None, "old\r\n> words")]
