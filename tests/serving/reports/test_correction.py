from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.reports.correction import Audit, correct_counts, read_audit
from serving.reports.loss_sheets import corrected_sheet
from serving.reports.report import Report
from serving.reports.sheets import Held
from serving.review.waiting import WRITE_BACK_REFUSED
from serving.store import Database
from serving.tables import VerdictRow
from tests.serving.reports.loss_world import LEADER, MANAGER, AddLosses

MakeReport = Callable[..., Report]
CODES = ("budget", "competitor", "price", "timing")
TRUTH = np.array([0.15, 0.15, 0.2, 0.5])
# The model takes much of `timing` for `price`, and errs more where it asks a person.
READS = np.array(
    [
        [[0.6, 0.1, 0.3, 0.0], [0.1, 0.6, 0.3, 0.0], [0.1, 0.1, 0.8, 0.0], [0.0, 0.0, 0.5, 0.5]],
        [[0.9, 0.0, 0.1, 0.0], [0.0, 0.9, 0.1, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.2, 0.8]],
    ]
)
JUDGED = np.array([0.6, 0.1])


def simulated(seed: int, *, deals: int = 4_000) -> tuple[Audit, np.ndarray]:
    """Gives an audit of simulated deals, and how many really have each reason."""
    chance = np.random.default_rng(seed)
    truth = chance.choice(len(CODES), size=deals, p=TRUTH)
    stratum = (chance.random(deals) < 0.7).astype(int)
    read = np.array([chance.choice(len(CODES), p=READS[s, t]) for s, t in zip(stratum, truth, strict=True)])
    is_judged = chance.random(deals) < JUDGED[stratum]
    matrix, unjudged = np.zeros((2, 4, 4), np.int64), np.zeros((2, 4), np.int64)
    np.add.at(matrix, (stratum[is_judged], read[is_judged], truth[is_judged]), 1)
    np.add.at(unjudged, (stratum[~is_judged], read[~is_judged]), 1)
    return Audit(CODES, matrix, unjudged, matrix.sum(axis=(0, 1))), np.bincount(truth, minlength=4)


def test_correction_recovers_known_truth() -> None:
    audit, truth = simulated(7)
    counted = audit.unjudged.sum(axis=0) + audit.settled
    found = correct_counts(audit).counts
    values = np.array([found[code].value for code in CODES])
    assert np.abs(counted - truth).max() > 300
    assert np.abs(values - truth).max() < 100
    assert values.sum() == pytest.approx(4_000)


def test_intervals_hold_truth_as_often_as_said() -> None:
    held = []
    for seed in range(60):
        audit, truth = simulated(seed, deals=1_000)
        found = correct_counts(audit).counts
        held += [found[code].low <= count <= found[code].high for code, count in zip(CODES, truth, strict=True)]
    assert 0.9 <= np.mean(held) <= 0.99


def test_same_audit_gives_same_figures() -> None:
    audit, _ = simulated(3)
    assert correct_counts(audit) == correct_counts(audit)


def test_judged_deals_count_as_settled() -> None:
    matrix = np.full((2, 2, 2), 20)
    audit = Audit(("a", "b"), matrix, np.zeros((2, 2), np.int64), np.array([30, 12]))
    found = correct_counts(audit).counts
    assert [(one.low, one.value, one.high) for one in found.values()] == [(30, 30, 30), (12, 12, 12)]


def test_reason_never_judged_keeps_wide_interval() -> None:
    matrix = np.zeros((2, 3, 3), np.int64)
    matrix[1] = [[40, 0, 0], [8, 32, 0], [0, 0, 0]]
    audit = Audit(("a", "b", "c"), matrix, np.array([[0, 0, 0], [0, 0, 100]]), np.zeros(3, np.int64))
    found = correct_counts(audit).counts["c"]
    assert found.high - found.low > 50


@pytest.mark.parametrize(("stratum", "name"), [(0, "asked a person about"), (1, "was sure of")])
def test_too_few_judged_deals_leave_counts_alone(stratum: int, name: str) -> None:
    matrix = np.full((2, 2, 2), 20)
    matrix[stratum] = [[7, 7], [7, 8]]
    audit = Audit(("a", "b"), matrix, np.full((2, 2), 5), np.zeros(2, np.int64))
    correction = correct_counts(audit)
    assert correction.counts == {}
    assert f"{name}, 29 are judged and 30 are needed" in str(correction.shortage)


def test_stratum_without_unjudged_deals_needs_none_judged() -> None:
    matrix = np.zeros((2, 2, 2), np.int64)
    matrix[1] = 20
    audit = Audit(("a", "b"), matrix, np.array([[0, 0], [5, 5]]), np.zeros(2, np.int64))
    assert correct_counts(audit).shortage is None


def test_audit_counts_each_deal_once(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    audit = read_audit(session, LEADER, report().scope, get_default_taxonomy().codes)
    assert audit.unjudged.sum() + audit.settled.sum() == 300
    assert audit.matrix.sum() == audit.settled.sum()


def test_verdict_that_nobody_can_tell_is_no_judgement(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(20, is_judged=True, verdict_kind="cannot_tell")
    losses(5, is_judged=True, verdict_kind="change")
    audit = read_audit(session, LEADER, report().scope, ())
    assert (audit.matrix.sum(), audit.unjudged.sum(), audit.settled.sum()) == (5, 20, 5)


def test_verdict_on_older_reading_tells_no_error(
    losses: AddLosses, database: Database, session: Session, report: MakeReport
) -> None:
    losses(6, is_judged=True)
    with database.writing() as writing:
        older = update(VerdictRow).where(VerdictRow.deal_id.in_(("D0", "D1"))).values(assessment_id="5".zfill(36))
        writing.execute(older)
        writing.commit()
    audit = read_audit(session, LEADER, report().scope, ())
    assert (audit.matrix.sum(), audit.settled.sum()) == (4, 6)


def test_chosen_deals_tell_no_error_of_sure_ones(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(7, is_judged=True, is_asked=False, cause=WRITE_BACK_REFUSED)
    losses(5, is_judged=True, is_asked=True, cause=WRITE_BACK_REFUSED)
    losses(3, is_judged=True, is_asked=False)
    audit = read_audit(session, LEADER, report().scope, ())
    assert (audit.matrix.sum(axis=(1, 2)).tolist(), audit.settled.sum()) == ([5, 3], 15)


def test_errors_are_measured_on_deals_in_sight(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(40, is_judged=True, team="South")
    losses(10, is_judged=True, team="North")
    assert read_audit(session, MANAGER, report(MANAGER).scope, ()).matrix.sum() == 10


def test_errors_are_measured_outside_window_too(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(40, is_judged=True)
    audit = read_audit(session, LEADER, report(since="2026-09-30").scope, ())
    assert audit.matrix.sum() == 40
    assert audit.settled.sum() < 40


def test_corrected_table_shows_interval(losses: AddLosses, report: MakeReport) -> None:
    losses(100, is_judged=True, read_reason="price", primary_reason="timing", is_asked=False)
    losses(100, is_judged=False, read_reason="price", is_asked=False)
    rows = {row.cells[0]: row.cells for row in corrected_sheet(report()).rows}
    timing = rows["Timing"][2]
    assert rows["Timing"][1] == 100
    assert not isinstance(timing, Held)
    assert timing.value > 190  # type: ignore[union-attr]


def test_table_says_why_it_is_not_corrected(losses: AddLosses, report: MakeReport) -> None:
    losses(50, is_judged=False, is_asked=False)
    sheet = corrected_sheet(report())
    assert sheet.notes == (
        "Counts are not corrected: of the deals that the model was sure of, 0 are judged and 30 are needed.",
    )
    assert len(sheet.columns) == 2
