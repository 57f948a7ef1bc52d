"""What waits is read together, in the right order, and nobody waits in vain."""

from __future__ import annotations

import pytest

from serving.errors import CallerLeftError, OverloadError
from serving.load.caller import Caller
from serving.load.line import Line
from serving.load.rounds import RoundLimits
from tests.serving.load.conftest import HoldLine, RoundAssessor, SecondsClock, deal_of


def bulk() -> Caller:
    return Caller(is_bulk=True)


def test_deals_that_wait_are_read_in_one_call(hold_line: HoldLine) -> None:
    held = hold_line()
    tickets = [held.join(name) for name in "ABC"]
    assert held.go_on() == [["A", "B", "C"]]
    assert [held.line.get_answer(ticket).deal_id for ticket in tickets] == ["A", "B", "C"]


def test_round_holds_so_many_deals(hold_line: HoldLine) -> None:
    held = hold_line(deals=2)
    for name in "ABC":
        held.join(name)
    assert held.go_on() == [["A", "B"], ["C"]]


def test_round_holds_so_much_text(hold_line: HoldLine) -> None:
    held = hold_line(chars=1000)
    for name, words in {"A": 10, "B": 10, "C": 1000, "D": 10}.items():
        held.join(name, "price " * words)
    assert held.go_on() == [["A", "B"], ["C"], ["D"]]


def test_live_deal_overtakes_bulk_ones(hold_line: HoldLine) -> None:
    held = hold_line(deals=1)
    for name in ("b1", "b2"):
        held.join(name, caller=bulk())
    held.join("a")
    assert held.go_on() == [["a"], ["b1"], ["b2"]]


def test_bulk_deal_has_every_fifth_turn(hold_line: HoldLine) -> None:
    held = hold_line(deals=1)
    held.join("bulk", caller=bulk())
    for number in range(1, 7):
        held.join(str(number))
    assert held.go_on() == [["1"], ["2"], ["3"], ["4"], ["bulk"], ["5"], ["6"]]


def test_bulk_deals_do_not_lengthen_a_live_round(hold_line: HoldLine) -> None:
    held = hold_line()
    for name in ("b1", "b2"):
        held.join(name, caller=bulk())
    held.join("a")
    assert held.go_on() == [["a"], ["b1", "b2"]]


def test_two_models_never_share_a_round(hold_line: HoldLine) -> None:
    held, other = hold_line(), RoundAssessor()
    other.model_version = "keywords-2"
    mine, theirs = held.join("A"), held.line.join(other, deal_of("B"), Caller())
    last = held.join("C")
    assert held.go_on() == [["A", "C"]]
    versions = [held.line.get_answer(ticket).model.version for ticket in (mine, theirs, last)]
    assert versions == ["keywords-1", "keywords-2", "keywords-1"]


def test_failing_deal_touches_no_other(hold_line: HoldLine) -> None:
    held = hold_line()
    texts = {"A": "price", "B": "explode", "C": "legal", "D": "timing"}
    tickets = {name: held.join(name, text) for name, text in texts.items()}
    held.go_on()
    with pytest.raises(RuntimeError, match="explode"):
        held.line.get_answer(tickets.pop("B"))
    reasons = [held.line.get_answer(ticket).primary.code for ticket in tickets.values()]
    assert reasons == ["price", "procurement_legal", "timing"]


def test_deal_whose_caller_left_is_not_read(hold_line: HoldLine) -> None:
    held, caller = hold_line(), Caller()
    ticket = held.join("A", caller=caller)
    caller.leave()
    with pytest.raises(CallerLeftError):
        held.line.get_answer(ticket)
    assert held.go_on() == []


def test_caller_that_has_left_joins_no_more(hold_line: HoldLine) -> None:
    held, caller = hold_line(), Caller()
    caller.leave()
    with pytest.raises(CallerLeftError):
        held.join("A", caller=caller)


def test_deal_whose_time_is_over_is_not_read(hold_line: HoldLine, seconds: SecondsClock) -> None:
    held = hold_line()
    ticket = held.join("A", caller=Caller(patience_s=5, clock=seconds))
    seconds.at_s += 5
    assert held.go_on() == []
    with pytest.raises(OverloadError, match="time was over"):
        held.line.get_answer(ticket)


def test_time_that_ends_in_the_line_frees_the_place(hold_line: HoldLine, seconds: SecondsClock) -> None:
    held = hold_line()
    ticket = held.join("A", caller=Caller(patience_s=5, clock=seconds))
    seconds.at_s += 5
    with pytest.raises(OverloadError):
        held.line.get_answer(ticket)
    held.join("B")
    assert held.go_on() == [["B"]]


def test_reading_that_has_begun_is_answered(hold_line: HoldLine, seconds: SecondsClock) -> None:
    held = hold_line()
    seconds.at_s += 1000
    held.go_on()
    assert held.line.get_answer(held.tickets[0]).deal_id == "plug"


def slow_line(seconds: SecondsClock) -> tuple[Line, RoundAssessor]:
    """Gives a line that has read one deal in ten seconds and now reads another of the same length."""
    assessor = RoundAssessor(lambda: setattr(seconds, "at_s", seconds.at_s + 10))
    line = Line(RoundLimits(at_once=1), clock=seconds)
    line.get_answer(line.join(assessor, deal_of("A"), Caller()))
    line.join(assessor, deal_of("plug"), Caller())
    assert assessor.is_reading.wait(30)
    return line, assessor


def test_caller_without_time_is_told_at_once(seconds: SecondsClock) -> None:
    line, assessor = slow_line(seconds)
    with pytest.raises(OverloadError, match="after this request's time") as told:
        line.join(assessor, deal_of("B"), Caller(patience_s=9, clock=seconds))
    patient = line.join(assessor, deal_of("C"), Caller(patience_s=20, clock=seconds))
    assessor.may_go_on.set()
    assert line.get_answer(patient).deal_id == "C"
    assert told.value.retry_after_s == 10


def test_live_caller_waits_for_no_bulk_deal(seconds: SecondsClock) -> None:
    line, assessor = slow_line(seconds)
    line.join(assessor, deal_of("b"), bulk())
    waits_s = [line.estimate_wait_s(Caller()), line.estimate_wait_s(bulk())]
    assessor.may_go_on.set()
    assert waits_s == pytest.approx([10, 20], rel=0.1)


def test_first_deal_waits_for_company() -> None:
    line, assessor = Line(RoundLimits(deals=2, window_s=30, at_once=1)), RoundAssessor()
    tickets = [line.join(assessor, deal_of(name), Caller()) for name in "AB"]
    assert [line.get_answer(ticket).deal_id for ticket in tickets] == ["A", "B"]
    assert assessor.rounds == [["A", "B"]]


def test_line_goes_on_after_it_was_empty() -> None:
    line, assessor = Line(RoundLimits(at_once=1)), RoundAssessor()
    for name in "AB":
        assert line.get_answer(line.join(assessor, deal_of(name), Caller())).deal_id == name
