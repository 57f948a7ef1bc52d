from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.people.access import Viewer
from serving.reports.own_deals import PAGE, read_own_deals
from tests.serving.reports.loss_world import REP, AddLosses

TAXONOMY = get_default_taxonomy()


def test_rep_gets_own_deals_latest_first(losses: AddLosses, session: Session) -> None:
    losses(80)
    deals, has_more = read_own_deals(session, REP, TAXONOMY)
    assert {deal.loss.owner for deal in deals} == {"Owner 1"}
    assert [deal.loss.lost_on for deal in deals] == sorted((deal.loss.lost_on for deal in deals), reverse=True)
    assert not has_more


def test_gap_brings_its_question(losses: AddLosses, session: Session) -> None:
    losses(30, owner="Owner 1", primary_reason="price", read_reason="price")
    for deal in read_own_deals(session, REP, TAXONOMY)[0]:
        asked = {element.label for element in TAXONOMY.elements if element.question in deal.questions}
        assert asked >= set(deal.gaps[:1])
        assert deal.reasons[0] == "Price"


def test_administrative_end_asks_nothing(losses: AddLosses, session: Session) -> None:
    losses(1, owner="Owner 1", is_judged=False, read_reason="administrative")
    [deal], _ = read_own_deals(session, REP, TAXONOMY)
    assert deal.questions == ()


def test_many_deals_come_in_pages(losses: AddLosses, session: Session) -> None:
    losses(PAGE + 3, owner="Owner 1", lost_on=date(2026, 5, 5))
    first, has_more = read_own_deals(session, REP, TAXONOMY)
    second, has_still_more = read_own_deals(session, REP, TAXONOMY, page=2)
    assert (len(first), has_more, len(second), has_still_more) == (PAGE, True, 3, False)
    assert len({deal.loss.deal_id for deal in first + second}) == PAGE + 3


def test_rep_without_owner_sees_nothing(losses: AddLosses, session: Session) -> None:
    losses(5)
    assert read_own_deals(session, Viewer(9, "New", "rep"), TAXONOMY) == ([], False)
