from __future__ import annotations

from pathlib import Path

import pytest

from lossnlp.errors import TaxonomyError
from lossnlp.taxonomy import get_default_taxonomy, read_taxonomy

HEAD = 'version: "1"\ngroups: [{code: g, label: G}]\nelements: []\n'
REASON = "{code: %s, group: %s, label: L, definition: D}"


def test_shipped_taxonomy_has_all_labels() -> None:
    taxonomy = get_default_taxonomy()
    assert (len(taxonomy.codes), len(taxonomy.element_codes)) == (18, 8)
    assert all(taxonomy.get_group(reason.group) for reason in taxonomy.reasons)


def test_unknown_code_lists_the_known_ones() -> None:
    with pytest.raises(TaxonomyError, match="price, budget"):
        get_default_taxonomy().get_reason("weather")


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (f"reasons: [{REASON % ('a', 'g')}, {REASON % ('a', 'g')}]", "twice"),
        (f"reasons: [{REASON % ('a', 'nowhere')}]", "undefined group"),
        (f"reasons: [{REASON % ('a', 'g')}]\ncrosswalk: [{{words: [x], codes: [b]}}]", "undefined reason"),
        ("reasons: 3", "not a taxonomy"),
    ],
)
def test_broken_taxonomy_says_what_is_wrong(tmp_path: Path, rest: str, message: str) -> None:
    (tmp_path / "t.yaml").write_text(HEAD + rest)
    with pytest.raises(TaxonomyError, match=message):
        read_taxonomy(tmp_path / "t.yaml")
