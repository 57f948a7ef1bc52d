"""No page, no question and no loss review of ours blames or shames anybody."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.reports import pack, pack_changes, pack_quotes, pack_reasons, pack_rest, pack_stories
from tests.serving.reports.wording import SHAMING, find_shaming, words_of_page

PAGES = sorted(Path(str(resources.files("serving").joinpath("pages"))).rglob("*.html"))
ASKING = [
    ("lossnlp", "taxonomy.yaml", "question"),
    ("lossnlp", "questions.yaml", None),
    ("serving.reports", "winback_openers.yaml", None),
    ("serving.reports", "winback_windows.yaml", None),
    ("serving.reports", "interview_questions.yaml", None),
]
MODULES = [pack, pack_changes, pack_quotes, pack_reasons, pack_rest, pack_stories]


def texts_of(value: Any, key: str | None, *, is_wanted: bool = False) -> Iterator[str]:
    """Gives the texts under a key, those of all keys for None."""
    if isinstance(value, str) and (is_wanted or key is None):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from texts_of(one, key, is_wanted=is_wanted or name == key)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one, key, is_wanted=is_wanted)


def test_list_of_words_is_long_and_finds_them() -> None:
    assert len(SHAMING) >= 40
    assert find_shaming("The worst rep is to blame; external only is fine") == ["worst", "blame"]


def test_only_what_people_read_is_looked_at() -> None:
    template = '<p class="fault">{{ fault }} Mend it {{ "no fault of" if x else "" }}</p>'
    assert find_shaming(words_of_page(template)) == ["fault"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_template_shames_nobody(page: Path) -> None:
    assert find_shaming(words_of_page(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(("package", "file", "key"), ASKING, ids=str)
def test_question_shames_nobody(package: str, file: str, key: str | None) -> None:
    loaded = yaml.safe_load(resources.files(package).joinpath(file).read_text(encoding="utf-8"))
    texts = list(texts_of(loaded, key))
    assert len(texts) >= 5
    assert find_shaming("\n".join(texts)) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_sentence_in_code_shames_nobody(module: Any) -> None:
    assert find_shaming(Path(module.__file__).read_text(encoding="utf-8")) == []
