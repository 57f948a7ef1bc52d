"""The baseline every model must beat: TF-IDF of words and characters with logistic regression, on the same corpus."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from training.corpus import LabelledDeal, corpus_files, read_corpus
from training.evaluate import binary_f1, macro_f1, micro_f1

_STRENGTH = 10.0


class Baseline:
    """Bag-of-words models of the primary reason, the reasons, the MEDDPICC gaps and `external_only`."""

    def __init__(self, deals: Sequence[LabelledDeal]) -> None:
        taxonomy = get_default_taxonomy()
        self._codes, self._elements = taxonomy.codes, taxonomy.element_codes
        texts = [text_of(labelled.deal) for labelled in deals]
        labels = [labelled.labels for labelled in deals]
        self._primary = _model().fit(texts, [label.primary for label in labels])
        self._reasons = _many(texts, [[code in label.reasons for code in self._codes] for label in labels])
        self._gaps = _many(texts, [[label.meddpicc.get(code) == "gap" for code in self._elements] for label in labels])
        noted = [
            (text, label.attribution) for text, label in zip(texts, labels, strict=True) if label.attribution != "na"
        ]
        self._external = _model().fit([text for text, _ in noted], [value == "external_only" for _, value in noted])

    def assess(self, deal: Deal) -> dict[str, object]:
        """Gives as much of an assessment as the baseline can, in the contract's shape."""
        text = [text_of(deal)]
        primary = str(self._primary.predict(text)[0])
        others = [code for code, hit in zip(self._codes, self._reasons.predict(text)[0], strict=True) if hit]
        probability = float(self._primary.predict_proba(text).max())
        gaps = self._gaps.predict(text)[0]
        return {
            "deal_id": deal.id,
            "reasons": [
                {"code": code, "primary": code == primary, "confidence": probability}
                for code in (primary, *(code for code in others if code != primary))
            ],
            "meddpicc": {code: {"state": "gap"} for code, hit in zip(self._elements, gaps, strict=True) if hit},
            "flags": {"external_only": {"value": bool(self._external.predict(text)[0])}},
        }

    def evaluate(self, deals: Sequence[LabelledDeal]) -> dict[str, float]:
        """Gives the baseline's figures on labelled deals, named as the model's are."""
        texts = [text_of(labelled.deal) for labelled in deals]
        labels = [labelled.labels for labelled in deals]
        primary = [str(code) for code in self._primary.predict(texts)]
        reasons = _sets(self._codes, self._reasons.predict(texts))
        gaps = _sets(self._elements, self._gaps.predict(texts))
        external = self._external.predict(texts)
        return {
            "primary.accuracy": float(np.mean([a == b.primary for a, b in zip(primary, labels, strict=True)])),
            "primary.macro_f1": macro_f1([(b.primary, a) for a, b in zip(primary, labels, strict=True)]),
            "reasons.micro_f1": micro_f1([(set(b.reasons), a) for a, b in zip(reasons, labels, strict=True)]),
            "meddpicc.gap_micro_f1": micro_f1(
                [({e for e, s in b.meddpicc.items() if s == "gap"}, a) for a, b in zip(gaps, labels, strict=True)]
            ),
            "external_only.f1": binary_f1(
                [
                    (b.attribution == "external_only", bool(a))
                    for a, b in zip(external, labels, strict=True)
                    if b.attribution != "na"
                ]
            ),
        }


def text_of(deal: Deal) -> str:
    """Gives all words of a deal, documents one after the other."""
    parts = [
        [document.text or ""] if document.turns is None else [t.text for t in document.turns]
        for document in deal.documents
    ]
    return "\n".join(part for texts in parts for part in texts)


def _model() -> Pipeline:
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    characters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 5), min_df=3)
    features = FeatureUnion([("words", words), ("characters", characters)])
    return make_pipeline(features, LogisticRegression(C=_STRENGTH, max_iter=300, class_weight="balanced"))


def _many(texts: Sequence[str], gold: Sequence[Sequence[bool]]) -> Pipeline:
    single = _model()
    classifier = MultiOutputClassifier(LogisticRegression(C=_STRENGTH, max_iter=300, class_weight="balanced"))
    return Pipeline([("features", single.steps[0][1]), ("labels", classifier)]).fit(texts, np.array(gold))


def _sets(codes: Sequence[str], hits: np.ndarray) -> list[set[str]]:
    return [{code for code, hit in zip(codes, row, strict=True) if hit} for row in hits]


def main() -> None:
    """Trains the baseline on the corpus and answers a file of requests, for comparing on other deals."""
    ask = argparse.ArgumentParser(prog="python -m training.baseline", description=main.__doc__)
    ask.add_argument("requests", type=Path, help="JSON lines, one request each")
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    asked = ask.parse_args()
    baseline = Baseline(read_corpus(asked.corpus or corpus_files()))
    for line in asked.requests.read_text(encoding="utf-8").splitlines():
        if line.strip():
            sys.stdout.write(json.dumps(baseline.assess(Deal.from_request(json.loads(line)))) + "\n")


if __name__ == "__main__":
    main()
