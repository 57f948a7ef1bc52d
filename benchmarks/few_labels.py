"""A new scheme from a few texts a label, beside SetFit on the same encoder, same texts, same run. `python -m benchmarks.few_labels FOLDER`.

FOLDER is a public set as `python -m training.public` writes it, with one label a text and a part to test on. For each seed some labels and
some texts of each are drawn; lossnlp and SetFit take turns at going first. SetFit has the settings of its paper (20 pairs of each kind a
text, one pass, batches of 16, logistic regression on top) and its library's defaults else. Prints Markdown.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lossnlp.heads import Layout
from lossnlp.windows import WindowMaker, read_tokenizer
from training.baseline import text_of
from training.corpus import LabelledDeal
from training.encoders import find_encoder
from training.examples import ExampleMaker
from training.few_labels import Course
from training.few_run import fit_few
from training.network import make_batch
from training.own_deals import Columns, labels_found, read_own_deals
from training.starting import start_from_encoder

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_PAIRS_A_TEXT = 20
_SETFIT_BATCH = 16
_READ_AT_ONCE = 32


@dataclass(frozen=True)
class Draw:
    """What one comparison learns from and is tested on."""

    learn: list[LabelledDeal]
    test: list[LabelledDeal]
    seed: int

    @property
    def codes(self) -> tuple[str, ...]:
        """The labels, in order."""
        return labels_found(self.learn).codes


def draw_texts(parts: dict[str, list[LabelledDeal]], seed: int, *, labels: int, each: int) -> Draw:
    """Gives a draw: `labels` labels (0: all), `each` texts of each to learn from, and all texts of theirs to test on.

    Args:
        parts: Texts to learn from and to test on.
        seed: Of the draw.
        labels: How many labels.
        each: Texts a label, those that have fewer give all they have.
    """
    draw = random.Random(seed)
    of_label: dict[str, list[LabelledDeal]] = {}
    for one in parts["learn"]:
        of_label.setdefault(one.labels.primary, []).append(one)
    names = sorted(draw.sample(sorted(of_label), labels or len(of_label)))
    learn = [one for name in names for one in draw.sample(of_label[name], min(each, len(of_label[name])))]
    return Draw(learn, [one for one in parts["test"] if one.labels.primary in names], seed)


def ours(draw: Draw, encoder: str) -> tuple[list[str], str]:
    """Gives the labels that lossnlp finds for the texts to test on, and the stage it chose."""
    layout = Layout(draw.codes, ())
    start = start_from_encoder(encoder, layout, layers=0)
    maker = ExampleMaker(WindowMaker(read_tokenizer(start.tokenizer)), layout)
    choice = fit_few(start.network, maker, draw.learn, Course(seed=draw.seed))
    wanted = layout.outputs["primary"]
    found: list[str] = []
    with torch.no_grad():
        for low in range(0, len(draw.test), _READ_AT_ONCE):
            batch = make_batch([maker.make(one) for one in draw.test[low : low + _READ_AT_ONCE]], pad_id=0)
            found += [layout.reasons[place] for place in start.network(batch).logits[:, wanted].argmax(1)]
    print(f"<!-- {choice.said} -->")
    return found, choice.chosen.stage


def setfit(draw: Draw, encoder: str) -> tuple[list[str], str]:
    """Gives the labels that SetFit finds."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    rows = Dataset.from_dict(
        {"text": [text_of(one.deal) for one in draw.learn], "label": [one.labels.primary for one in draw.learn]}
    )
    torch.manual_seed(draw.seed)
    model = SetFitModel.from_pretrained(find_encoder(encoder), labels=list(draw.codes))
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            num_iterations=_PAIRS_A_TEXT,
            num_epochs=1,
            batch_size=_SETFIT_BATCH,
            seed=draw.seed,
            report_to="none",
            save_strategy="no",
        )
        Trainer(model=model, args=settings, train_dataset=rows).train()
    return [str(one) for one in model.predict([text_of(one.deal) for one in draw.test])], ""


WAYS: dict[str, Callable[[Draw, str], tuple[list[str], str]]] = {"lossnlp": ours, "SetFit": setfit}


@dataclass(frozen=True)
class Run:
    """One way on one draw: share of texts read right, stage if one was chosen, seconds."""

    way: str
    accuracy: float
    stage: str
    seconds: float


def compare(draw: Draw, encoder: str, *, turn: int) -> list[Run]:
    """Gives a run of each way on a draw; an odd turn lets SetFit go first."""
    runs = []
    for name in list(WAYS)[:: -1 if turn % 2 else 1]:
        begun = time.perf_counter()
        found, stage = WAYS[name](draw, encoder)
        right = float(np.mean([label == one.labels.primary for label, one in zip(found, draw.test, strict=True)]))
        runs.append(Run(name, right, stage, time.perf_counter() - begun))
        print(f"<!-- seed {draw.seed}, {len(draw.learn)} texts: {runs[-1]} -->", flush=True)
    return runs


def row_of(each: int, name: str, runs: Sequence[Run]) -> str:
    """Gives a row of the table: median, lowest and highest accuracy, stages chosen, median seconds."""
    own = [run for run in runs if run.way == name]
    right = [run.accuracy for run in own]
    stages = ", ".join(f"{stage} {count}" for stage, count in Counter(run.stage for run in own).items() if stage)
    cells = (each, name, f"{median(right):.3f}", f"{min(right):.3f} to {max(right):.3f}", stages)
    return "| " + " | ".join(map(str, cells)) + f" | {median(run.seconds for run in own):.0f} |"


def main() -> None:
    """Compares both ways and prints a table."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.few_labels", description=__doc__.splitlines()[0])
    ask.add_argument("folder", type=Path, help="a set that `python -m training.public` wrote")
    ask.add_argument("--encoder", default=ENCODER, help="local folder or model-hub name (default: %(default)s)")
    ask.add_argument("--each", type=int, nargs="*", default=[8, 32], help="texts a label (default: 8 32)")
    ask.add_argument("--labels", type=int, default=0, help="labels drawn for each seed; default: all of them")
    ask.add_argument("--seeds", type=int, default=5, help="draws (default: %(default)s)")
    asked = ask.parse_args()
    parts = read_own_deals(asked.folder, Columns(), None).parts
    if not parts["test"] or any(len(one.labels.reasons) != 1 for one in parts["learn"]):
        ask.error("the set needs one label a text, and a file whose name begins with test")
    rows = []
    for each in asked.each:
        draws = [draw_texts(parts, seed, labels=asked.labels, each=each) for seed in range(asked.seeds)]
        runs = [run for turn, draw in enumerate(draws) for run in compare(draw, asked.encoder, turn=turn)]
        rows += [row_of(each, name, runs) for name in WAYS]
    print(f"{asked.folder.name}, {asked.labels or 'all'} labels, {asked.seeds} draws, {asked.encoder}\n")
    print("| texts a label | way | accuracy, median | spread | stages chosen | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
