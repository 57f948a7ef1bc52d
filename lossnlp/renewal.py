"""Renewal: spaCy pipelines that are built anew before the words they have met fill the memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from spacy.language import Language

MAX_NEW_WORDS = 50_000  # about 25 MB; building anew takes a quarter of a second

Parts = TypeVar("Parts")


class Renewed(Generic[Parts]):
    """A pipeline with the parts that share its vocabulary, built for the first text and anew after many new words.

    spaCy keeps every word it meets for good. Its memory zones give the words back but not their places in its tables, bar two
    threads from reading at once and switch the tokenizer's cache off.

    Args:
        build: Gives the pipeline and its parts; called anew, it should give the same.
        max_new_words: How many words the vocabulary may gain before it is given up.
    """

    def __init__(self, build: Callable[[], tuple[Language, Parts]], *, max_new_words: int = MAX_NEW_WORDS) -> None:
        self._build = build
        self._max_new_words = max_new_words
        self._building = Lock()
        self._current: tuple[Language, Parts] | None = None
        self._limit = 0

    def get(self) -> tuple[Language, Parts]:
        """Gives the pipeline in use and its parts; whoever still reads with an earlier one keeps it."""
        with self._building:
            if self._current is None or len(self._current[0].vocab.strings) > self._limit:
                if self._current is not None:
                    self._current = None
                    gc.collect()  # a pipeline and its components hold each other
                self._current = self._build()
                self._limit = len(self._current[0].vocab.strings) + self._max_new_words
            return self._current
