"""How often the gate lets a challenger through: harmed, equal and better ones. `python -m benchmarks.gate_trials`.

Stand-ins answer the held-out deals of the corpus from their gold labels with set errors; what they say goes through the gate as it is.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial

from benchmarks.stand_in import UNHARMED, Harm, Seconds, Skill, StandIn, stand_in_outcomes
from lossnlp.taxonomy import get_default_taxonomy
from training.config import TrainConfig
from training.corpus import LabelledDeal, corpus_files
from training.examine import examine
from training.gate import Ruling, Shown, rule
from training.material import corpus_material

_SHARPENED = 3.0
_BETTER = 0.5
_VERDICTS = 60


@dataclass(frozen=True)
class Trial:
    """One kind of challenger.

    Args:
        name: What it is.
        harm: What is wrong with it.
        mended: Share of the champion's mistakes that it does not make.
        alike: Share of the deals on which it has the champion's luck.
        deals: Most golden deals.
    """

    name: str
    harm: Harm = UNHARMED
    mended: float = 0.0
    alike: float = 0.6
    deals: int = 2000


FLIPPED = Trial("a tenth of its answers flipped", Harm(flipped=0.1))
COLLAPSED = Trial("one label collapsed", Harm(collapsed="each"))
MISCALIBRATED = Trial("miscalibrated", Harm(sharpened=_SHARPENED))
SLOWED = Trial("slower by 2x", Harm(slowed=2.0))
HARMED = (FLIPPED, COLLAPSED, MISCALIBRATED, SLOWED)
BETTER_BUT_HARMED = tuple(
    replace(one, name=f"half of all mistakes mended, but {one.name}", mended=_BETTER) for one in HARMED[1:]
)
EQUAL = (
    Trial("equal, with its luck on 6 deals of 10", deals=400),
    Trial("equal, with none of its luck", alike=0.0, deals=400),
    Trial("equal, with its luck on 6 deals of 10, all golden deals"),
)
BETTER = (
    Trial("a fifth of all mistakes mended", mended=0.2),
    Trial("a third of all mistakes mended", mended=0.33),
    Trial("a third of all mistakes mended, 200 golden deals", mended=0.33, deals=200),
)


@cache
def golden_deals() -> list[LabelledDeal]:
    """Gives the held-out deals of the corpus."""
    return corpus_material(corpus_files(), TrainConfig()).held_out


def run_trial(trial: Trial, seed: int) -> Ruling:
    """Gives the gate's ruling in one trial.

    Args:
        trial: The kind of challenger.
        seed: Its luck, the champion's luck and the gate's draws.
    """
    deals = golden_deals()[: trial.deals]
    harm = replace(trial.harm, collapsed=_label(seed)) if trial.harm.collapsed else trial.harm
    champion = Skill(seed=2 * seed)
    challenger = Skill(2 * seed + 1, shared=2 * seed, alike=trial.alike, mended=trial.mended, harm=harm)
    clock = Seconds()
    seen = examine(StandIn(deals, champion, clock), StandIn(deals, challenger, clock), deals, clock=clock)
    sides = (("champion", champion), ("challenger", challenger))
    first, second = (
        Shown(name, one.judged, one.seconds, stand_in_outcomes(skill), one.judged[:_VERDICTS])
        for one, (name, skill) in zip(seen, sides, strict=True)
    )
    return rule(first, second, seed=seed)


def _label(seed: int) -> str:
    taxonomy = get_default_taxonomy()
    labels = (*taxonomy.codes, *taxonomy.element_codes)
    return labels[seed % len(labels)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table: kind of challenger, trials, promoted, better beyond luck, what refused most of them."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.gate_trials", description=main.__doc__)
    ask.add_argument("--harmed", type=int, default=40, help="trials of each harmed challenger (default: %(default)s)")
    ask.add_argument("--equal", type=int, default=400, help="trials of each equal one (default: %(default)s)")
    ask.add_argument("--better", type=int, default=40, help="trials of each better one (default: %(default)s)")
    ask.add_argument("--processes", type=int, default=1)
    asked = ask.parse_args(arguments)
    logging.getLogger("training").setLevel(logging.WARNING)
    print("| challenger | trials | promoted | better in something | what broke, most often first |")
    print("| --- | --- | --- | --- | --- |")
    kinds = ((HARMED, asked.harmed), (BETTER_BUT_HARMED, asked.harmed), (EQUAL, asked.equal), (BETTER, asked.better))
    with ProcessPoolExecutor(asked.processes) as pool:
        for trials, count in kinds:
            for trial in trials if count else ():
                print(
                    _line(trial, list(pool.map(partial(_outcome, trial), range(1, count + 1), chunksize=5))), flush=True
                )


Result = tuple[bool, bool, tuple[str, ...]]


def _outcome(trial: Trial, seed: int) -> Result:
    ruling = run_trial(trial, seed)
    broken = dict.fromkeys("recall of a label" if name.startswith("recall.") else name for name in ruling.broken)
    return ruling.promotes, bool(ruling.better), tuple(broken)


def _line(trial: Trial, results: Sequence[Result]) -> str:
    broken = Counter(name for _, _, names in results for name in names)
    most = ", ".join(f"{name} {count}" for name, count in broken.most_common(4))
    promoted, better = sum(one[0] for one in results), sum(one[1] for one in results)
    return f"| {trial.name} | {len(results)} | {promoted} | {better} | {most} |"


if __name__ == "__main__":
    main()
