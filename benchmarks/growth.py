"""How cost grows: with notes, with the words of a transcript, with cores, with the deals of a call, with what the database holds.

Run: python -m benchmarks.growth [--notes 10000] [--words 100000] [--stored 100000] [--rounds 5]. Writes JSON.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.material import as_deals, notes, transcript
from benchmarks.page_latency import fill, reading
from benchmarks.peer_process import started_peers
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.speed_peers import OURS
from benchmarks.turns import ROUNDS, Turn, fit_exponent, short, spread, take_turns, timed
from lossnlp import Assessment, Deal, LossClassifier
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.intake import Intake
from serving.metrics import Metrics
from serving.review.queue import Asked, find_page
from serving.review.queue_view import QueueView
from serving.schema import migrate
from serving.store import Database, now

EXPONENT = 1.05
FEWEST_WORDS = 1_000  # shorter transcripts cost what a deal costs at all
ROUND_DEALS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TAKEN_IN = 20
_Sizes = Mapping[int, Sequence[float]]


class Ready:
    """An assessor whose answer is ready: what storing costs is measured, not reading."""

    model_version = "m-1"

    @property
    def taxonomy(self) -> Taxonomy:
        """The shipped labels."""
        return get_default_taxonomy()

    def assess(self, deal: Deal, /) -> Assessment:
        """Gives the same assessment of any deal."""
        elements = dict.fromkeys(self.taxonomy.element_codes, "gap")
        return Assessment.model_validate(reading(deal.id, self.taxonomy.codes[0], 0.6, elements))


@dataclass(frozen=True)
class Found:
    """What was measured: for each size the rounds' seconds, notes a second or, of the database, milliseconds by what was done."""

    notes: _Sizes
    words: _Sizes
    calls: _Sizes
    cores: _Sizes
    stored: Mapping[str, _Sizes]


def main() -> None:
    """Measures each kind of growth and writes the exponents."""
    asked = _read_arguments()
    record, classifier = Record(), LossClassifier.load()
    list(classifier.assess_many(as_deals(notes(16))))
    found = Found(
        notes=_notes(classifier, steps(100, asked.notes), asked.rounds),
        words=_words(classifier, steps(1, asked.words), asked.rounds),
        calls=_calls(classifier, as_deals(notes(asked.each)), asked.rounds),
        cores=_cores(notes(asked.each), asked.rounds),
        stored=_stored(steps(1_000, asked.stored), asked.rounds),
    )
    fewest_words = min(FEWEST_WORDS, asked.words // 10)
    record.write(
        Result(
            "growth",
            "How cost grows",
            figures=_figures(found, fewest_words),
            rows=_rows(found),
            plots=_plots(found),
            notes=[
                f"Exponents by least squares on logarithms over all sizes run; of words from {fewest_words:,} on.",
                f"Run: up to {asked.notes:,} notes, {asked.words:,} words, {asked.stored:,} stored assessments.",
            ],
            options=vars(asked),
        )
    )


def _read_arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=main.__doc__)
    for name, most, meaning in (
        ("--notes", 10_000, "most notes, in steps of ten from 100"),
        ("--words", 100_000, "most words of a transcript"),
        ("--stored", 100_000, "most stored assessments, from 1,000"),
        ("--rounds", ROUNDS, "rounds, in turns"),
        ("--each", 512, "notes read in calls of 1 to 512, and on 1 and 2 cores"),
    ):
        ask.add_argument(name, type=int, default=most, help=f"{meaning} (default: %(default)s)")
    return ask.parse_args()


def _figures(found: Found, fewest_words: int) -> list[Figure]:
    exponents = {
        "notes": fit_exponent(_medians(found.notes)),
        "words of a transcript": fit_exponent(_medians(found.words), least=fewest_words),
        **{f"stored assessments, {what}": fit_exponent(_medians(sizes)) for what, sizes in found.stored.items()},
    }
    cores = _medians(found.cores)
    return [
        *(
            Figure(f"exponent of cost over {name}", round(value, 3), target=EXPONENT, is_ceiling=True)
            for name, value in exponents.items()
        ),
        Figure("two cores read, times one", short(cores[2] / cores[1])),
    ]


def _rows(found: Found) -> list[dict[str, Any]]:
    tables = {
        "notes, s": found.notes,
        "words of a transcript, s": found.words,
        "deals a call, notes a second": found.calls,
        "cores, notes a second": found.cores,
        **{f"stored assessments, ms an {what}": sizes for what, sizes in found.stored.items()},
    }
    return [
        {"of": name, "size": size, **spread(values)} for name, sizes in tables.items() for size, values in sizes.items()
    ]


def _plots(found: Found) -> list[Plot]:
    read = {"notes": found.notes, "words": found.words}
    cores = {f"{count} cores": [(0, value)] for count, value in _medians(found.cores).items()}
    return [
        Plot("Reading time", ("notes, or words of one transcript", "s"), _lines(read), "log"),
        Plot("Deals a call of assess_many", ("deals", "notes a second"), _lines({"lossnlp": found.calls}), "log"),
        Plot("Cores", ("", "notes a second"), cores),
        Plot("Database", ("stored assessments", "ms"), _lines(found.stored), "log"),
    ]


def _lines(tables: Mapping[str, _Sizes]) -> dict[str, list[tuple[float, float]]]:
    return {name: list(_medians(sizes).items()) for name, sizes in tables.items()}


def steps(least: int, most: int) -> list[int]:
    """Gives the sizes up to the most in steps of ten, none below the least but the two largest."""
    sizes = [most, most // 10]
    while sizes[-1] // 10 >= least:
        sizes.append(sizes[-1] // 10)
    return sizes[::-1]


def _medians(found: _Sizes) -> dict[float, float]:
    return {size: spread(values)["median"] for size, values in found.items()}


def _in_turns(actions: Mapping[int, Callable[[], object]], rounds: int) -> dict[int, list[float]]:
    takers = {str(size): partial(timed, action) for size, action in actions.items()}
    return {int(size): [turn.wall_s for turn in turns] for size, turns in take_turns(takers, rounds=rounds).items()}


def _notes(classifier: LossClassifier, sizes: Sequence[int], rounds: int) -> _Sizes:
    deals = as_deals(notes(sizes[-1]))

    def read(count: int) -> None:
        for _ in classifier.assess_many(deals[:count]):
            pass

    return _in_turns({size: partial(read, size) for size in sizes}, rounds)


def _words(classifier: LossClassifier, sizes: Sequence[int], rounds: int) -> _Sizes:
    return _in_turns({size: partial(classifier.assess, transcript(size)) for size in sizes}, rounds)


def _calls(classifier: LossClassifier, deals: Sequence[Deal], rounds: int) -> _Sizes:
    """Gives notes a second where so many deals are given to each call."""

    def read(at_once: int) -> None:
        for low in range(0, len(deals), at_once):
            list(classifier.assess_many(deals[low : low + at_once]))

    took = _in_turns({size: partial(read, size) for size in ROUND_DEALS if size <= len(deals)}, rounds)
    return {size: [len(deals) / seconds for seconds in values] for size, values in took.items()}


def _cores(texts: Sequence[str], rounds: int) -> _Sizes:
    with started_peers([OURS], texts, cores=1) as (one, _), started_peers([OURS], texts, cores=2) as (two, _):
        takers: dict[str, Callable[[], Turn]] = {"1": one[OURS].take_turn, "2": two[OURS].take_turn}
        turns = take_turns(takers, rounds=rounds)
    return {int(cores): [turn.per_s for turn in of_one] for cores, of_one in turns.items()}


def _stored(sizes: Sequence[int], rounds: int) -> dict[str, _Sizes]:
    """Gives how long one intake and one page of the queue take over so many stored assessments, in ms."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {size: stack.enter_context(_filled(folder / f"{size}.sqlite3", size)) for size in sizes}
        takes = {size: partial(_take_in, Intake(Ready(), database, Metrics())) for size, database in databases.items()}
        looks = {size: partial(_look, database) for size, database in databases.items()}
        for action in (*takes.values(), *looks.values()):
            action()
        found = {"intake": _in_turns(takes, rounds), "queue page": _in_turns(looks, rounds)}
    shared = {"intake": _TAKEN_IN, "queue page": 1}
    return {
        what: {size: [1000 * seconds / shared[what] for seconds in values] for size, values in of_sizes.items()}
        for what, of_sizes in found.items()
    }


@contextmanager
def _filled(path: Path, deals: int) -> Iterator[Database]:
    url = f"sqlite:///{path}"
    migrate(url)
    database = Database(url)
    fill(database, deals)
    yield database
    database.close()


def _take_in(intake: Intake) -> None:
    for deal in as_deals(notes(_TAKEN_IN), prefix=uuid4().hex):
        intake.take_deal(deal)


def _look(database: Database) -> None:
    with database.reading() as session:
        find_page(session, Asked(person_id=1, view=QueueView(), at=now()))


if __name__ == "__main__":
    main()
