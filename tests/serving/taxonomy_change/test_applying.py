"""A change of the list on old deals: by rule where it is certain, through the queue where it is not, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.errors import ConfigurationError, UnknownIdError
from serving.intake import Intake, parse_deal
from serving.review.verdict import VerdictError
from serving.review.verdicts import Bench
from serving.store import Database
from serving.tables import (
    AssessmentRow,
    LossReasonRow,
    LossRow,
    PersonRow,
    RelabelledRow,
    ReviewRow,
    TaxonomyChangeRow,
    VerdictRow,
)
from serving.taxonomy_change import applying
from serving.taxonomy_change.applying import Batches, Outcome
from serving.taxonomy_change.changes import NewList, read_new_list
from tests.serving.taxonomy_change.change_world import DEALS, Give

OLD = get_default_taxonomy()
BEFORE = {"A": "price", "B": "budget", "C": "procurement_legal", "D": "timing", "E": "competitor"}
AFTER = {"A": "money", "B": "money", "C": "procurement_legal", "D": "not_now", "E": "competitor"}


def primaries(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {row.deal_id: row.primary_reason for row in session.scalars(select(LossRow))}


def waiting(database: Database) -> dict[str, list[str]]:
    with database.reading() as session:
        rows = session.scalars(select(ReviewRow).where(ReviewRow.state == "waiting"))
        return {row.deal_id: sorted(cause.cause for cause in row.causes) for row in rows}


def loss_of(session: Session, deal_id: str) -> LossRow:
    return session.get_one(LossRow, deal_id)


def test_certain_codes_are_carried_over(batches: Batches, new: NewList, database: Database) -> None:
    done = batches.apply(new, by="ana")
    assert primaries(database) == AFTER
    assert done == Outcome(done.change_id, carried=2, open=2)
    with database.reading() as session:
        beside = select(LossReasonRow.code).where(LossReasonRow.deal_id == "B")
        assert list(session.scalars(beside)) == ["money"]


def test_open_deals_wait_for_people(batches: Batches, new: NewList, database: Database) -> None:
    batches.apply(new, by="ana")
    assert waiting(database) == {"C": ["taxonomy_changed"], "D": ["taxonomy_changed"]}
    with database.reading() as session:
        versions = {row.deal_id: row.open_version for row in session.scalars(select(LossRow))}
    assert versions == {"A": None, "B": None, "C": "1", "D": "1", "E": None}


def test_assessments_are_never_changed(batches: Batches, new: NewList, database: Database) -> None:
    def stored() -> list[tuple[str, str, object]]:
        with database.reading() as session:
            rows = session.scalars(select(AssessmentRow).order_by(AssessmentRow.deal_id))
            return [(row.deal_id, row.primary_reason, row.assessment) for row in rows]

    before = stored()
    batches.apply(new, by="ana")
    assert stored() == before


def test_old_and_new_codes_are_kept_with_the_batch(batches: Batches, new: NewList, database: Database) -> None:
    done = batches.apply(new, by="ana")
    with database.reading() as session:
        kept = {row.deal_id: row for row in session.scalars(select(RelabelledRow))}
        assert {row.change_id for row in kept.values()} == {done.change_id}
        assert session.scalars(select(TaxonomyChangeRow.applied_by)).one() == "ana"
    assert (kept["B"].old_reasons, kept["B"].new_reasons, kept["B"].open_reasons) == (
        ["budget", "price"],
        ["money"],
        [],
    )
    assert (kept["D"].new_reasons, kept["D"].open_reasons) == (["not_now", "procurement_legal"], ["procurement_legal"])
    assert sorted(kept) == ["A", "B", "C", "D"]


def test_applying_twice_does_nothing_more(batches: Batches, new: NewList, database: Database) -> None:
    first = batches.apply(new, by="ana")
    assert batches.apply(new, by="ben") == first
    assert primaries(database) == AFTER
    with database.reading() as session:
        assert len(list(session.scalars(select(TaxonomyChangeRow)))) == 1


def test_deal_read_with_the_old_list_later_counts_in_the_new(
    batches: Batches, new: NewList, old: Intake, database: Database
) -> None:
    batches.apply(new, by="ana")
    for deal_id, text in (("F", DEALS["A"]), ("G", DEALS["C"])):
        old.take_deal(parse_deal({"id": deal_id, "text": text, "closed_at": "2026-11-06"}))
    assert primaries(database)["F"] == "money"
    assert "G" not in waiting(database)
    assert batches.apply(new, by="ana").open == 3
    assert waiting(database)["G"] == ["taxonomy_changed"]


def test_certain_verdict_is_carried_over(batches: Batches, new: NewList, give: Give, database: Database) -> None:
    given = give("E", OLD, "timing", "competitor")
    batches.apply(new, by="ana")
    with database.reading() as session:
        assert (loss_of(session, "E").primary_reason, loss_of(session, "E").verdict_id) == ("not_now", given.id)
        assert session.get_one(VerdictRow, given.id).labels["reasons"] == ["timing", "competitor"]  # type: ignore[index]


def test_open_verdict_is_asked_again(batches: Batches, new: NewList, give: Give, database: Database) -> None:
    give("A", OLD, "procurement_legal")
    batches.apply(new, by="ana")
    assert primaries(database)["A"] == "procurement_legal"
    assert waiting(database)["A"] == ["taxonomy_changed"]


def test_verdict_in_the_new_list_settles_the_deal(
    batches: Batches, new: NewList, give: Give, database: Database
) -> None:
    batches.apply(new, by="ana")
    give("C", new.taxonomy, "procurement_legal")
    assert "C" not in waiting(database)
    with database.reading() as session:
        assert (loss_of(session, "C").open_version, loss_of(session, "C").read_reason) == (None, "procurement_legal")
    assert batches.apply(new, by="ana").open == 1


def test_heir_that_holds_says_the_model_was_right(
    batches: Batches, new: NewList, give: Give, database: Database
) -> None:
    batches.apply(new, by="ana")
    give("C", new.taxonomy, "legal_terms")
    with database.reading() as session:
        assert (loss_of(session, "C").primary_reason, loss_of(session, "C").read_reason) == ("legal_terms",) * 2


def test_open_reading_cannot_be_accepted(batches: Batches, new: NewList, give: Give) -> None:
    batches.apply(new, by="ana")
    with pytest.raises(VerdictError, match="'Procurement_Legal' is 'Legal terms' or 'Procurement' now"):
        give("C", new.taxonomy)


def test_accepted_reading_is_kept_in_the_new_codes(batches: Batches, new: NewList, give: Give) -> None:
    batches.apply(new, by="ana")
    given = give("B", new.taxonomy)
    assert (given.taxonomy_version, given.labels and given.labels["reasons"]) == ("2", ["money"])


def test_verdict_taken_back_is_asked_again(batches: Batches, new: NewList, give: Give, database: Database) -> None:
    give("A", OLD, "procurement_legal")
    batches.apply(new, by="ana")
    newer = give("A", new.taxonomy, "legal_terms")
    assert "A" not in waiting(database)
    with database.writing() as session:
        Bench(new.taxonomy).undo(session, newer.id, session.get_one(PersonRow, newer.person_id))
        session.commit()
    assert waiting(database)["A"] == ["taxonomy_changed"]


def test_undo_puts_all_back(batches: Batches, new: NewList, give: Give, database: Database) -> None:
    give("A", OLD, "procurement_legal")
    done = batches.apply(new, by="ana")
    assert batches.undo(done.change_id) == 4
    assert primaries(database) == {**BEFORE, "A": "procurement_legal"}
    assert waiting(database) == {}
    with database.reading() as session:
        assert list(session.scalars(select(LossRow.open_version).distinct())) == [None]
        assert batches.undo(done.change_id) == 4  # once more is no harm


def test_undo_leaves_other_causes_waiting(batches: Batches, new: NewList, old: Intake, database: Database) -> None:
    old.take_deal(parse_deal({"id": "T", "text": "legal", "closed_at": "2026-11-06"}))
    done = batches.apply(new, by="ana")
    assert waiting(database)["T"] == ["primary_reason_uncertain", "taxonomy_changed"]
    batches.undo(done.change_id)
    assert waiting(database) == {"T": ["primary_reason_uncertain"]}


def test_verdict_given_since_outlives_the_undo(batches: Batches, new: NewList, give: Give, database: Database) -> None:
    done = batches.apply(new, by="ana")
    give("C", new.taxonomy, "legal_terms")
    batches.undo(done.change_id)
    assert primaries(database)["C"] == "legal_terms"


def test_second_change_follows_the_first(batches: Batches, new: NewList, database: Database, tmp_path: Path) -> None:
    first = batches.apply(new, by="ana")
    file = tmp_path / "second.yaml"
    file.write_text(
        'from: "2"\nto: "3"\nsteps: [{rename: money, to: {code: funds}}, {retire: procurement_legal, to: not_now}]'
    )
    second = read_new_list(file, new.taxonomy)
    Batches(database, second.taxonomy).apply(second, by="ana")
    assert primaries(database) == {**AFTER, "A": "funds", "B": "funds"}  # what was open before stays as it was
    with pytest.raises(ConfigurationError, match="stands on this one"):
        batches.undo(first.change_id)


def test_change_needs_its_list_in_service(new: NewList, database: Database) -> None:
    with pytest.raises(ConfigurationError, match="put a model with the new list in service first"):
        Batches(database, OLD).apply(new, by="ana")
    other = new.taxonomy.model_copy(update={"reasons": new.taxonomy.reasons[1:]})
    with pytest.raises(ConfigurationError, match="differs in: money"):
        Batches(database, other).apply(new, by="ana")


def test_change_of_another_list_is_refused(batches: Batches, new: NewList, database: Database, tmp_path: Path) -> None:
    batches.apply(new, by="ana")
    file = tmp_path / "other.yaml"
    file.write_text('from: "1"\nto: "2b"\nsteps: [{retire: price}]')
    other = read_new_list(file, OLD)
    with pytest.raises(ConfigurationError, match="write it from '2'"):
        Batches(database, other.taxonomy).apply(other, by="ana")


def test_stopped_half_way_it_goes_on(
    batches: Batches, new: NewList, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_AT_ONCE", 1)
    monkeypatch.setattr(applying, "add_cause", _stopped)
    with pytest.raises(KeyboardInterrupt):
        batches.apply(new, by="ana")
    assert primaries(database) == {**BEFORE, "A": "money", "B": "money"}
    monkeypatch.undo()
    batches.apply(new, by="ana")
    assert primaries(database) == AFTER
    assert sorted(waiting(database)) == ["C", "D"]


def _stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_unknown_batch_is_one_message(batches: Batches) -> None:
    with pytest.raises(UnknownIdError, match="taxonomy list"):
        batches.undo("nothing")
