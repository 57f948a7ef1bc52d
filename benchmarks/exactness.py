"""Whether speed costs anything: fields and quality beside the same weights in torch, in 32 bits, on held-out deals. Writes JSON.

Run: python -m benchmarks.exactness [--deals 400]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.turns import short
from lossnlp.assessment import Assessment
from lossnlp.bundle import Bundle, find_default_bundle, read_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.encoder import Readings, TokenTags
from lossnlp.heads import Layout, Mixer, SegmentReadings, ViewReading, pool_segments, read_view
from lossnlp.reading import read_views
from lossnlp.segments import Segment
from lossnlp.windows import WindowMaker, read_tokenizer
from training.config import run_of
from training.corpus import LabelledDeal, corpus_files
from training.evaluate import find_shown
from training.learned import read_known
from training.material import corpus_material
from training.metrics import Judged, evaluate
from training.starting import rebuild_network

SAME_FIELDS, FIGURE_DIFFERENCE = 0.995, 0.005
_SILENCE = -30.0


class TorchEncoder:
    """Reads segments as `lossnlp.encoder.Encoder` does, with the bundle's weights in torch: the reference.

    Args:
        bundle: A checked bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.layout = Layout(bundle.taxonomy.codes, bundle.taxonomy.element_codes)
        self._reader = rebuild_network(bundle).reader.eval()
        self._windows = WindowMaker(
            read_tokenizer(bundle.path("tokenizer.json")), max_tokens=bundle.manifest.max_tokens
        )
        self._mixer = Mixer.from_tensors(load_file(bundle.path("heads.safetensors")))

    def read(self, segments: Sequence[Segment]) -> Readings:
        """Gives the readings of a deal's segments, one window after the other."""
        windows = list(self._windows.make(segments))
        if not windows:
            nothing = np.zeros((0, self.layout.width), np.float32)
            return self._readings(nothing, np.zeros(0, np.int64), np.zeros((0, 2), np.int64), len(segments))
        tokens = np.concatenate([self._infer(window.ids)[window.owned] for window in windows])
        owner = np.concatenate([window.segments for window in windows])
        return self._readings(tokens, owner, np.concatenate([window.spans for window in windows]), len(segments))

    def view(self, readings: Readings, members: NDArray[np.int64], *, sources: tuple[bool, bool]) -> ViewReading:
        """Gives logits and attention of the view that holds these segments."""
        return read_view(readings.segments, members, sources=sources, mixer=self._mixer, layout=self.layout)

    def _infer(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        row = torch.from_numpy(ids)[None]
        with torch.inference_mode():
            read: NDArray[np.float32] = self._reader(row, torch.ones_like(row))[0].numpy()
        return read

    def _readings(
        self, tokens: NDArray[np.float32], owner: NDArray[np.int64], spans: NDArray[np.int64], count: int
    ) -> Readings:
        layout = self.layout
        present, starts = np.unique(owner, return_index=True)
        pooled = pool_segments(tokens, starts.astype(np.int64), layout)
        mass = np.full((count, layout.n_slots), _SILENCE, np.float32)
        values = np.zeros((count, layout.n_values), np.float32)
        mass[present], values[present] = pooled.mass, pooled.values
        tags = torch.from_numpy(tokens[:, layout.n_slots + layout.n_values :])
        rivals, revisit = torch.softmax(tags[:, :-1], 1).numpy(), torch.sigmoid(tags[:, -1]).numpy()
        told = TokenTags(
            segments=owner, spans=spans, rivals=rivals, revisit=revisit, attention=tokens[:, : layout.n_slots]
        )
        return Readings(segments=SegmentReadings(mass=mass, values=values), tokens=told)


def main() -> None:
    """Reads held-out deals both ways and writes how far they differ."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description=main.__doc__)
    ask.add_argument(
        "--deals", type=int, default=0, help="held-out deals, drawn once and for all; default: all of them"
    )
    asked = ask.parse_args()
    record, bundle = Record(), read_bundle(find_default_bundle())
    deals = held_out(bundle, asked.deals)
    classifier, reference = LossClassifier.load(), TorchEncoder(bundle)
    ours = list(classifier.assess_many([one.deal for one in deals]))
    theirs = [classifier.decide(one.deal, read_views(reference, one.deal)) for one in deals]  # type: ignore[arg-type]
    share, by_field = same_fields(ours, theirs)
    quality, wanted = (evaluate([Judged(*pair) for pair in zip(deals, read, strict=True)]) for read in (ours, theirs))
    apart = {name: abs(quality[name] - wanted[name]) for name in wanted}
    record.write(
        Result(
            "exactness",
            "The same answers as in 32 bits",
            figures=[
                Figure("share of fields equal to torch in 32 bits", short(share), target=SAME_FIELDS),
                Figure(
                    "largest difference in the quality table",
                    short(max(apart.values())),
                    target=FIGURE_DIFFERENCE,
                    is_ceiling=True,
                ),
            ],
            rows=[
                {
                    "figure": name,
                    "lossnlp": short(quality[name]),
                    "torch, 32 bits": short(wanted[name]),
                    "apart": short(value),
                }
                for name, value in sorted(apart.items(), key=lambda pair: -pair[1])
            ],
            plots=[
                Plot(
                    "Share of deals with the same value",
                    ("", "share"),
                    {name: [(0, value)] for name, value in by_field.items()},
                )
            ],
            notes=[
                f"{len(deals)} held-out deals, both with the bundle's weights. A field is one value of an assessment; a set counts as one."
            ],
            options=vars(asked),
        )
    )


def held_out(bundle: Bundle, count: int) -> list[LabelledDeal]:
    """Gives the held-out deals that a bundle is measured on, or so many of them.

    Args:
        bundle: The bundle.
        count: At most so many, 0 for all.
    """
    config, _ = run_of(bundle)
    shown = find_shown(read_known(bundle), corpus_material(corpus_files(), config).held_out)
    return random.Random(0).sample(shown, min(count or len(shown), len(shown)))


def fields_of(assessment: Assessment) -> Iterator[tuple[str, object]]:
    """Gives each value that an assessment answers, by its name."""
    yield "primary reason", assessment.primary.code
    yield "reasons", {reason.code for reason in assessment.reasons}
    yield from ((f"meddpicc.{code}", reading.state) for code, reading in assessment.meddpicc.items())
    yield "attribution", assessment.attribution.value
    yield from ((name, getattr(assessment.flags, name).value) for name in type(assessment.flags).model_fields)
    yield "winback", assessment.winback.state
    yield "revisit on", assessment.winback.revisit_on
    yield "rivals", {(rival.name, rival.role) for rival in assessment.competitors}


def same_fields(ours: Sequence[Assessment], theirs: Sequence[Assessment]) -> tuple[float, dict[str, float]]:
    """Gives the share of equal values over all fields, and by field."""
    equal: dict[str, list[bool]] = {}
    for own, other in zip(ours, theirs, strict=True):
        for (name, value), (_, wanted) in zip(fields_of(own), fields_of(other), strict=True):
            equal.setdefault(name, []).append(value == wanted)
    every = [one for of_field in equal.values() for one in of_field]
    return sum(every) / len(every), {name: sum(of_field) / len(of_field) for name, of_field in equal.items()}


if __name__ == "__main__":
    main()
