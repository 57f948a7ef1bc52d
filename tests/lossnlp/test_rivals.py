from __future__ import annotations

import numpy as np

from lossnlp.assessment import Competitor, Speaker
from lossnlp.deal import Deal
from lossnlp.encoder import TokenTags
from lossnlp.heads import RIVAL_TAGS
from lossnlp.rivals import _TELLING, RivalRules, find_rivals
from lossnlp.segments import ReadDeal, read_deal


def rivals(
    text: str,
    tagged: dict[str, tuple[str, float]],
    *,
    account: str | None = None,
    speakers: tuple[str, ...] = (),
    rules: RivalRules | None = None,
) -> tuple[Competitor, ...]:
    """Gives the rivals of a note whose words the network has tagged as told."""
    document = {"id": "n", "kind": "rep_note", "text": text}
    deal = Deal.from_request({"deal": {"id": "d", "account": account}, "documents": [document]})
    segments = read_deal(deal).segments
    spans, owners, tags = [], [], []
    for index, segment in enumerate(segments):
        for word in segment.text.split():
            start = segment.text.index(word)
            role, probability = tagged.get(word.strip(".,"), ("outside", 1.0))
            row = np.full(len(RIVAL_TAGS), (1 - probability) / 3)
            row[RIVAL_TAGS.index(role)] = probability
            spans.append((start, start + len(word)))
            owners.append(index)
            tags.append(row)
    silent = np.zeros(len(tags), np.float32)
    tokens = TokenTags(np.array(owners), np.array(spans), np.array(tags, np.float32), silent, silent[:, None])
    who = tuple(Speaker(document_id="n", speaker=name, role="rep", confidence=1.0) for name in speakers)
    return find_rivals(deal, ReadDeal(segments, who), tokens, rules=rules or RivalRules(), cut=0.6)


def test_tags_and_roles_stand_in_one_order() -> None:
    assert RIVAL_TAGS[1:] == _TELLING


def test_tagged_name_is_quoted_as_written() -> None:
    found = rivals("They took Zentura's offer.", {"Zentura's": ("won", 0.9)})
    assert [(rival.name, rival.role, rival.text) for rival in found] == [("Zentura", "won", "Zentura")]


def test_many_weak_sightings_are_no_proof() -> None:
    assert rivals("Zentura. Zentura. Zentura. Zentura.", {"Zentura": ("outside", 0.6)}) == ()


def test_place_that_tells_the_outcome_counts() -> None:
    found = rivals("Zentura was there. So Zentura got it.", {"Zentura": ("won", 0.8)})
    assert [(rival.name, rival.role) for rival in found] == [("Zentura", "won")]


def test_buyer_seller_and_people_are_no_rivals() -> None:
    tagged = dict.fromkeys(("Nordwind", "Lumetra", "Dana"), ("won", 0.95))
    assert (
        rivals(
            "Nordwind said no. Lumetra was us. Dana left.",
            tagged,
            account="Nordwind Logistics",
            speakers=("Dana Ortiz (Lumetra)",),
        )
        == ()
    )


def test_spreadsheets_are_no_rivals() -> None:
    assert rivals("They stay on Excel.", {"Excel": ("incumbent", 0.95)}) == ()


def test_company_sharing_letters_stays_a_rival() -> None:
    found = rivals("They took Oracle instead.", {"Oracle": ("won", 0.95)}, account="Coracle Boats")
    assert [rival.name for rival in found] == ["Oracle"]


def test_words_before_a_name_are_left_out() -> None:
    found = rivals("We gave way to Zentura", {"to": ("won", 0.9), "Zentura": ("won", 0.9)})
    assert [rival.name for rival in found] == ["Zentura"]


def test_configured_name_counts_wherever_it_stands() -> None:
    rules = RivalRules(configured=["Blue River"])
    assert [rival.name for rival in rivals("We had coffee with Blue River people.", {}, rules=rules)] == ["Blue River"]


def test_own_names_are_no_rivals() -> None:
    rules = RivalRules(own_names=["Lumetra Cloud"])
    assert rivals("Lumetra was liked.", {"Lumetra": ("won", 0.95)}, rules=rules) == ()
