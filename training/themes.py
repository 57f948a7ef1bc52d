"""Themes in texts: groups that hold together however the texts are drawn, what sets each apart, and the sentences that show it.

Source: Hennig 2007, "Cluster-wise assessment of cluster stability"; Monroe, Colaresi and Quinn 2008, "Fightin' Words" (the z of terms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from lossnlp.segments import split_sentences

Vectors = NDArray[np.float64]
_DRAWS, _MOST_GROUPS, _WORD_WIDTH, _WIDTH = 20, 15, 50, 10
_WORD = r"(?u)\b[^\W\d_]{3,}\b"
_TERMS, _QUOTES = 6, 3
_LEAST_Z = 1.64
_QUOTE_CHARS = (25, 240)


@dataclass(frozen=True)
class Group:
    """Texts that belong together.

    Args:
        members: Their places, ascending.
        stability: How much of the group is found again when the texts are drawn anew, 0 to 1.
    """

    members: tuple[int, ...]
    stability: float


class WordSpace:
    """Places texts by their words (TF-IDF, reduced to the directions that tell most of them apart).

    Args:
        texts: That span it, at least 4.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._words = TfidfVectorizer(stop_words="english", sublinear_tf=True)
        counts = self._words.fit_transform(texts)
        width = max(1, min(_WORD_WIDTH, counts.shape[0] - 1, counts.shape[1] - 1))
        self._directions = TruncatedSVD(width, random_state=0).fit(counts)

    def place(self, texts: Sequence[str]) -> Vectors:
        """Gives the texts as rows of length 1, or 0 where none of their words is known; shape (texts, width)."""
        placed = self._directions.transform(self._words.transform(texts))
        return np.asarray(normalize(placed), np.float64)


def find_groups(vectors: Vectors, *, seed: int) -> list[Group]:
    """Gives all groups, largest first; how many there are is chosen by their silhouette.

    Args:
        vectors: Of the texts, shape (texts, width); at least 4.
        seed: Changes what is drawn.
    """
    n = len(vectors)
    reduced = normalize(PCA(min(_WIDTH, n - 1, vectors.shape[1]), random_state=seed).fit_transform(vectors))
    numbers = range(2, min(_MOST_GROUPS, n // 2) + 1)
    tried = [(number, _parted(reduced, number, seed)) for number in numbers]
    number, places = max(tried, key=lambda one: float(silhouette_score(reduced, one[1])))
    stable = _stability(reduced, places, number, seed=seed)
    groups = [Group(tuple(np.flatnonzero(places == at).tolist()), stable[at]) for at in range(number)]
    return sorted(groups, key=lambda group: (-len(group.members), group.members))


def _parted(vectors: Vectors, number: int, seed: int) -> NDArray[np.int64]:
    return np.asarray(KMeans(number, n_init=10, random_state=seed).fit_predict(vectors), np.int64)


def _stability(vectors: Vectors, places: NDArray[np.int64], number: int, *, seed: int) -> list[float]:
    """Gives for each group the mean of its best Jaccard likeness among the groups of texts drawn with replacement."""
    chance, found = np.random.default_rng(seed), np.zeros((_DRAWS, number))
    for draw in range(_DRAWS):
        drawn = np.unique(chance.integers(0, len(vectors), len(vectors)))
        again = _parted(vectors[drawn], min(number, len(drawn)), seed)
        for at in range(number):
            before = places[drawn] == at
            found[draw, at] = max(_jaccard(before, again == other) for other in range(again.max() + 1))
    return [float(value) for value in found.mean(0)]


def _jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 0.0


def terms_apart(texts: Sequence[str], members: Sequence[int]) -> tuple[str, ...]:
    """Gives the words, and pairs of words, that stand in more of the members than chance would put there, strongest first."""
    counter = CountVectorizer(stop_words="english", ngram_range=(1, 2), binary=True, min_df=2, token_pattern=_WORD)
    try:
        has = counter.fit_transform(texts)
    except ValueError:  # no word stands in two texts
        return ()
    is_in = np.isin(np.arange(len(texts)), members)
    inside, outside = (np.asarray(has[mask].sum(0)).ravel() + 0.5 for mask in (is_in, ~is_in))
    n_in, n_out = is_in.sum() + 1, (~is_in).sum() + 1
    odds = np.log(inside / (n_in - inside)) - np.log(outside / (n_out - outside))
    z = odds / np.sqrt(1 / inside + 1 / (n_in - inside) + 1 / outside + 1 / (n_out - outside))
    names = counter.get_feature_names_out()
    ranked = sorted(np.flatnonzero((z > _LEAST_Z) & (inside >= 3)), key=lambda at: (-z[at], names[at]))
    return _without_parts([str(names[at]) for at in ranked])[:_TERMS]


def _without_parts(terms: Sequence[str]) -> tuple[str, ...]:
    """Gives the terms without those whose words all stand in a stronger one."""
    kept: list[str] = []
    for term in terms:
        if not any(set(term.split()) <= set(other.split()) for other in kept):
            kept.append(term)
    return tuple(kept)


def quotes_of(texts: Sequence[str], direction: Vectors, space: WordSpace) -> tuple[str, ...]:
    """Gives the sentences that lie nearest to what a group has of its own, each out of another text.

    Args:
        texts: Of the group.
        direction: What it has of its own, shape (width,).
        space: Where the direction is one.
    """
    found = [(at, sentence) for at, text in enumerate(texts) for sentence in _sentences(text)]
    if not found:
        return ()
    scores = space.place([sentence for _, sentence in found]) @ direction
    best: dict[int, str] = {}
    for place in np.argsort(-scores, kind="stable"):
        best.setdefault(found[place][0], found[place][1])
    return tuple(list(best.values())[:_QUOTES])


def _sentences(text: str) -> list[str]:
    cut = [" ".join(text[start:end].split()) for start, end in split_sentences(text)]
    return [sentence for sentence in cut if _QUOTE_CHARS[0] <= len(sentence) <= _QUOTE_CHARS[1]]
