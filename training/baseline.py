"""The baseline every model must beat: TF-IDF with logistic regression for what is chosen, the shipped word rules for what is found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion

from lossnlp.assessment import Assessment, Competitor, Evidence
from lossnlp.competitors import RivalFinder
from lossnlp.deal import Deal
from lossnlp.lines import read_request
from lossnlp.revisit import find_revisit_phrases
from lossnlp.segments import split_sentences
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from training.answers import Answer, as_assessment
from training.corpus import LabelledDeal, Labels, corpus_files, is_note, read_corpus
from training.metrics import Judged, evaluate

_STRENGTH = 10.0
_DEFAULTS = {"attribution": "external_only", "insufficient_detail": False, "winback": "unclear"}
_STATES = ("gap", "covered")


class Baseline:
    """Bag-of-words models of every value that is chosen, and word rules for rivals and come-back phrases.

    Args:
        deals: Labelled deals to learn from.
        taxonomy: The labels they use.
    """

    name = "TF-IDF and rules"

    def __init__(self, deals: Sequence[LabelledDeal], taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._codes, self._elements = taxonomy.codes, taxonomy.element_codes
        self._features = make_features()
        seen = self._features.fit_transform([text_of(labelled.deal) for labelled in deals])
        labels = [labelled.labels for labelled in deals]
        self._primary = make_chooser().fit(seen, [label.primary for label in labels])
        self._reasons = _many(seen, [[code in label.reasons for code in self._codes] for label in labels])
        self._states = {
            state: _many(seen, [[label.meddpicc.get(code) == state for code in self._elements] for label in labels])
            for state in _STATES
        }
        self._single = {name: _fit_known(seen, labels, name) for name in _DEFAULTS}
        self._rivals = RivalFinder()

    def answer(self, deal: Deal) -> Answer:
        """Gives what the baseline can say of a deal."""
        seen = self._features.transform([text_of(deal)])
        probabilities = self._primary.predict_proba(seen)[0]
        primary = str(self._primary.classes_[probabilities.argmax()])
        notes = [document for document in deal.documents if is_note(document)]
        single = {name: model.predict(seen)[0] for name, model in self._single.items()}
        states = {
            code: state for state in reversed(_STATES) for code in _named(self._elements, self._states[state], seen)
        }
        return Answer(
            primary=primary,
            confidence=float(probabilities.max()),
            reasons=_named(self._codes, self._reasons, seen),
            states=states,  # type: ignore[arg-type]  # the keys of _STATES
            attribution=single["attribution"] if notes else None,
            insufficient_detail=bool(notes) and bool(single["insufficient_detail"]),
            winback=single["winback"],
            revisit=next(_phrases(deal), None),
            competitors=tuple(self._competitors(deal)),
            rep_buyer_conflict=self._conflict(deal),
            evidence={primary: (self._telling_sentence(deal, primary),)},
        )

    def evaluate(self, deals: Sequence[LabelledDeal]) -> dict[str, float]:
        """Gives the baseline's figures on labelled deals, named as the model's are."""
        return evaluate([Judged(one, self.assess(one.deal)) for one in deals])

    def assess(self, deal: Deal) -> Assessment:
        """Gives the baseline's answer in the shape of an assessment."""
        return as_assessment(deal, self.answer(deal), peer=self.name, taxonomy=self.taxonomy)

    def _conflict(self, deal: Deal) -> bool | None:
        """Gives whether the note's likeliest reason is missing among those of the other documents."""
        texts = [
            "\n".join(
                text
                for document in deal.documents
                if is_note(document) == wanted
                for _, text in document.numbered_texts
            )
            for wanted in (True, False)
        ]
        if not all(texts):
            return None
        said, heard = self._features.transform(texts[:1]), self._features.transform(texts[1:])
        reasons = {*_named(self._codes, self._reasons, heard), str(self._primary.predict(heard)[0])}
        return str(self._primary.predict(said)[0]) not in reasons

    def _telling_sentence(self, deal: Deal, code: str) -> Evidence:
        """Gives the sentence that speaks loudest for a reason."""
        places = [
            Evidence(document_id=document.id, start=start, end=end, text=text[start:end], turn=turn)
            for document in deal.documents
            for turn, text in document.numbered_texts
            for start, end in split_sentences(text)
        ]
        scores = self._primary.decision_function(self._features.transform([place.text for place in places]))
        return places[int(scores[:, list(self._primary.classes_).index(code)].argmax())]

    def _competitors(self, deal: Deal) -> Iterator[Competitor]:
        seen: set[str] = set()
        for document in deal.documents:
            for turn, text in document.numbered_texts:
                for rival in self._rivals.find(text, account=deal.account):
                    if rival.name.casefold() not in seen:
                        seen.add(rival.name.casefold())
                        place = {"document_id": document.id, "start": rival.start, "end": rival.end, "turn": turn}
                        said = {"text": rival.name, "name": rival.name, "role": rival.role}
                        yield Competitor.model_validate({**place, **said, "confidence": rival.confidence})


def text_of(deal: Deal) -> str:
    """Gives all words of a deal, documents one after the other."""
    return "\n".join(deal.texts)


def _phrases(deal: Deal) -> Iterator[Evidence]:
    for document in deal.documents:
        for turn, text in document.numbered_texts:
            for start, end in find_revisit_phrases(text):
                yield Evidence(document_id=document.id, start=start, end=end, text=text[start:end], turn=turn)


def make_features() -> FeatureUnion:
    """Gives the bag of words and of characters that every model here reads."""
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    characters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 5), min_df=3)
    return FeatureUnion([("words", words), ("characters", characters)])


def make_chooser() -> OneVsRestClassifier:
    """Gives a model that chooses one of many labels, each against the rest."""
    return OneVsRestClassifier(_separator())


def _separator() -> LogisticRegression:
    return LogisticRegression(C=_STRENGTH, class_weight="balanced", solver="liblinear", random_state=0)


def _many(seen: NDArray[np.floating], gold: Sequence[Sequence[bool]]) -> list[ClassifierMixin]:
    """Gives one yes-or-no model for each column of gold."""
    return [fit_model(_separator(), seen, column) for column in zip(*gold, strict=True)]


def _fit_known(seen: NDArray[np.floating], labels: Sequence[Labels], name: str) -> ClassifierMixin:
    """Gives a model of a value, learned from the deals where it is labelled; it has a default where none is."""
    values = [getattr(label, name) for label in labels]
    known = [row for row, value in enumerate(values) if value not in (None, "na")]
    if not known:
        return DummyClassifier(strategy="constant", constant=_DEFAULTS[name]).fit(seen, [_DEFAULTS[name]] * len(values))
    return fit_model(make_chooser(), seen[known], [values[row] for row in known])


def fit_model(model: ClassifierMixin, seen: NDArray[np.floating], gold: Sequence[object]) -> ClassifierMixin:
    """Gives the model fitted, or one that always says the same where gold does."""
    return (model if len(set(gold)) > 1 else DummyClassifier(strategy="most_frequent")).fit(seen, list(gold))


def _named(codes: Sequence[str], models: Sequence[ClassifierMixin], seen: NDArray[np.floating]) -> list[str]:
    """Gives the codes whose models say yes to the one row seen."""
    return [code for code, model in zip(codes, models, strict=True) if model.predict(seen)[0]]


def main() -> None:
    """Trains the baseline on the corpus and answers a file of requests, for comparing on other deals."""
    ask = argparse.ArgumentParser(prog="python -m training.baseline", description=main.__doc__)
    ask.add_argument("requests", type=Path, help="JSON lines, one request each")
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    asked = ask.parse_args()
    baseline = Baseline(read_corpus(asked.corpus or corpus_files()), get_default_taxonomy())
    for line in asked.requests.read_bytes().splitlines():
        if line.strip():
            sys.stdout.write(baseline.assess(Deal.from_request(read_request(line))).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
