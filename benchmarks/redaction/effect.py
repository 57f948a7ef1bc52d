"""What redaction does to the bundle: its figures on held-out deals, raw and redacted."""

from __future__ import annotations

from dataclasses import replace

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.redacted_deal import RedactedDeal
from training.config import run_of
from training.corpus import LabelledDeal, Labels, corpus_files
from training.evaluate import find_shown, judge_crosswise, read_gold
from training.learned import read_known
from training.material import corpus_material
from training.metrics import evaluate


def compare(most: int) -> dict[str, dict[str, float]]:
    """Gives each figure of the bundle on raw and on redacted deals, and the difference.

    Args:
        most: Most held-out deals to read; they are taken at even distances.
    """
    bundle = read_bundle(find_default_bundle())
    config, _ = run_of(bundle)
    shown = find_shown(read_known(bundle), corpus_material(corpus_files(), config, None).held_out)
    deals = shown[:: max(1, len(shown) // most)][:most]
    classifier = LossClassifier(bundle)
    figures = []
    for some in (deals, [_redacted(one) for one in deals]):
        judged = judge_crosswise(classifier, read_gold(classifier, some), target=config.target_precision)
        figures.append(evaluate(judged))
    raw, redacted = figures
    rows = {
        name: {"raw": value, "redacted": redacted[name], "change": redacted[name] - value}
        for name, value in raw.items()
    }
    return {"deals": {"count": len(deals)}, **rows}


def _redacted(labelled: LabelledDeal) -> LabelledDeal:
    """Gives the deal redacted, and its labels by the same map, so that like is compared with like.

    The rivals' names survive where redaction finds them by itself, as it would unlabelled.
    """
    redacted = RedactedDeal(labelled.deal)
    speakers = tuple(one.model_copy(update={"speaker": redacted.words(one.speaker)}) for one in labelled.speakers)
    return replace(labelled, deal=redacted.deal, labels=_relabelled(labelled.labels, redacted), speakers=speakers)


def _relabelled(labels: Labels, redacted: RedactedDeal) -> Labels:
    """Gives labels whose quotes stand as the redacted deal has them."""
    evidence = {code: tuple(map(redacted.words, quotes)) for code, quotes in labels.evidence.items()}
    return labels.model_copy(
        update={"evidence": evidence, "revisit": labels.revisit and redacted.words(labels.revisit)}
    )
