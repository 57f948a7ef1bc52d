"""The head of a model card that programs read: licence, language, base model and figures in the form of the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from lossnlp.bundle import Manifest

_LICENSE = "apache-2.0"
_TASK = "text-classification"
_TAGS = ["sales", "win-loss", "crm", "meddpicc", "openvino"]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# Our figure: the hub's name of what it measures
_METRICS = {
    "primary.accuracy": "accuracy",
    "primary.macro_f1": "f1",
    "reasons.micro_f1": "f1",
    "meddpicc.gap_micro_f1": "f1",
    "competitors.micro_f1": "f1",
}


def card_header(manifest: Manifest, figures: Mapping[str, Mapping[str, float]], *, is_ours: bool) -> str:
    """Gives the YAML between two lines of dashes that a model card begins with.

    Args:
        manifest: Of the bundle.
        figures: Figures on held-out deals, by group of deals; those of all deals are named.
        is_ours: Whether our corpus alone taught it. Under which licence a model of a company's own deals stands is theirs to say.

    Source: https://huggingface.co/docs/hub/model-cards#model-card-metadata
    """
    results = list(_results(manifest, figures.get("all", {})))
    data = ModelCardData(
        base_model=_base_model(manifest.encoder),
        eval_results=results or None,
        language="en",
        library_name="lossnlp",
        license=_LICENSE if is_ours else None,
        metrics=sorted({one.metric_type for one in results}) or None,
        model_name=f"lossnlp {manifest.version}",
        pipeline_tag=_TASK,
        tags=list(_TAGS),
    )
    return f"---\n{data.to_yaml(line_break=chr(10)).rstrip()}\n---\n"


def _results(manifest: Manifest, figures: Mapping[str, float]) -> Iterator[EvalResult]:
    for name, metric in _METRICS.items():
        if name in figures:
            yield EvalResult(
                task_type=_TASK,
                dataset_type="lossnlp-corpus",
                dataset_name=f"Held-out deals of corpus {manifest.corpus}",
                metric_type=metric,
                metric_value=round(figures[name], 3),
                metric_name=name,
            )


def _base_model(encoder: str) -> str | None:
    """Gives the encoder's name on the hub; None where it is a folder."""
    return encoder if _HUB_NAME.fullmatch(encoder) and not Path(encoder).is_dir() else None
