"""SetFit: a sentence encoder tuned on pairs of a few deals of each reason, with logistic regression on top.

Source: Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts".
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

from lossnlp.deal import Deal
from training.answers import Answer
from training.baseline import text_of
from training.corpus import LabelledDeal
from training.encoders import find_encoder

_DEALS_A_REASON = 32
_STEPS = 300
_BATCH = 16
_MAX_TOKENS = 128
_SEED = 7


class SetFit:
    """SetFit with 32 deals of each primary reason.

    Args:
        deals: Deals to draw from.
        encoder: Folder or name of the sentence encoder.
    """

    name = "SetFit"

    def __init__(self, deals: Sequence[LabelledDeal], encoder: str) -> None:
        few = _few_of_each(deals)
        rows = Dataset.from_dict(
            {"text": [text_of(one.deal) for one in few], "label": [one.labels.primary for one in few]}
        )
        self._model = SetFitModel.from_pretrained(find_encoder(encoder), labels=sorted(set(rows["label"])))
        self._model.model_body.max_seq_length = _MAX_TOKENS
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                output_dir=folder, max_steps=_STEPS, batch_size=_BATCH, seed=_SEED, report_to="none", save_strategy="no"
            )
            Trainer(model=self._model, args=settings, train_dataset=rows).train()

    def answer(self, deal: Deal) -> Answer:
        """Gives the likeliest reason."""
        weights = self._model.predict_proba([text_of(deal)])[0]
        best = int(weights.argmax())
        return Answer(primary=str(self._model.labels[best]), confidence=float(weights[best]))


def _few_of_each(deals: Sequence[LabelledDeal]) -> list[LabelledDeal]:
    of_reason: dict[str, list[LabelledDeal]] = defaultdict(list)
    for one in deals:
        of_reason[one.labels.primary].append(one)
    draw = random.Random(_SEED)
    return [
        one for _, group in sorted(of_reason.items()) for one in draw.sample(group, min(len(group), _DEALS_A_REASON))
    ]
