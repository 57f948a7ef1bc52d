"""spaCy's text classifier, trained on the same deals: one exclusive choice of the primary reason."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import spacy
from spacy.training import Example
from spacy.util import minibatch

from lossnlp.deal import Deal
from training.answers import Answer
from training.baseline import text_of
from training.corpus import LabelledDeal

_EPOCHS = 12
_BATCH = 32
_SEED = 7


class TextCat:
    """spaCy's default `textcat` on a blank English pipeline.

    Args:
        deals: Deals to learn from.
    """

    name = "spaCy textcat"

    def __init__(self, deals: Sequence[LabelledDeal]) -> None:
        spacy.util.fix_random_seed(_SEED)
        self._nlp = spacy.blank("en")
        textcat = self._nlp.add_pipe("textcat")
        labels = sorted({one.labels.primary for one in deals})
        for label in labels:
            textcat.add_label(label)  # type: ignore[attr-defined]  # the pipe's own method
        examples = [
            Example.from_dict(
                self._nlp.make_doc(text_of(one.deal)),
                {"cats": {label: label == one.labels.primary for label in labels}},
            )
            for one in deals
        ]
        optimizer = self._nlp.initialize(lambda: examples)
        for epoch in range(_EPOCHS):
            random.Random(_SEED + epoch).shuffle(examples)
            for batch in minibatch(examples, size=_BATCH):
                self._nlp.update(batch, sgd=optimizer, drop=0.2)

    def answer(self, deal: Deal) -> Answer:
        """Gives the likeliest reason."""
        return next(self.answer_many([text_of(deal)], batch=1))

    def answer_many(self, texts: Sequence[str], *, batch: int) -> Iterator[Answer]:
        """Gives the likeliest reason of each text.

        Args:
            texts: What to read.
            batch: Texts read at once.
        """
        for doc in self._nlp.pipe(texts, batch_size=batch):
            best = max(doc.cats, key=lambda label: doc.cats[label])
            yield Answer(primary=best, confidence=float(doc.cats[best]))
