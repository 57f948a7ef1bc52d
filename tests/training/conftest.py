"""A handful of labelled deals and a small network, for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lossnlp.bundle import find_default_bundle
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from lossnlp.windows import WindowMaker, read_tokenizer
from training.corpus import LabelledDeal, labelled_deal
from training.examples import ExampleMaker

NOTE = "Lost to Gong on price, 30% lower. Come back in Q2."
CALL = "Dana Ortiz: It cannot read our orders.\nTom Hill: I see.\nDana Ortiz: That was the knock-out."


def note_row(**changes: Any) -> dict[str, Any]:
    labels = {
        "primary": "price",
        "reasons": ["price", "competitor"],
        "meddpicc": {"competition": "gap"},
        "attribution": "external_only",
        "insufficient_detail": False,
        "winback": "open",
        "revisit": "in Q2",
        "competitors": ["Gong"],
        "competitor_roles": {"Gong": "won"},
        "evidence": {"price": "30% lower", "competitor": "Lost to Gong", "meddpicc.competition": ["Lost to Gong"]},
    }
    return {"id": "n-1", "documents": [{"id": "text", "kind": "rep_note", "text": NOTE}], "labels": labels | changes}


def call_row() -> dict[str, Any]:
    note = note_row()["labels"]
    buyer = {
        "primary": "product_gap",
        "reasons": ["product_gap"],
        "meddpicc": {"decision_criteria": "gap"},
        "evidence": {"product_gap": ["cannot read our orders"], "meddpicc.decision_criteria": ["knock-out"]},
    }
    whole = buyer | {"attribution": "external_only", "insufficient_detail": False, "rep_buyer_conflict": True}
    return {
        "id": "c-1",
        "documents": [
            {"id": "note", "kind": "rep_note", "text": NOTE},
            {"id": "call", "kind": "call_transcript", "text": CALL},
        ],
        "sources": {"note": note, "buyer": buyer},
        "labels": whole,
    }


@pytest.fixture
def make_note_row() -> Callable[..., dict[str, Any]]:
    return note_row


@pytest.fixture
def make_call_row() -> Callable[[], dict[str, Any]]:
    return call_row


@pytest.fixture
def note() -> LabelledDeal:
    return labelled_deal(note_row())


@pytest.fixture
def call() -> LabelledDeal:
    return labelled_deal(call_row())


@pytest.fixture(scope="session")
def layout() -> Layout:
    taxonomy = get_default_taxonomy()
    return Layout(taxonomy.codes, taxonomy.element_codes)


@pytest.fixture(scope="session")
def maker(layout: Layout) -> ExampleMaker:
    tokenizer = read_tokenizer(find_default_bundle() / "tokenizer.json")
    return ExampleMaker(WindowMaker(tokenizer), layout)
