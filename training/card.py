"""The model card: what a bundle was made from, how right it is, and where it should not be trusted; written from the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lossnlp.bundle import Manifest
from lossnlp.calibration import Calibration
from training.behaviour import Outcome
from training.card_header import card_header
from training.config import TrainConfig
from training.pictures import CONFUSION, LABELS, RELIABILITY, RISK_COVERAGE

_INTRO = """# Model card: {version}

Reads closed-lost B2B deals (rep notes, calls, buyer interviews, mail threads) in English and gives loss reasons, a MEDDPICC gap
profile, attribution, win-back, rivals and evidence. Meant for learning from losses, never for judging a person's work.

- Encoder it began from: `{encoder}`, {layers}
- Weights as stored: {quantization}; windows of {max_tokens} tokens
- Labels: taxonomy version {taxonomy}
- Made at: {made_at}; corpus {corpus} ({learned} deals learned from, {held_out} held out for calibration and evaluation{verdicts})
{stage}"""
_STAGE = """- Learned from few labels by the stage `{stage}`: a reason is read in the mean of all tokens, so its quotes are the longest
  stretches, not the telling ones
"""
_HEADS = """- Its heads alone were learned anew, from {start}; the encoder is as it was
"""
_PICTURES = f"""## How far confidence can be trusted

![Confidence of the primary reason against the share that was right]({RELIABILITY})

![Share of wrong primary reasons when only the surest are answered]({RISK_COVERAGE})

## Which reasons are read well

![F1 of each primary reason]({LABELS})

![Primary reasons as labelled against those read]({CONFUSION})
"""
_LIMITS = """## Limits

- Trained on text written for this purpose, not on any company's deals; figures on real deals of another company will differ. Retrain
  on verdicts before trusting it beyond review.
- English only. Text in another language or script is answered, but always waits for a person.
- A label marked "always a person", and one that is not listed, did not reach the target precision on held-out deals or occurred too
  rarely among them to tell. Thresholds of rare labels rest on few deals and may promise more than they hold.
"""


@dataclass(frozen=True)
class RunRecord:
    """What a run leaves for the card.

    Args:
        config: The settings.
        learned: Deals learned from.
        held_out: Deals held out.
        baseline: The baseline's figures on the same deals.
        verdicts: How many of both were judged by people at work.
        left_out: How many of those held out share words or account with deals learned from, and are not measured on.
    """

    config: TrainConfig
    learned: int
    held_out: int
    baseline: Mapping[str, float]
    verdicts: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Measured:
    """What was measured of a bundle.

    Args:
        figures: Figures on held-out deals, by group of deals.
        behaviour: How the checks of behaviour went; empty for a bundle with other labels than theirs.
    """

    figures: Mapping[str, Mapping[str, float]]
    behaviour: Sequence[Outcome] = ()


def write_card(
    folder: Path,
    *,
    manifest: Manifest,
    calibration: Calibration,
    record: RunRecord,
    measured: Measured,
) -> None:
    """Writes MODEL_CARD.md into a bundle folder.

    Args:
        folder: The bundle.
        manifest: Its manifest.
        calibration: Its thresholds.
        record: The run.
        measured: What was measured of the bundle.
    """
    config = record.config
    head = _INTRO.format(
        version=manifest.version,
        encoder=manifest.encoder,
        layers=f"lowest {config.layers} layers" if config.layers else "all layers",
        quantization=config.quantization,
        max_tokens=manifest.max_tokens,
        taxonomy=manifest.taxonomy_version,
        made_at=manifest.made_at,
        corpus=manifest.corpus,
        learned=record.learned,
        held_out=record.held_out,
        stage=_learned_by(config),
        verdicts=f"; {record.verdicts} of them are verdicts of people at work" if record.verdicts else "",
    )
    header = card_header(manifest, measured.figures, is_ours=not record.verdicts)
    parts = [header, head, _figures(measured.figures, record), _PICTURES]
    parts += [_behaviour(measured.behaviour)] if measured.behaviour else []
    parts += [_thresholds(calibration, config.target_precision), _LIMITS]
    (folder / "MODEL_CARD.md").write_text("\n".join(parts), encoding="utf-8")


def _learned_by(config: TrainConfig) -> str:
    if config.few_labels != "off":
        return _STAGE.format(stage=config.few_labels)
    return _HEADS.format(start=config.start) if config.learns == "heads" else ""


def _figures(figures: Mapping[str, Mapping[str, float]], record: RunRecord) -> str:
    groups = list(figures)
    names = sorted({name for named in figures.values() for name in named})
    rows = [
        [name, *(_number(figures[group].get(name)) for group in groups), _number(record.baseline.get(name))]
        for name in names
    ]
    note = (
        "Measured on the held-out deals with the exported weights. Calibration and thresholds were fitted on one half and "
        "measured on the other, both ways round. The baseline stands for what can be had without a network: TF-IDF with logistic "
        "regression, learned from the same deals, for what is chosen; the shipped word rules alone for rivals and come-back "
        "phrases; the sentence that speaks loudest for the chosen reason for evidence. It is measured on the same deals.\n"
    )
    if record.left_out:
        note += (
            f"\n{record.left_out} of the {record.held_out} held-out deals share their words, account or pair with deals that were learned "
            "from, and are not measured on.\n"
        )
    return "## Figures on held-out deals\n\n" + note + "\n" + _table(["figure", *groups, "baseline"], rows)


def _behaviour(outcomes: Sequence[Outcome]) -> str:
    rows = [[one.kind, one.name, f"{one.passed} of {one.total}"] for one in outcomes]
    note = (
        "Plain notes that have to be read right, changes that have to leave primary reason and attribution as they are, and "
        "additions that have to move a value one way (`python -m training.behaviour`).\n"
    )
    return "## Behaviour\n\n" + note + "\n" + _table(["kind", "what", "held"], rows)


def _thresholds(calibration: Calibration, target: float) -> str:
    rows = [
        [f"`{name}`", "always a person" if threshold is None else f"{threshold:.2f}"]
        for name, threshold in sorted(calibration.accept.items())
    ]
    note = (
        "Confidence from which a value is written without a person: the lower end (one-sided, 80 %) of its precision on held-out "
        f"deals reaches {target:.2f}.\n"
    )
    return "## Thresholds\n\n" + note + "\n" + _table(["value", "threshold"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
