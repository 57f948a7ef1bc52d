from __future__ import annotations

import numpy as np
import pytest

from lossnlp.deal import Deal
from lossnlp.legibility import find_language, find_obstacle
from lossnlp.segments import read_deal


def obstacle(*texts: str, pieces_per_word: float = 1.3) -> str | None:
    documents = [{"id": str(n), "kind": "rep_note", "text": text} for n, text in enumerate(texts)]
    segments = read_deal(Deal.from_request({"deal": {"id": "d"}, "documents": documents})).segments
    pieces = np.array([round(len(segment.text.split()) * pieces_per_word) for segment in segments])
    return find_obstacle(segments, pieces)


@pytest.mark.parametrize(
    "text",
    [
        "Wir haben den Deal verloren, weil der Preis zu hoch war und das Budget weg ist.",
        "On a perdu parce que le prix etait trop eleve et le budget est parti.",
        "Hemos perdido porque el precio era muy alto y no tienen presupuesto este trimestre.",
        "We zijn het kwijt omdat de prijs te hoog was en er geen budget meer is.",
        "Abbiamo perso perche il prezzo era troppo alto e non hanno piu il budget.",
        "Perdemos porque o cliente nao tem mais verba para isso e ficou com o outro.",
        "Przegralismy bo cena byla za wysoka i nie maja juz na to budzetu w tym roku.",
        "Vi tapte fordi prisen var for hoy og de har ikke penger til det.",
    ],
)
def test_easy_foreign_sentences_are_noticed(text: str) -> None:
    assert obstacle(text) == "foreign_language"


@pytest.mark.parametrize(
    "text",
    [
        "price",
        "no budget",
        "Lost to Van der Berg & De La Cruz",
        "CFO nixed, EOQ, MSA redlines",
        "cust went w incumbent, no reply since",
        "He was in die casting and has no need for it.",
        "Fräsmaschine Ulm lost, customer stays with Trumpf until 2028.",
    ],
)
def test_english_notes_are_no_obstacle(text: str) -> None:
    assert obstacle(text) is None


def test_foreign_document_counts_beside_english() -> None:
    german = "Wir haben den Deal verloren, weil der Preis zu hoch war."
    assert obstacle("They had no money for it and said so on the call.", german) == "foreign_language"


def test_wordless_document_matters_only_alone() -> None:
    assert obstacle("....") == "no_words"
    assert obstacle("....", "Lost on price to Gong.") is None


def test_other_script_is_noticed() -> None:
    assert obstacle("\u5ba2\u6237\u9009\u62e9\u4e86\u53e6\u4e00\u5bb6\u4f9b\u5e94\u5546") == "foreign_script"


def test_noise_needs_many_pieces() -> None:
    assert obstacle("xkcdq zzprt wvvgh qqpl mmnrt", pieces_per_word=4) == "foreign_language"


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["They were with us until the budget was gone."], "en"),
        (["Wir haben verloren, weil der Preis zu hoch war."], "de"),
        (["On a perdu parce que le prix est trop eleve pour nous."], "fr"),
        (["Предложение было слишком дорогим"], "other_script"),
        (["Budget Rostera 2026"], "unclear"),
        (["Lost on price.", "They said that it was too much.", "Das ist nicht gut."], "en"),
    ],
)
def test_language_of_texts_is_found(texts: list[str], language: str) -> None:
    assert find_language(texts) == language
