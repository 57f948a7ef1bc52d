"""The gate's door: `python -m training.promote` puts a challenger in the champion's place, or says why not.

Exit codes: 0 promoted, 1 refused, 2 not comparable or not asked rightly.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from lossnlp.bundle import MANIFEST, Bundle, find_default_bundle, read_bundle, sign_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.errors import LossNlpError
from lossnlp.signing import SIGNATURE, SIGNING_KEY, SIGNING_PASSWORD
from training import registry
from training.behaviour import check_behaviour, is_checkable, read_behaviour
from training.decision import Decision, decision_figures, decision_tags, decision_text, write_to_card
from training.examine import Examined, examine
from training.gate import GateError, Shown, rule
from training.golden import JudgedOn, golden_set, newest_verdicts
from training.learned import read_known

PROMOTED, REFUSED, NOT_COMPARED = 0, 1, 2
CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Asked:
    """What the gate was asked.

    Args:
        challenger: Bundle folder or version in the registry; empty: the one with the alias.
        golden: File of golden deals; None: the champion's held-out deals.
        verdicts: File of exported verdicts, or None.
        because: Reason to promote it whatever the gate says; empty: it decides.
        seed: Seeds the draws.
    """

    challenger: str = ""
    golden: Path | None = None
    verdicts: Path | None = None
    because: str = ""
    seed: int = 7


@dataclass(frozen=True)
class Pair:
    """The two bundles, checked."""

    champion: Bundle
    challenger: Bundle


def promote(asked: Asked) -> Decision:
    """Gives the decision on a challenger, after writing it into registry and card and, where it is promoted, moving the alias.

    Args:
        asked: What to compare, on what.

    Raises:
        LossNlpError: The two cannot be compared, and no reason was given to promote it all the same.
    """
    registry.connect()
    with tempfile.TemporaryDirectory() as scratch:
        pair = _find_pair(asked.challenger, Path(scratch))
        decision = _decide(pair, asked)
        _record(pair.challenger, decision)
    return decision


def _find_pair(challenger: str, scratch: Path) -> Pair:
    version = registry.find_alias(CHAMPION)
    champion = registry.fetch_bundle(version, scratch / CHAMPION) if version else find_default_bundle()
    pair = Pair(read_bundle(champion), read_bundle(_challenger_folder(challenger, scratch / CHALLENGER)))
    if pair.champion.manifest.version == pair.challenger.manifest.version:
        raise GateError(f"The challenger {pair.challenger.manifest.version} is in service already.", field="challenger")
    return pair


def _challenger_folder(named: str, scratch: Path) -> Path:
    if named and not named.isdigit():
        return Path(named)
    version = named or registry.find_alias(CHALLENGER)
    if version is None:
        raise GateError(
            "The registry has no challenger; train one, or name a bundle folder or a version.", field="challenger"
        )
    return registry.fetch_bundle(version, scratch)


def _decide(pair: Pair, asked: Asked) -> Decision:
    sides = pair.champion.manifest.version, pair.challenger.manifest.version
    try:
        golden, verdicts = _deals(pair, asked)
        ruling = rule(*_shown(pair, golden, verdicts), seed=asked.seed)
    except LossNlpError as error:
        if not asked.because:
            raise
        return Decision("forced", *sides, _now(), obstacle=error.message, because=asked.because)
    outcome = "promoted" if ruling.promotes else "forced" if asked.because else "refused"
    because = asked.because if outcome == "forced" else ""
    return Decision(outcome, *sides, _now(), ruling=ruling, because=because, golden=golden, verdicts=verdicts)  # type: ignore[arg-type]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _deals(pair: Pair, asked: Asked) -> tuple[JudgedOn, JudgedOn]:
    before, after = pair.champion.taxonomy, pair.challenger.taxonomy
    if (set(before.codes), set(before.element_codes)) != (set(after.codes), set(after.element_codes)):
        raise GateError(
            "The two bundles have other labels; figures of the one say nothing of the other.", field="taxonomy"
        )
    known = read_known(pair.champion), read_known(pair.challenger)
    golden = golden_set(asked.golden, pair.champion, known)
    return golden, newest_verdicts(asked.verdicts, golden.deals, known)


def _shown(pair: Pair, golden: JudgedOn, verdicts: JudgedOn) -> tuple[Shown, Shown]:
    readers = LossClassifier(pair.champion), LossClassifier(pair.challenger)
    first, second = examine(*readers, [*golden.deals, *verdicts.deals])
    count = len(golden.deals)
    return _one_shown(readers[0], first, count), _one_shown(readers[1], second, count)


def _one_shown(reader: LossClassifier, examined: Examined, golden: int) -> Shown:
    """Gives what a bundle showed; the first `golden` deals are the golden ones."""
    return Shown(
        version=reader.model_version,
        golden=examined.judged[:golden],
        seconds=examined.seconds[:golden],
        behaviour=check_behaviour(reader, read_behaviour()) if is_checkable(reader.taxonomy) else (),
        verdicts=examined.judged[golden:],
    )


def _record(challenger: Bundle, decision: Decision) -> None:
    """Writes card and registry first and moves the alias last, so that who follows the alias meets a whole bundle."""
    write_to_card(challenger.folder, decision)
    signature = _sign(challenger.folder) if decision.outcome != "refused" else ()
    version = registry.find_version_of(challenger.manifest.version)
    if version is None:
        with mlflow.start_run(run_name="gate"):
            version = registry.register_bundle(challenger.folder)
    else:
        registry.replace_files(version, challenger.folder, ("MODEL_CARD.md", MANIFEST, *signature))
    place = f"gate/{decision.decided_at.replace(':', '')}"
    figures = json.dumps(decision_figures(decision), indent=1)
    registry.record_texts(version, {f"{place}.md": decision_text(decision), f"{place}.json": figures})
    registry.tag_version(version, decision_tags(decision))
    if decision.outcome != "refused":
        registry.give_alias(CHAMPION, version)
        if registry.find_alias(CHALLENGER) == version:
            registry.take_alias(CHALLENGER)


def _sign(challenger: Path) -> tuple[str, ...]:
    """Gives the name of the signature it has made; none where LOSSNLP_SIGNING_KEY names no key."""
    key = os.environ.get(SIGNING_KEY)
    if not key:
        return ()
    sign_bundle(challenger, Path(key), password=os.environ.get(SIGNING_PASSWORD))
    return (SIGNATURE,)


def _asked(arguments: Sequence[str] | None) -> Asked:
    ask = argparse.ArgumentParser(
        prog="python -m training.promote",
        description="Compares a challenger with the bundle in service and puts it in its place where nothing is lost and something won. "
        "What is promoted is signed with the key file that LOSSNLP_SIGNING_KEY names.",
    )
    ask.add_argument(
        "challenger", nargs="?", default="", help="bundle folder or version; default: the alias challenger"
    )
    ask.add_argument("--golden", type=Path, help="file of labelled deals; default: the champion's held-out deals")
    ask.add_argument("--verdicts", type=Path, help="file of `lossnlp-serve verdicts export`")
    ask.add_argument("--seed", type=int, default=Asked().seed, help="seeds the draws (default: %(default)s)")
    ask.add_argument("--force", action="store_true", help="promote it whatever the gate says; needs --because")
    ask.add_argument("--because", default="", help="the reason, which is kept")
    asked = ask.parse_args(arguments)
    because = asked.because.strip()
    if asked.force != bool(because):
        ask.error("--force needs a reason with --because, and --because stands with --force alone")
    return Asked(asked.challenger, asked.golden, asked.verdicts, because, asked.seed)


def put_before_the_gate(asked: Asked) -> int:
    """Prints the decision and gives the exit code: 0 promoted, 1 refused, 2 not comparable.

    Args:
        asked: What to compare, on what.
    """
    try:
        decision = promote(asked)
    except LossNlpError as error:
        sys.stderr.write(f"training.promote: {error.message}\n")
        return NOT_COMPARED
    except MlflowException as error:
        sys.stderr.write(f"training.promote: the registry did not answer as asked: {error.message}\n")
        return NOT_COMPARED
    sys.stdout.write(decision_text(decision))
    return REFUSED if decision.outcome == "refused" else PROMOTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks the gate what the command line says, prints the decision and gives the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    return put_before_the_gate(_asked(arguments))


if __name__ == "__main__":
    sys.exit(main())
