"""How our fields stand in a reason for loss and a note, and are read out of them again."""

from __future__ import annotations

from typing import Any

import pytest

from serving.crm.protocol import Fields
from serving.crm.tryton_kept import HEAD, Kept, find_update, read_kept

REASON = "lossnlp_primary_reason"
VALUES: Fields = {
    REASON: "price",
    "lossnlp_contributing_reasons": "no_champion;timing",
    "lossnlp_gap_champion": "gap",
    "lossnlp_gap_economic_buyer": "gap",
    "lossnlp_gap_metrics": "covered",
    "lossnlp_confidence": 0.8312,
    "lossnlp_external_only": True,
    "lossnlp_rep_buyer_conflict": False,
    "lossnlp_revisit_on": "2027-02-01",
    "lossnlp_assessed_at": "2026-11-20T10:00:00+00:00",
}
LINE = "price; gaps: champion, economic buyer"


class Deal:
    """A deal as Tryton holds it, without Tryton."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        self.notes: list[dict[str, Any]] = []
        self.last_id = 0

    def keep(self, values: Fields) -> dict[str, Any]:
        update = find_update(self.read(), values, REASON)
        self.reason = update.get("lost_reason", self.reason)
        for act, what in update.get("notes", ()):
            if act == "create":
                self.last_id += 1
                self.notes += [{"id": self.last_id, **one} for one in what]
            else:
                self.notes = [note for note in self.notes if note["id"] not in what]
        return update

    def read(self) -> Kept:
        return read_kept(self.reason, self.notes, REASON)


def test_all_values_are_read_back() -> None:
    deal = Deal()
    deal.keep(VALUES)
    assert deal.read().fields == VALUES
    assert deal.reason == LINE


def test_the_note_is_for_people_to_read() -> None:
    deal = Deal()
    deal.keep(VALUES)
    assert deal.notes[0]["message"].splitlines() == [
        HEAD,
        f"reason for loss by lossnlp: {LINE}",
        "assessed at: 2026-11-20T10:00:00+00:00",
        "confidence: 0.8312",
        "contributing reasons: no_champion;timing",
        "external only: yes",
        "gap metrics: covered",
        "rep buyer conflict: no",
        "revisit on: 2027-02-01",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "12",
        "0.50",
        ' "quoted" ',
        '"',
        "two\nlines",
        "a: b",
        "Müller & Söhne",
        "\u2028",
        "gaps: champion",
        3,
        -0.5,
    ],
)
def test_awkward_values_are_read_back(value: str | float) -> None:
    deal = Deal()
    deal.keep({"lossnlp_evidence": value})
    found = deal.read().fields["lossnlp_evidence"]
    assert (found, isinstance(found, str)) == (value, isinstance(value, str))


@pytest.mark.parametrize(
    "name", ["Rival", "rival", "lossnlp_Rival", "lossnlp__rival", "Why: really", 'The "why"', "x_1"]
)
def test_a_companys_own_names_are_read_back(name: str) -> None:
    deal = Deal()
    deal.keep({name: "Rostera"})
    assert deal.read().fields == {name: "Rostera"}


def test_the_same_values_again_change_nothing() -> None:
    deal = Deal()
    deal.keep(VALUES)
    assert deal.keep(VALUES) == {}


def test_none_for_all_leaves_nothing_behind() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.keep(dict.fromkeys(VALUES))
    assert (deal.reason, deal.notes) == (None, [])


def test_a_persons_text_is_the_whole_reason() -> None:
    kept = Deal("Too dear; gaps: who knows?").read()
    assert kept.fields == {REASON: "Too dear; gaps: who knows?"}
    assert not kept.is_line_ours


def test_other_fields_leave_a_persons_text_alone() -> None:
    deal = Deal("Too dear")
    update = deal.keep({"lossnlp_gap_champion": "gap", "lossnlp_confidence": 0.5})
    assert ("lost_reason" in update, deal.reason) == (False, "Too dear")
    assert deal.read().fields == {REASON: "Too dear", "lossnlp_gap_champion": "gap", "lossnlp_confidence": 0.5}


def test_a_line_that_a_person_changed_is_theirs() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.reason = f"Mostly {LINE}"
    kept = deal.read()
    assert (kept.is_line_ours, kept.fields[REASON]) == (False, "Mostly price")
    assert kept.fields["lossnlp_gap_champion"] == "gap"


def test_a_gap_goes_without_a_persons_words() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.reason = f"Mostly {LINE}"
    deal.keep({"lossnlp_gap_champion": None})
    assert deal.reason == "Mostly price; gaps: economic buyer"
    assert not deal.read().is_line_ours


def test_a_gap_a_person_removed_is_gone() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.reason = "price; gaps: champion"
    assert "lossnlp_gap_economic_buyer" not in deal.read().fields


def test_our_line_is_read_without_its_note() -> None:
    kept = Deal(LINE).read()
    assert kept.fields == {REASON: "price", "lossnlp_gap_champion": "gap", "lossnlp_gap_economic_buyer": "gap"}


def test_gaps_stand_without_a_reason() -> None:
    deal = Deal()
    deal.keep({"lossnlp_gap_champion": "gap"})
    assert (deal.reason, deal.read().is_line_ours) == ("gaps: champion", True)
    assert deal.read().fields == {"lossnlp_gap_champion": "gap"}


@pytest.mark.parametrize("value", ["price; gaps: champion", " price", 3.0])
def test_an_ambiguous_reason_is_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match=REASON):
        Deal().keep({REASON: value})


def test_a_second_note_of_ours_is_taken_away() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.notes.append({**deal.notes[0], "id": 9})
    deal.keep({"lossnlp_confidence": 0.9})
    assert len(deal.notes) == 1
    assert deal.read().fields == VALUES | {"lossnlp_confidence": 0.9}


def test_a_second_note_goes_though_the_first_stays() -> None:
    deal = Deal()
    deal.keep(VALUES)
    deal.notes.append({**deal.notes[0], "id": 9})
    assert deal.keep(VALUES) == {"notes": [["delete", [9]]]}


def test_lines_of_others_are_passed_over() -> None:
    deal = Deal("price")
    message = f'{HEAD}\nreason for loss by lossnlp: price\nconfidence: 0.5\r\nHello there\n"broken: x\nUpper: case'
    deal.notes = [{"id": 1, "message": message}]
    assert deal.read().fields == {REASON: "price", "lossnlp_confidence": 0.5}


def test_a_note_without_our_second_line_says_nothing() -> None:
    deal = Deal("price")
    deal.notes = [{"id": 1, "message": HEAD}, {"id": 2, "message": None}]
    assert deal.read().fields == {REASON: "price"}
