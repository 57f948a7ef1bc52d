"""Calibration on held-out deals: probabilities that hold, cuts that fit, and thresholds for a stated precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from lossnlp.calibration import Calibration, Curve, EvidenceRule, Temperature
from lossnlp.classifier import LossClassifier
from lossnlp.decisions import Decisions
from lossnlp.heads import ATTRIBUTIONS, WINBACKS
from lossnlp.quotes import QuoteCutter
from lossnlp.reading import SOURCES, DealReading, View
from training.acceptance import acceptance
from training.corpus import LabelledDeal, Labels
from training.metrics import Judged, evidence_score, micro_f1, phrase_f1, phrases, rival_names

MIN_VALUES = 12
_GRID = np.round(np.arange(0.15, 0.86, 0.025), 3)
_SPREAD = 1e-3
_PULL = 3.0
_TAG_CUTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ReadDealGold:
    """A held-out deal as the shipped network reads it, with its gold labels."""

    labelled: LabelledDeal
    reading: DealReading

    def views(self) -> Iterator[tuple[View, Labels]]:
        """Gives each view with its own labels."""
        labelled, reading = self.labelled, self.reading
        if reading.note is not None and labelled.note is not None:
            yield reading.note, labelled.note
        if reading.buyer is not None and labelled.buyer is not None:
            yield reading.buyer, labelled.buyer
        if reading.note is not None and reading.buyer is not None:
            yield reading.whole, labelled.labels


def calibrate(classifier: LossClassifier, deals: Sequence[ReadDealGold], *, target_precision: float) -> Calibration:
    """Gives the calibration that fits held-out deals.

    Args:
        classifier: The exported network; its own calibration is not used.
        deals: Held-out deals, read by this classifier.
        target_precision: Share of accepted values that must be right, 0 to 1.
    """
    calibration = _curves(classifier, deals)
    calibration = calibration.model_copy(update={"cuts": _cuts(classifier, deals, calibration)})
    calibration = _with_conflict(classifier, deals, calibration)
    calibration = calibration.model_copy(update={"evidence": _evidence_rule(classifier, deals)})
    calibration = _with_tag_cuts(classifier, deals, calibration)
    judged = judge(classifier, deals, calibration)
    return calibration.model_copy(update={"accept": acceptance(judged, target_precision)})


def judge(classifier: LossClassifier, deals: Sequence[ReadDealGold], calibration: Calibration) -> list[Judged]:
    """Gives the assessments of deals that were read before, under another calibration."""
    other = classifier.with_calibration(calibration)
    return [Judged(gold.labelled, other.decide(gold.labelled.deal, gold.reading)) for gold in deals]


def _curves(classifier: LossClassifier, deals: Sequence[ReadDealGold]) -> Calibration:
    layout = Decisions(classifier.taxonomy, Calibration()).layout
    views = [pair for deal in deals for pair in deal.views()]
    logits = np.stack([view.reading.logits for view, _ in views])
    heads = {name: logits[:, where] for name, where in layout.outputs.items()}
    labels = [label for _, label in views]
    whole = np.array([not deal.labelled.is_partial for deal in deals for _ in deal.views()])
    notes = np.array([label.attribution != "na" for label in labels])
    detail = np.array([label.insufficient_detail is not None for label in labels])
    gold = {
        "reasons": np.array([[code in label.reasons for code in layout.reasons] for label in labels]),
        "gap": np.array([[label.meddpicc.get(code) == "gap" for code in layout.elements] for label in labels]),
        "covered": np.array([[label.meddpicc.get(code) == "covered" for code in layout.elements] for label in labels]),
    }
    known = {"reasons": np.ones_like(whole), "gap": whole, "covered": whole}
    curves = {
        name: fit_curve(heads[name][known[name]].ravel(), truth[known[name]].ravel()) for name, truth in gold.items()
    }
    thin = np.array([bool(label.insufficient_detail) for label in labels])
    curves["insufficient_detail"] = fit_curve(heads["insufficient_detail"][detail, 0], thin[detail])
    primary = np.array([layout.reasons.index(label.primary) for label in labels])
    common = fit_temperature(heads["primary"], primary)
    kinds = np.array([view.kind for view, _ in views])
    return Calibration(
        primary=common,
        primary_by_view={
            kind: fit_temperature(heads["primary"][kinds == kind], primary[kinds == kind], near=common)
            for kind in SOURCES
            if (kinds == kind).any()
        },
        attribution=fit_temperature(
            heads["attribution"][notes],
            [ATTRIBUTIONS.index(label.attribution) for label in labels if label.attribution != "na"],
        ),
        winback=fit_temperature(
            heads["winback"][whole],
            [WINBACKS.index(label.winback) for label, known in zip(labels, whole, strict=True) if known],
        ),
        curves=curves,
    )


def fit_temperature(
    logits: NDArray[np.floating], gold: Sequence[int] | NDArray[np.int64], *, near: Temperature | None = None
) -> Temperature:
    """Gives the temperature under which the gold classes are likeliest.

    Args:
        logits: Shape (values, classes).
        gold: Class of each value.
        near: A temperature to stay near to where the values are few, or None.
    """
    if not len(gold):
        return Temperature()

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        log_total = np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)) + scaled.max(1)
        pull = _PULL * np.log(temperature / near.value) ** 2 if near else 0.0
        return float((log_total - scaled[np.arange(len(gold)), gold]).sum() + pull)

    best = minimize_scalar(surprise, bounds=(0.25, 6.0), method="bounded")
    return Temperature(value=round(float(best.x), 4))


def fit_curve(logits: NDArray[np.floating], gold: NDArray[np.bool_]) -> Curve:
    """Gives the logistic curve under which the gold answers are likeliest; the plain one where there is nothing to fit on.

    Args:
        logits: Shape (values,).
        gold: Shape (values,).
    """
    if gold.all() or not gold.any():
        return Curve()

    def surprise(parameters: NDArray[np.floating]) -> float:
        scores = np.exp(parameters[0]) * logits + parameters[1]
        pull = _SPREAD * float((parameters**2).sum())
        return float(np.mean(np.logaddexp(0, scores) - gold * scores)) + pull

    best = minimize(surprise, np.zeros(2), method="Nelder-Mead")
    return Curve(scale=round(float(np.exp(best.x[0])), 4), shift=round(float(best.x[1]), 4))


def _cuts(classifier: LossClassifier, deals: Sequence[ReadDealGold], calibration: Calibration) -> dict[str, float]:
    """Gives one cut per head, where F1 over its labels is best; single labels are too few to have their own."""
    layout = Decisions(classifier.taxonomy, calibration).layout
    views = [pair for deal in deals for pair in deal.views()]
    whole = [pair for deal in deals if not deal.labelled.is_partial for pair in deal.views()]
    cuts: dict[str, float] = {}
    for head, codes, known in (
        ("reasons", layout.reasons, views),
        ("gap", layout.elements, whole),
        ("covered", layout.elements, whole),
    ):
        if not known:
            continue
        logits = np.stack([view.reading.logits[layout.outputs[head]] for view, _ in known])
        gold = np.array([[_has(label, head, code) for code in codes] for _, label in known])
        cut = best_cut(calibration.curve(head).probability(logits).ravel(), gold.ravel())
        cuts |= {f"{head}.{code}": cut for code in codes}
    noted = [(view, label) for view, label in views if label.insufficient_detail is not None]
    where = layout.outputs["insufficient_detail"]
    logits = np.array([view.reading.logits[where][0] for view, _ in noted])
    thin = np.array([bool(label.insufficient_detail) for _, label in noted])
    cuts["insufficient_detail"] = best_cut(calibration.curve("insufficient_detail").probability(logits), thin)
    return cuts


def _has(labels: Labels, head: str, code: str) -> bool:
    return code in labels.reasons if head == "reasons" else labels.meddpicc.get(code) == head


def best_cut(probabilities: NDArray[np.floating], gold: NDArray[np.bool_]) -> float:
    """Gives the probability from which saying yes gives the best F1; the middle of the best stretch of a grid."""
    if not gold.any():
        return 0.5
    scores = []
    for cut in _GRID:
        said = probabilities >= cut
        scores.append(2 * int((said & gold).sum()) / max(1, int(said.sum()) + int(gold.sum())))
    best = np.flatnonzero(np.array(scores) >= max(scores) - 0.002)
    return float(_GRID[best[len(best) // 2]])


def _with_conflict(classifier: LossClassifier, deals: Sequence[ReadDealGold], calibration: Calibration) -> Calibration:
    decisions = Decisions(classifier.taxonomy, calibration)
    pairs = [
        (decisions.conflict_logit(deal.reading.note, deal.reading.buyer), bool(deal.labelled.labels.rep_buyer_conflict))
        for deal in deals
        if deal.reading.note is not None and deal.reading.buyer is not None
    ]
    if len(pairs) < MIN_VALUES:
        return calibration
    curve = fit_curve(np.array([logit for logit, _ in pairs]), np.array([gold for _, gold in pairs]))
    probabilities = curve.probability(np.array([logit for logit, _ in pairs], dtype=np.float32))
    cut = best_cut(probabilities, np.array([gold for _, gold in pairs]))
    return calibration.model_copy(
        update={
            "curves": {**calibration.curves, "rep_buyer_conflict": curve},
            "cuts": {**calibration.cuts, "rep_buyer_conflict": cut},
        }
    )


def _evidence_rule(classifier: LossClassifier, deals: Sequence[ReadDealGold]) -> EvidenceRule:
    """Gives the rule whose quotes overlap best with the gold ones: word overlap, and half as much word recall."""
    rules = [
        EvidenceRule(margin=margin, gap=gap, share=share, most=most)
        for margin, gap, (share, most) in product(
            (1.0, 1.5, 2.0, 2.5, 3.0, 4.0), (1, 3), ((1.0, 1), (0.7, 2), (0.4, 2), (0.5, 3))
        )
    ]
    return max(rules, key=lambda rule: _quote_score(classifier, deals, rule))


def _quote_score(classifier: LossClassifier, deals: Sequence[ReadDealGold], rule: EvidenceRule) -> float:
    layout = Decisions(classifier.taxonomy, Calibration()).layout
    slots = {name: place for place, (name, _) in enumerate(layout.slots)}
    scores = []
    for deal in deals:
        view, reading = deal.reading.whole, deal.reading
        cutter = QuoteCutter(reading.read.segments, reading.readings.tokens, rule)
        for key, quotes in deal.labelled.labels.evidence.items():
            code = key.removeprefix("meddpicc.")
            name = key if code == key else f"{deal.labelled.labels.meddpicc.get(code)}.{code}"
            if name in slots:
                shown = cutter.cut(slots[name], view.members, view.reading.weights[:, slots[name]])
                scores.append(evidence_score(quotes, shown))
    return fmean(iou + 0.5 * recall for iou, recall in scores) if scores else 0.0


def _with_tag_cuts(classifier: LossClassifier, deals: Sequence[ReadDealGold], calibration: Calibration) -> Calibration:
    """Gives the calibration with the cuts under which rivals and come-back phrases have the best F1."""
    lowest = {"rival": _TAG_CUTS[0], "revisit": _TAG_CUTS[0]}
    known = [deal for deal in deals if not deal.labelled.is_partial]
    if not known:
        return calibration
    judged = judge(classifier, known, calibration.model_copy(update={"cuts": calibration.cuts | lowest}))

    def rivals_at(cut: float) -> float:
        return micro_f1([rival_names(one, at_least=cut) for one in judged])

    def phrases_at(cut: float) -> float:
        return phrase_f1([phrases(one, at_least=cut) for one in judged])

    best = {"rival": max(_TAG_CUTS, key=rivals_at), "revisit": max(_TAG_CUTS, key=phrases_at)}
    return calibration.model_copy(update={"cuts": calibration.cuts | best})
