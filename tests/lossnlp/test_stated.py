from __future__ import annotations

import pytest

from lossnlp.stated import stated_codes
from lossnlp.taxonomy import get_default_taxonomy


@pytest.mark.parametrize(
    ("stated", "codes"),
    [
        ("Price", ("price",)),
        ("executive_buy_in", ("executive_buy_in",)),
        ("Lost to Competitor", ("competitor", "existing_relationship")),
        ("Price / Budget", ("price", "budget")),
        ("No Decision / Non-Responsive", ("no_decision",)),
        ("Went dark", ("unresponsive",)),
        ("Other", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_crm_words_stand_for_codes(stated: str | None, codes: tuple[str, ...]) -> None:
    assert stated_codes(stated, get_default_taxonomy()) == codes
