from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.intake import Assessor
from serving.review import label_errors
from serving.review.label_errors import PAGE_ROWS
from serving.settings import Settings
from tests.serving.review.desk_world import AddReview, People, SignIn


def row(deal_id: str = "d-1", **changes: Any) -> dict[str, Any]:
    return {"id": deal_id, "field": "primary", "given": "price", "suggested": "timing", "quality": 0.125} | changes


@pytest.fixture
def errors_file(tmp_path: Path) -> Path:
    return tmp_path / "label_errors.jsonl"


@pytest.fixture
def desk_app(desk_settings: Settings, assessor: Assessor, errors_file: Path) -> Iterator[FastAPI]:
    app = create_app(desk_settings.model_copy(update={"label_errors": errors_file}), assessor=assessor)
    if label_errors.router.routes[0].path not in {getattr(route, "path", "") for route in app.routes}:
        app.include_router(label_errors.router)
    with TestClient(app):
        yield app


@pytest.fixture
def write(errors_file: Path) -> Callable[..., None]:
    def rows(*given: object) -> None:
        errors_file.write_text("".join(json.dumps(one) + "\n" for one in given))

    return rows


Write = Callable[..., None]


def test_page_links_labels_to_their_deals(
    people: People, signed_in: SignIn, add_review: AddReview, write: Write
) -> None:
    review = add_review("d-1")
    write(row(), row("corpus-9", field="reasons.price", given="yes", suggested="no"))
    page = signed_in(people.ana).get("/review/label-errors")
    assert page.status_code == 200
    assert f'<a href="/review/deals/{review}">d-1</a>' in page.text
    assert "<td>timing</td>" in page.text
    assert '<th scope="row">corpus-9</th>' in page.text


def test_words_of_the_file_are_escaped(people: People, signed_in: SignIn, write: Write) -> None:
    write(row("<script>"))
    assert "<script>&" not in signed_in(people.admin).get("/review/label-errors").text
    assert "&lt;script&gt;" in signed_in(people.admin).get("/review/label-errors").text


@pytest.mark.parametrize("name", ["manager", "leader", "rep"])
def test_only_ops_and_admins_see_it(people: People, signed_in: SignIn, write: Write, name: str) -> None:
    write(row())
    assert signed_in(getattr(people, name)).get("/review/label-errors").status_code == 403


def test_a_long_list_has_pages(people: People, signed_in: SignIn, write: Write) -> None:
    write(*(row(f"d-{at}") for at in range(PAGE_ROWS + 1)))
    browser = signed_in(people.ana)
    first, second = (browser.get(f"/review/label-errors?page={page}").text for page in (1, 2))
    assert (f">d-{PAGE_ROWS}<" in first, f">d-{PAGE_ROWS}<" in second) == (False, True)
    assert "Next page" in first
    assert "Previous page" in second


def test_a_missing_file_is_said(people: People, signed_in: SignIn) -> None:
    page = signed_in(people.ana).get("/review/label-errors")
    assert page.status_code == 200
    assert "The file that LOSSNLP_LABEL_ERRORS names cannot be read" in page.text


def test_a_broken_line_is_named(people: People, signed_in: SignIn, write: Write) -> None:
    write(row(), row(quality=7))
    assert "Line 2, field &#39;quality&#39;" in signed_in(people.ana).get("/review/label-errors").text


def test_an_empty_list_is_said(people: People, signed_in: SignIn, write: Write) -> None:
    write()
    assert "No label stands out" in signed_in(people.ana).get("/review/label-errors").text
