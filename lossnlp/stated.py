"""Stated reasons: which codes the words of a CRM's picklist stand for."""

from __future__ import annotations

import re

from lossnlp.taxonomy import Taxonomy

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def stated_codes(stated: str | None, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Gives the codes that a stated reason stands for, by code, label or crosswalk; empty where it means nothing known.

    Args:
        stated: The reason the rep chose, in the CRM's words ("Lost to competitor", "Price / Budget").
        taxonomy: Labels with their crosswalk.
    """
    wanted = _plain(stated or "")
    if not wanted:
        return ()
    for reason in taxonomy.reasons:
        if wanted in (_plain(reason.code), _plain(reason.label)):
            return (reason.code,)
    padded = f" {wanted} "
    hits = [entry.codes for entry in taxonomy.crosswalk for words in entry.words if f" {_plain(words)} " in padded]
    found = {code for codes in hits for code in codes}
    return tuple(code for code in taxonomy.codes if code in found)


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text.lower()).strip()
