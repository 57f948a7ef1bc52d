"""Losses as no company has them: many at once, varied, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.people.access import Viewer
from serving.review.waiting import AUDIT_SAMPLE
from serving.store import now
from serving.tables import (
    AssessmentRow,
    DealRow,
    LossElementRow,
    LossReasonRow,
    LossRivalRow,
    LossRow,
    PersonRow,
    ReviewCauseRow,
    ReviewRow,
    Table,
    VerdictRow,
)

AddLosses = Callable[..., None]
Browse = Callable[[Viewer], TestClient]

FIRST_DAY, LAST_DAY = date(2026, 4, 1), date(2026, 9, 30)
WINDOW = f"since={FIRST_DAY}&until={LAST_DAY}"
LEADER = Viewer(1, "Lea", "leader")
MANAGER = Viewer(2, "Mo", "manager", ("North",))
REP = Viewer(3, "Riley", "rep", owner="Owner 1")

_TAXONOMY = get_default_taxonomy()
_COPIED = ("stated_reason", "stage", "amount", "currency", "owner", "account", "segment", "team", "region", "product")
_WEIGHTS = [len(_TAXONOMY.codes) - rank for rank in range(len(_TAXONOMY.codes))]
_KINDS: tuple[type[Table], ...] = (
    DealRow,
    AssessmentRow,
    ReviewRow,
    ReviewCauseRow,
    VerdictRow,
    LossRow,
    LossReasonRow,
    LossElementRow,
    LossRivalRow,
)
_RIGHT_SHARE, _JUDGED_SHARE, _ASKED_SHARE = 0.8, 0.1, 0.3


def add_losses(session: Session, n: int, *, seed: int = 1, **fixed: Any) -> None:
    """Adds n losses between the first and the last day; `fixed` says what all of them have alike. The caller commits."""
    chance, first = random.Random(seed), session.scalar(select(func.count()).select_from(DealRow)) or 0
    person = _person_id(session)
    rows: dict[type[Table], list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    verdicts = session.scalar(select(func.count()).select_from(VerdictRow)) or 0
    for number in range(first, first + n):
        loss = _loss(chance, number) | fixed
        cause = loss.pop("cause", AUDIT_SAMPLE)
        if loss.pop("is_judged", chance.random() < _JUDGED_SHARE):
            verdicts += 1
            loss["verdict_id"] = verdicts
            rows[VerdictRow].append(_verdict(loss, person, kind=loss.pop("verdict_kind", "accept")))
            rows[ReviewRow].append(_review(loss))
            rows[ReviewCauseRow].append({"review_id": verdicts, "cause": cause})
        else:
            loss["primary_reason"] = loss["read_reason"]
        _add_parts(rows, chance, loss, is_asked=loss.pop("is_asked", chance.random() < _ASKED_SHARE))
        rows[LossRow].append(loss)
    for kind, values in rows.items():
        if values:  # into the table, past the mapper: it would make a statement of its own for each set of columns that are not None
            session.execute(insert(kind.__table__), values)


def _loss(chance: random.Random, number: int) -> dict[str, Any]:
    held = chance.choices(_TAXONOMY.codes, _WEIGHTS)[0]
    read = held if chance.random() < _RIGHT_SHARE else chance.choice(_TAXONOMY.codes)
    maybe = (None, False, False, True)
    return {
        "deal_id": f"D{number}",
        "assessment_id": f"{number:036d}",
        "verdict_id": None,
        "lost_on": FIRST_DAY + timedelta(days=chance.randrange((LAST_DAY - FIRST_DAY).days + 1)),
        "primary_reason": held,
        "read_reason": read,
        "confidence": chance.random(),
        "model_version": "m-1",
        "stated_reason": chance.choice((None, "Price", "Other", "Competitor")),
        "attribution": None,
        "external_only": chance.choice(maybe),
        "insufficient_detail": None,
        "rep_buyer_conflict": chance.choice(maybe),
        "stated_reason_conflict": chance.choice(maybe),
        "winback": "unclear",
        "revisit_text": None,
        "revisit_on": None,
        "rival": chance.choice((None, None, None, "Rostera", "Acme")),
        "stage": chance.choice((None, "Discovery", "Proposal", "Negotiation")),
        "amount": chance.choice((None, round(chance.lognormvariate(10, 1)))),
        "currency": chance.choice(("EUR", "EUR", "EUR", "USD")),
        "owner": f"Owner {number % 40}",
        "account": f"Account {number}",
        "segment": chance.choice((None, "SMB", "Mid", "Enterprise")),
        "team": chance.choice((None, "North", "South", "West")),
        "region": chance.choice(("EMEA", "AMER")),
        "product": chance.choice(("Core", "Plus")),
    }


def _verdict(loss: dict[str, Any], person: int, *, kind: str) -> dict[str, Any]:
    return {
        "id": loss["verdict_id"],
        "assessment_id": loss["assessment_id"],
        "deal_id": loss["deal_id"],
        "person_id": person,
        "kind": kind,
        "shown": {},
        "seconds": 1.0,
        "created_at": now(),
    }


def _review(loss: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": loss["verdict_id"],
        "assessment_id": loss["assessment_id"],
        "deal_id": loss["deal_id"],
        "state": "judged",
        "uncertainty": 1 - loss["confidence"],
        "primary_reason": loss["read_reason"],
        "model_version": loss["model_version"],
        "created_at": now(),
    }


def _add_parts(
    rows: dict[type[Table], list[dict[str, Any]]], chance: random.Random, loss: dict[str, Any], *, is_asked: bool
) -> None:
    deal_id, primary = loss["deal_id"], loss["primary_reason"]
    rows[DealRow].append({"id": deal_id, "received_at": now(), **{name: loss[name] for name in _COPIED}})
    rows[AssessmentRow].append(
        {
            "id": loss["assessment_id"],
            "deal_id": deal_id,
            "content_sha256": "0" * 64,
            "model_version": loss["model_version"],
            "primary_reason": loss["read_reason"],
            "review_required": is_asked,
            "assessment": {},
            "created_at": now(),
        }
    )
    beside = {chance.choice(_TAXONOMY.codes) for _ in range(chance.randrange(3))} - {primary}
    codes = [(primary, True), *((code, False) for code in sorted(beside))]
    rows[LossReasonRow] += [{"deal_id": deal_id, "code": code, "is_primary": is_first} for code, is_first in codes]
    for element in _TAXONOMY.element_codes:
        if (state := chance.choice((None, None, "gap", "covered"))) is not None:
            rows[LossElementRow].append({"deal_id": deal_id, "element": element, "state": state})
    if loss["rival"]:
        role = chance.choice(("won", "incumbent"))
        rows[LossRivalRow].append({"deal_id": deal_id, "name": loss["rival"], "role": role})


def _person_id(session: Session) -> int:
    """Gives who judges; added with the first losses."""
    known = session.scalar(select(PersonRow.id).limit(1))
    if known is not None:
        return known
    person = PersonRow(email="jo@example.com", name="Jo", role="ops", teams=[], created_at=now())
    session.add(person)
    session.flush()
    return person.id
