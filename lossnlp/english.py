"""spaCy's rules for English, imported with the first text: who only imports lossnlp does not wait for it."""

from __future__ import annotations

import sys
from functools import cache
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language

_IMPORTING = RLock()


def blank_english() -> Language:
    """Gives a pipeline that splits words by spaCy's rules, and nothing more."""
    language: Language = get_spacy().blank("en")
    return language


@cache
def stop_words() -> frozenset[str]:
    """Gives the words of English that carry no meaning of their own."""
    return frozenset(get_spacy().lang.en.stop_words.STOP_WORDS)


def get_spacy() -> ModuleType:
    """Gives the package `spacy`, with its matchers and tokens; of threads that ask first together one imports it, the others wait."""
    with _IMPORTING:
        return _import_spacy()


@cache
def _import_spacy() -> ModuleType:
    """Gives the package after importing it.

    Its foundation, thinc, imports torch wherever torch is installed: a second and 180 MB for what rules never use. So torch is hidden
    meanwhile, unless somebody has imported it before.

    Source: `thinc/compat.py`, which goes on without torch where importing it fails.
    """
    is_hidden = "torch" not in sys.modules
    if is_hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails, see the import system's documentation
    try:
        import spacy  # noqa: PLC0415
        import spacy.lang.en.stop_words  # noqa: PLC0415
        import spacy.matcher  # noqa: PLC0415
        import spacy.tokens  # noqa: PLC0415
    finally:
        if is_hidden:
            del sys.modules["torch"]
    return spacy
