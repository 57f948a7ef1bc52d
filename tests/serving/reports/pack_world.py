"""Losses with words: what was read in each, with quotes that name people, their company and rivals."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.tables import AssessmentRow, LossElementRow, LossReasonRow, LossRow

BUYER, COLLEAGUE = "Katrin Brandl", "Murat Aydin"
_TAXONOMY = get_default_taxonomy()
_FLAG = {"value": None}
_SAID = {
    "price": "Honestly the list price is a third above the other quote, and {rep} could not explain what we get for it.",
    "budget": "The money for this year is spent, {buyer} asked finance twice and got nothing.",
    "competitor": "Rostera showed us the night shift running in Augsburg, that settled it for us.",
    "product_gap": "The payroll interface is missing, my colleague {colleague} typed the supplements in by hand for two days.",
    "implementation": "We cannot spare three people at {account} for a migration before the audit.",
    "timing": "Please come back after the works council election, before that nobody signs anything.",
    "sales_execution": "We asked for the security papers in March and got them in June.",
}
_OTHERWISE = "It was talked about at length and in the end that is what we decided on this side."
_NOTED = "They said it was {label} again, {buyer} did not want to go into it. Mr Talbot signs."


def read_all(session: Session, *, seed: int = 1) -> None:
    """Gives every loss that has no words yet an assessment with some; whoever reads it checks its shape. The caller commits."""
    chance = random.Random(seed)
    codes, states = defaultdict[str, list[str]](list), defaultdict[str, dict[str, str]](dict)
    for reason in session.scalars(select(LossReasonRow).order_by(LossReasonRow.is_primary.desc(), LossReasonRow.code)):
        codes[reason.deal_id].append(reason.code)
    for element in session.scalars(select(LossElementRow)):
        states[element.deal_id][element.element] = element.state
    table = AssessmentRow.__table__
    change = update(table).where(table.c.id == bindparam("at")).values(assessment=bindparam("read"))
    rows = [
        {"at": loss.assessment_id, "read": _reading(chance, loss, codes[loss.deal_id], states[loss.deal_id])}
        for loss in session.scalars(select(LossRow).order_by(LossRow.deal_id))
    ]
    if rows:
        session.connection().execute(change, rows)


def _reading(chance: random.Random, loss: LossRow, codes: list[str], states: dict[str, str]) -> dict[str, Any]:
    labels = {reason.code: reason.label for reason in _TAXONOMY.reasons}
    groups = {reason.code: reason.group for reason in _TAXONOMY.reasons}
    reasons = [
        {
            "code": code,
            "label": labels[code],
            "group": groups[code],
            "primary": rank == 0,
            "confidence": 0.9,
            "evidence": _evidence(chance, loss, code, labels[code]),
        }
        for rank, code in enumerate(codes)
    ]
    meddpicc = {
        code: {"state": states.get(code, "not_mentioned"), "confidence": 0.8} for code in _TAXONOMY.element_codes
    }
    speakers = [
        {"document_id": "call-1", "speaker": f"{name} ({loss.account})", "role": "buyer", "confidence": 1.0}
        for name in (f"Dr. {BUYER}", COLLEAGUE)
    ]
    return {
        "deal_id": loss.deal_id,
        "reasons": reasons,
        "meddpicc": meddpicc,
        "attribution": {"value": None, "confidence": None},
        "flags": dict.fromkeys(
            ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict"), _FLAG
        ),
        "winback": {"state": "unclear", "confidence": 0.5},
        "speakers": speakers,
        "review": {"required": False},
        "model": {"version": loss.model_version, "taxonomy_version": _TAXONOMY.version},
    }


def _evidence(chance: random.Random, loss: LossRow, code: str, label: str) -> list[dict[str, Any]]:
    names = {
        "rep": loss.owner,
        "buyer": BUYER.partition(" ")[0],
        "colleague": COLLEAGUE,
        "account": loss.account,
        "label": label,
    }
    said = _SAID.get(code, _OTHERWISE).format(**names)
    quotes = [("call-1", said, "buyer", f"Dr. {BUYER} ({loss.account})")] if chance.random() < 0.7 else []
    if chance.random() < 0.7:
        quotes.append(("note", _NOTED.format(**names), "rep", None))
    return [
        {"document_id": document, "start": 0, "end": len(text), "text": text, "role": role, "speaker": speaker}
        for document, text, role, speaker in quotes
    ]
