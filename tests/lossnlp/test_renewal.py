from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import spacy
from spacy.language import Language

from lossnlp.competitors import RivalFinder
from lossnlp.renewal import Renewed


def renewed(max_new_words: int) -> Renewed[None]:
    def build() -> tuple[Language, None]:
        return spacy.blank("en"), None

    return Renewed(build, max_new_words=max_new_words)


def new_words(start: int, count: int) -> str:
    return " ".join(f"word{number}x" for number in range(start, start + count))


def test_pipeline_stays_for_few_words() -> None:
    pipelines = renewed(5_000)
    first, _ = pipelines.get()
    first(new_words(0, 10))
    assert pipelines.get()[0] is first


def test_new_words_never_pile_up() -> None:
    pipelines = renewed(500)
    start_size = len(pipelines.get()[0].vocab.strings)
    for start in range(0, 2_000, 100):
        pipelines.get()[0](new_words(start, 100))
    assert len(pipelines.get()[0].vocab.strings) < start_size + 1_500


def test_threads_find_the_same_rivals() -> None:
    finder = RivalFinder(["Rostera"])
    notes = [f"Lost to Rostera{' again' * number}. We were undercut by Gong." for number in range(40)]
    alone = [finder.find(note) for note in notes]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(finder.find, notes)) == alone
