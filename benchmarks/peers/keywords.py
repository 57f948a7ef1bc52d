"""Keyword rules: the reason whose words occur most often."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lossnlp.deal import Deal
from lossnlp.taxonomy import NO_CAUSE
from training.answers import Answer
from training.baseline import text_of


class Keywords:
    """Counts the keywords of each reason."""

    name = "keyword rules"

    def __init__(self) -> None:
        table = yaml.safe_load(Path(__file__).with_name("keywords.yaml").read_text(encoding="utf-8"))
        self._patterns = {
            code: re.compile("|".join(rf"\b{re.escape(word)}\b" for word in words), re.IGNORECASE)
            for code, words in table.items()
        }

    def answer(self, deal: Deal) -> Answer:
        """Gives the reasons whose words occur, the most frequent first."""
        text = text_of(deal)
        hits = {code: len(pattern.findall(text)) for code, pattern in self._patterns.items()}
        found = sorted((code for code, count in hits.items() if count), key=lambda code: -hits[code])
        if not found:
            return Answer(primary=NO_CAUSE, confidence=0.0)
        return Answer(primary=found[0], confidence=hits[found[0]] / sum(hits.values()), reasons=found)
