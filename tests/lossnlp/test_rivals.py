from __future__ import annotations

import numpy as np

from lossnlp.assessment import Competitor, Speaker
from lossnlp.competitors import RivalFinder
from lossnlp.deal import Deal
from lossnlp.encoder import TokenTags
from lossnlp.heads import RIVAL_TAGS
from lossnlp.rivals import _TELLING, find_rivals
from lossnlp.segments import read_deal


def rivals(
    text: str, tagged: dict[str, tuple[str, float]], *, account: str | None = None, speakers: tuple[str, ...] = ()
) -> tuple[Competitor, ...]:
    """Gives the rivals of a note whose words the network has tagged as told."""
    deal = Deal.from_request(
        {"deal": {"id": "d", "account": account}, "documents": [{"id": "n", "kind": "rep_note", "text": text}]}
    )
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
    tokens = TokenTags(
        np.array(owners),
        np.array(spans),
        np.array(tags, np.float32),
        np.zeros(len(tags), np.float32),
        np.zeros((len(tags), 1), np.float32),
    )
    who = [Speaker(document_id="n", speaker=name, role="rep", confidence=1.0) for name in speakers]
    return find_rivals(deal, segments, tokens, speakers=who, finder=RivalFinder(), cut=0.6)


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
        rivals("Nordwind Lumetra Dana", tagged, account="Nordwind Logistics", speakers=("Dana Ortiz (Lumetra)",)) == ()
    )


def test_spreadsheets_are_no_rivals() -> None:
    assert rivals("They stay on Excel.", {"Excel": ("incumbent", 0.95)}) == ()
