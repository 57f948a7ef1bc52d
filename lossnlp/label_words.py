"""The word lists behind speaker labels, read from one file."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

from lossnlp.deal import Frozen, Role


class LabelWords(Frozen):
    """Words by what they tell about a label; the file says what each list is for."""

    known: frozenset[str]
    metadata: frozenset[str]
    never: frozenset[str]
    function_words: frozenset[str]
    particles: frozenset[str]
    titles: frozenset[str]
    parts: dict[Role, frozenset[str]]
    company_suffixes: frozenset[str]
    mail_services: frozenset[str]


@cache
def get_label_words() -> LabelWords:
    """Gives the word lists that ship with lossnlp."""
    text = resources.files("lossnlp").joinpath("label_words.yaml").read_text(encoding="utf-8")
    return LabelWords.model_validate(yaml.safe_load(text))
