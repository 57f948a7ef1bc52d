"""A verdict line that uses every kind of label, for the tests of what labelling tools take and give."""

from __future__ import annotations

from lossnlp.deal import Deal
from serving.review.verdict_lines import LineLabels, VerdictLine, make_line

NOTE = "Lost to Gong on price, 30% lower. 🙂 Come back in Q2."
TURNS = [
    {"speaker": "Name_A", "text": "It cannot read our orders."},
    {"speaker": "Name_B", "text": "I see.\nDana had no say."},
]


def full_line(*, is_open: bool = False) -> VerdictLine:
    documents = [
        {"id": "document-1", "kind": "rep_note", "text": NOTE},
        {"id": "document-2", "kind": "call_transcript", "recorded_at": "2026-02-26", "turns": TURNS},
    ]
    deal = Deal.from_request({"deal": {"id": "d-1", "account": "Account_A", "amount": 10.5}, "documents": documents})
    labels = LineLabels(
        primary="product_gap",
        reasons=("product_gap", "price"),
        meddpicc={"champion": "gap", "competition": "covered"},
        attribution="external_only",
        insufficient_detail=False,
        rep_buyer_conflict=True,
        winback="open",
        revisit="in Q2",
        competitors=("Gong", "Spoken Of"),
        competitor_roles={"Gong": "won", "Spoken Of": "mentioned"},
        evidence={
            "product_gap": ("cannot read our orders",),
            "price": ("30% lower", "on price"),
            "meddpicc.champion": ("Dana had no say",),
            "winback": ("Come back in Q2",),
        },
    )
    meta = {"verdict": "change", "model": "m-1", "judged_on": "2026-11-21", "account": "account-1"}
    return make_line(deal, labels, is_open=is_open, meta=meta)
