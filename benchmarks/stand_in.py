"""A classifier for trials of the gate: it answers from the gold labels, errs as often as it is told to, and can be harmed on purpose."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lossnlp.assessment import Assessment, Competitor
from lossnlp.deal import Deal
from lossnlp.heads import ATTRIBUTIONS, WINBACKS
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from training.answers import Answer, as_assessment
from training.behaviour import Outcome, read_behaviour
from training.corpus import LabelledDeal, Labels

ACCEPTED_FROM = 0.77
_SECONDS = 0.02
_OTHER_CHECKS = 200


@dataclass(frozen=True)
class Harm:
    """What is wrong with a classifier.

    Args:
        flipped: Share of its answers, head by head, that are turned into wrong ones.
        collapsed: A reason it never gives, or an element it never calls a gap; empty for none.
        sharpened: What the logits of its confidences are multiplied by; 1 leaves them calibrated.
        slowed: How many times as long it takes.
    """

    flipped: float = 0.0
    collapsed: str = ""
    sharpened: float = 1.0
    slowed: float = 1.0


UNHARMED = Harm()


@dataclass(frozen=True)
class Skill:
    """How a classifier errs.

    Args:
        seed: Its own luck.
        shared: The luck of the classifier that it resembles.
        alike: Share of the deals on which it has that luck instead of its own, 0 to 1.
        mended: Share of the mistakes that it does not make, 0 to 1.
        harm: What is wrong with it.
    """

    seed: int
    shared: int = 0
    alike: float = 0.0
    mended: float = 0.0
    harm: Harm = UNHARMED

    def luck(self, place: str) -> random.Random:
        """Gives the luck it has in one place: its own, or that of the one it resembles."""
        is_alike = random.Random(f"alike {self.seed} {self.shared} {place}").random() < self.alike
        return random.Random(f"{self.shared if is_alike else self.seed} {place}")


class Seconds:
    """A clock that stand-ins move instead of taking time."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """Gives the time, in seconds."""
        return self._now

    def pass_by(self, seconds: float) -> None:
        """Moves the clock on."""
        self._now += seconds


class StandIn:
    """Assesses deals whose gold labels it holds.

    Args:
        gold: The deals.
        skill: How it errs.
        clock: The clock it moves.
    """

    def __init__(self, gold: Sequence[LabelledDeal], skill: Skill, clock: Seconds) -> None:
        self._labels: Mapping[str, Labels] = {one.deal.id: one.labels for one in gold}
        self._skill, self._clock = skill, clock
        self._taxonomy: Taxonomy = get_default_taxonomy()
        self._codes, self._elements = self._taxonomy.codes, self._taxonomy.element_codes

    def assess(self, deal: Deal) -> Assessment:
        """Gives an assessment after the time that it is said to take."""
        noise = random.Random(f"time {self._skill.seed} {deal.id}").gauss(0, 0.2)
        self._clock.pass_by(_SECONDS * self._skill.harm.slowed * math.exp(noise))
        answer = self._harmed(deal.id, self._answer(deal.id, self._labels[deal.id]))
        told = as_assessment(deal, answer, peer="stand-in", taxonomy=self._taxonomy)
        return told.model_copy(update={"accepted": ("primary_reason",) if answer.confidence >= ACCEPTED_FROM else ()})

    def _answer(self, deal_id: str, labels: Labels) -> Answer:
        luck, left = self._skill.luck(deal_id), 1 - self._skill.mended
        confidence = 1 - (1 - luck.betavariate(3.2, 1.0)) * left
        primary = labels.primary if luck.random() < confidence else self._other(luck, labels.primary)
        reasons = [code for code in labels.reasons if luck.random() >= 0.2 * left]
        reasons += [luck.choice(self._codes)] if luck.random() < 0.2 * left else []
        states = {
            code: "gap"
            for code in self._elements
            if (labels.meddpicc.get(code) == "gap") == (luck.random() >= _gap_error(labels, code) * left)
        }
        attribution = None
        if labels.attribution != "na":
            attribution = labels.attribution if luck.random() >= 0.07 * left else _another(luck, ATTRIBUTIONS, "none")
        thin = bool(labels.insufficient_detail) ^ (luck.random() < 0.03 * left)
        winback = labels.winback if luck.random() >= 0.1 * left else _another(luck, WINBACKS, labels.winback)
        rivals = [name for name in labels.competitors if luck.random() >= 0.13 * left]
        rivals += ["Nobody Ltd"] if luck.random() < 0.06 * left else []
        return Answer(
            primary=primary,
            confidence=confidence,
            reasons=reasons,
            states=states,  # type: ignore[arg-type]
            attribution=attribution,  # type: ignore[arg-type]
            insufficient_detail=thin,
            winback=winback,  # type: ignore[arg-type]
            competitors=tuple(_rival(name) for name in rivals),
        )

    def _harmed(self, deal_id: str, answer: Answer) -> Answer:
        harm, luck = self._skill.harm, random.Random(f"harm {self._skill.seed} {deal_id}")
        if harm.flipped:
            answer = self._flipped(answer, luck)
        if harm.collapsed:
            answer = self._without(answer, harm.collapsed)
        return replace(answer, confidence=_sharpened(answer.confidence, harm.sharpened))

    def _flipped(self, answer: Answer, luck: random.Random) -> Answer:
        """Gives the answer with each head wrong as often as the harm says."""
        heads = [luck.random() < self._skill.harm.flipped for _ in range(6)]
        code = self._other(luck, answer.primary)
        return replace(
            answer,
            primary=code if heads[0] else answer.primary,
            reasons=[code] if heads[1] else answer.reasons,
            states={} if heads[2] else answer.states,
            attribution=_another(luck, ATTRIBUTIONS, answer.attribution)
            if heads[3] and answer.attribution
            else answer.attribution,
            insufficient_detail=answer.insufficient_detail ^ heads[4],
            winback=_another(luck, WINBACKS, answer.winback) if heads[5] else answer.winback,
        )

    def _without(self, answer: Answer, label: str) -> Answer:
        """Gives the answer without a label; what was read as a reason is read as a neighbouring one."""
        into = next(code for code in self._codes if code != label)
        return replace(
            answer,
            primary=into if answer.primary == label else answer.primary,
            reasons=[into if code == label else code for code in answer.reasons],
            states={code: state for code, state in answer.states.items() if code != label},
        )

    def _other(self, luck: random.Random, code: str) -> str:
        return _another(luck, self._codes, code)


def stand_in_outcomes(skill: Skill) -> list[Outcome]:
    """Gives how the checks of behaviour go for a classifier: one in fifty fails, and those that its harm makes fail."""
    notes = read_behaviour().capability.notes
    groups = {**notes, "other checks": [f"check {place}" for place in range(_OTHER_CHECKS)]}
    found = []
    for name, checks in groups.items():
        failed = tuple(check for check in checks if name == skill.harm.collapsed or _fails(skill, check))
        found.append(Outcome("capability", name, len(checks) - len(failed), len(checks), 0.9, failed))
    return found


def _fails(skill: Skill, check: str) -> bool:
    flips = random.Random(f"harm {skill.seed} {check}").random() < skill.harm.flipped
    return flips or skill.luck(check).random() < 0.02 * (1 - skill.mended)


def _gap_error(labels: Labels, code: str) -> float:
    return 0.2 if labels.meddpicc.get(code) == "gap" else 0.03


def _another(luck: random.Random, values: Sequence[str], value: str | None) -> str:
    return luck.choice([one for one in values if one != value])


def _sharpened(confidence: float, by: float) -> float:
    inside = min(max(confidence, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-by * math.log(inside / (1 - inside))))


def _rival(name: str) -> Competitor:
    return Competitor(document_id="text", start=0, end=0, text=name, name=name, role="won", confidence=0.9)
