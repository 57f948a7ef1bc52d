"""Sign-in at the company's own provider: a whole walk over HTTP, and each check failing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import OctKey, RSAKey

from serving.errors import ConfigurationError
from serving.people.access import COOKIE
from serving.people.accounts import disable_person, get_person
from serving.people.oidc_settings import OidcSettings, load_oidc_settings
from serving.people.sign_in import ATTEMPT_COOKIE
from serving.store import Database, now
from serving.tables import PersonRow
from tests.serving.crm.served import served
from tests.serving.people.issuer import CLIENT_ID, CLIENT_SECRET, Claims, Issuer

Add = Callable[..., int]
Walk = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def keys() -> tuple[RSAKey, RSAKey]:
    own, another = (RSAKey.generate_key(2048, {"kid": "k1"}, private=True) for _ in range(2))
    return own, another


@pytest.fixture
def issuer(keys: tuple[RSAKey, RSAKey]) -> Iterator[Issuer]:
    made = Issuer(keys[0])
    with served(made) as made.url:
        yield made


@pytest.fixture
def visit(
    issuer: Issuer, open_app: Callable[..., FastAPI], open_browser: Callable[..., TestClient]
) -> Callable[..., Any]:
    """Opens a browser in front of a service that knows the provider."""

    def once(**changed: object) -> TestClient:
        values = {"issuer": issuer.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changed}
        return open_browser(open_app(OidcSettings.model_validate(values)))

    return once


@pytest.fixture
def walk(visit: Callable[..., TestClient]) -> Walk:
    """Walks from the sign-in page to the provider and back; gives the last answer."""

    def once(browser: TestClient | None = None, **changed: object) -> Any:
        browser = browser or visit(**changed)
        begun = browser.get("/sign-in/oidc?next=/for-ops")
        return browser.get(httpx2.get(begun.headers["location"]).headers["location"])

    return once


def said(answer: Any) -> str:
    assert answer.status_code == 422
    assert f"{COOKIE}=" not in answer.headers.get("set-cookie", "")
    return unescape("".join(re.findall(r'role="alert">([^<]+)<', answer.text)))


def people(database: Database) -> list[PersonRow]:
    with database.reading() as session:
        return session.query(PersonRow).order_by(PersonRow.id).all()


def test_verified_email_signs_in_and_is_linked(
    visit: Any, walk: Walk, add: Add, people_database: Database, issuer: Issuer
) -> None:
    add()
    browser = visit()
    assert walk(browser).headers["location"] == "/for-ops"
    assert browser.get("/for-ops").status_code == 200
    assert people(people_database)[0].subject == f"{issuer.url} u1"


def test_linked_person_needs_no_email(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    walk()
    issuer.person = {"sub": "u1", "email": "ana.new@firm.example", "email_verified": True}
    assert walk().status_code == 303


def test_attempt_is_used_up(visit: Any, walk: Walk, add: Add) -> None:
    add()
    browser = visit()
    walk(browser)
    assert ATTEMPT_COOKIE not in browser.cookies


def test_answer_in_another_browser_is_refused(visit: Any, add: Add) -> None:
    add()
    begun = visit().get("/sign-in/oidc")
    answer = visit().get(httpx2.get(begun.headers["location"]).headers["location"])
    assert "not begun in this browser" in said(answer)


def test_answer_of_another_attempt_is_refused(visit: Any, add: Add) -> None:
    add()
    browser = visit()
    first = browser.get("/sign-in/oidc").headers["location"]
    browser.get("/sign-in/oidc")
    assert "'state'" in said(browser.get(httpx2.get(first).headers["location"]))


def test_answer_of_another_issuer_is_refused(visit: Any, add: Add) -> None:
    add()
    browser = visit()
    back = httpx2.get(browser.get("/sign-in/oidc").headers["location"]).headers["location"]
    assert "'iss'" in said(browser.get(re.sub("iss=[^&]*", "iss=https://evil.example", back)))


@pytest.mark.parametrize(
    ("mistake", "check"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "somebody else"}, "aud"),
        ({"aud": [CLIENT_ID, "somebody else"]}, "aud"),
        ({"azp": "somebody else"}, "aud"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1_000_000_000}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": None}, "iat"),
        ({"sub": None}, "sub"),
    ],
)
def test_id_token_with_wrong_claim_is_refused(
    walk: Walk, add: Add, issuer: Issuer, mistake: Claims, check: str
) -> None:
    add()
    issuer.mistake = lambda claims: {key: value for key, value in (claims | mistake).items() if value is not None}
    assert f"'{check}'" in said(walk())


def test_id_token_of_another_key_is_refused(walk: Walk, add: Add, issuer: Issuer, keys: tuple[RSAKey, RSAKey]) -> None:
    add()
    issuer.signs_with = (keys[1], "RS256")
    assert "'signature'" in said(walk())


def test_id_token_signed_with_the_secret_is_refused(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    issuer.signs_with = (OctKey.import_key(CLIENT_SECRET), "HS256")
    assert "'signature'" in said(walk())


def test_unsigned_id_token_is_refused(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    issuer.leaves_unsigned = True
    assert "'signature'" in said(walk())


def test_code_of_another_verifier_is_refused(visit: Any, add: Add, issuer: Issuer) -> None:
    add()
    browser = visit()
    back = httpx2.get(browser.get("/sign-in/oidc").headers["location"]).headers["location"]
    issuer.asked["code-0"]["code_challenge"] = "of another browser"
    assert "did not answer as it should" in said(browser.get(back))


def test_refusal_at_the_provider_is_told(visit: Any) -> None:
    browser = visit()
    state = re.findall("state=([^&]+)", browser.get("/sign-in/oidc").headers["location"])[0]
    assert "not completed" in said(browser.get(f"/sign-in/oidc/callback?error=access_denied&state={state}"))


@pytest.mark.parametrize("discovery", [{"issuer": "https://evil.example"}, {"token_endpoint": None}])
def test_provider_that_describes_another_is_refused(visit: Any, issuer: Issuer, discovery: Claims) -> None:
    issuer.discovery = discovery
    assert said(visit().get("/sign-in/oidc"))


def test_provider_that_is_away_is_told(visit: Any) -> None:
    assert "did not answer" in said(visit(issuer="http://127.0.0.1:9").get("/sign-in/oidc"))


@pytest.mark.parametrize("verified", [False, "true", None])
def test_unverified_email_finds_nobody(walk: Walk, add: Add, issuer: Issuer, verified: object) -> None:
    add()
    issuer.person["email_verified"] = verified
    assert "No account here" in said(walk())


def test_email_of_foreign_domain_finds_nobody(walk: Walk, add: Add) -> None:
    add()
    assert "No account here" in said(walk(email_domains=("other.example",)))


def test_unknown_person_gets_no_account_unasked(walk: Walk, people_database: Database) -> None:
    assert "No account here" in said(walk())
    assert people(people_database) == []


def test_unknown_person_gets_the_default_role(walk: Walk, issuer: Issuer, people_database: Database) -> None:
    issuer.person["name"] = "Ana\nBell"
    assert walk(default_role="rep", email_domains="firm.example, other.example").status_code == 303
    [made] = people(people_database)
    assert (made.email, made.name, made.role, made.password_hash) == ("ana@firm.example", "AnaBell", "rep", None)


def test_linked_account_is_nobody_elses(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    walk()
    issuer.person["sub"] = "u2"
    assert "No account here" in said(walk())


def test_disabled_person_is_refused(walk: Walk, add: Add, people_database: Database) -> None:
    person_id = add()
    with people_database.writing() as session:
        disable_person(session, get_person(session, person_id), at=now())
        session.commit()
    assert "No account here" in said(walk())


@pytest.mark.parametrize(
    ("given", "role"), [("leader", "leader"), (["staff", "rep", "manager"], "manager"), ("boss", "ops")]
)
def test_role_claim_gives_the_role(
    walk: Walk, add: Add, issuer: Issuer, people_database: Database, given: object, role: str
) -> None:
    add(role="ops")
    issuer.person["groups"] = given
    assert walk(role_claim="groups").status_code == 303
    assert people(people_database)[0].role == role


def test_email_may_stand_in_userinfo(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    issuer.person, issuer.told = {"sub": "u1"}, issuer.person
    assert walk().status_code == 303


def test_userinfo_of_another_person_is_refused(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    issuer.person, issuer.told = {"sub": "u1"}, {**issuer.person, "sub": "u2"}
    assert "'sub'" in said(walk())


def test_secret_goes_in_the_form_where_asked(walk: Walk, add: Add, issuer: Issuer) -> None:
    add()
    issuer.without_basic = True
    assert walk().status_code == 303


def test_public_url_is_where_the_browser_returns(visit: Any) -> None:
    browser = visit(public_url="https://desk.firm.example/")
    asked = httpx2.URL(browser.get("/sign-in/oidc").headers["location"]).params
    assert asked["redirect_uri"] == "https://desk.firm.example/sign-in/oidc/callback"


def test_foreign_next_path_is_not_followed(visit: Any, add: Add) -> None:
    add()
    browser = visit()
    begun = browser.get("/sign-in/oidc?next=//evil.example")
    assert browser.get(httpx2.get(begun.headers["location"]).headers["location"]).headers["location"] == "/losses"


def test_way_without_provider_is_shut(browser: TestClient) -> None:
    assert browser.get("/sign-in/oidc").status_code == 404
    assert "company account" not in browser.get("/sign-in").text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "https://id.example"),
        ("ISSUER", "http://id.example"),
        ("DEFAULT_ROLE", "rep"),
        ("DEFAULT_ROLE", "boss"),
    ],
)
def test_incomplete_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOSSNLP_OIDC_{name}", value)
    with pytest.raises(ConfigurationError, match="LOSSNLP_OIDC_"):
        load_oidc_settings()
