"""The pages of the sign-in: with a password, at the company's own provider, and out again."""

from __future__ import annotations

from typing import Annotated, cast
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from lossnlp.errors import LossNlpError
from serving.audit.denials import Denial
from serving.people import people_pages
from serving.people.access import COOKIE, FromForm, SignInNeeded, find_viewer
from serving.people.accounts import count_people
from serving.people.forms import FormFields, local_path, require_own_page
from serving.people.linked import sign_in_identity
from serving.people.lockout import Offered, SignInRefusedError, sign_in_with_password
from serving.people.oidc import Attempt, OidcError, Provider
from serving.people.oidc_settings import OidcSettings, load_oidc_settings
from serving.people.passwords import AccountError
from serving.people.sessions import close_session, drop_cookie, is_secure, put_cookie
from serving.rendering import render_page
from serving.settings import Settings
from serving.store import Database

ATTEMPT_COOKIE = "lossnlp_sign_in"
_ATTEMPT_PATH = "/sign-in/oidc"
_ATTEMPT_S = 600
_HOME = "/losses"
_log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
BackTo = Annotated[str, Query(alias="next")]


def add_sign_in(app: FastAPI, *, oidc: OidcSettings | None = None) -> None:
    """Gives the app its sign-in: the routes, the pages of people, and the way there for who is not signed in.

    Args:
        app: With `state.settings` and `state.database`.
        oidc: Settings of the company's provider; None reads them from the environment.

    Raises:
        ConfigurationError: The provider's settings cannot be used.
    """
    settings = oidc or load_oidc_settings()
    app.state.provider = Provider(settings) if settings.issuer else None
    app.add_exception_handler(SignInNeeded, answer_sign_in_needed)
    app.include_router(router)
    app.include_router(people_pages.router)


def answer_sign_in_needed(request: Request, error: Exception) -> Response:
    """Gives the way to the sign-in form and from there back to the page; htmx would put the form into a part of that page."""
    needed = cast("SignInNeeded", error)
    if "hx-request" not in request.headers:
        return RedirectResponse(needed.location, 303)
    page = urlsplit(request.headers.get("hx-current-url", ""))
    back_to = page.path + (f"?{page.query}" if page.query else "") if page.path else needed.back_to
    return Response(status_code=401, headers={"HX-Redirect": SignInNeeded(back_to).location})


@router.get("/sign-in")
def show_sign_in(request: Request, back_to: BackTo = "") -> Response:
    """Shows the form; who is signed in goes on at once."""
    if find_viewer(request) is not None:
        return RedirectResponse(local_path(back_to, otherwise=_HOME), 303)
    return _form(request, back_to=back_to)


@router.post("/sign-in", dependencies=[Depends(require_own_page)])
def sign_in(request: Request, fields: FormFields) -> Response:
    """Signs in with e-mail and password."""
    email, back_to = fields.get("email", ""), fields.get("next", "")
    offered = Offered(email, fields.get("password", ""), replaced=request.cookies.get(COOKIE))
    try:
        token = sign_in_with_password(request.app.state.database, offered)
    except SignInRefusedError as error:
        whose = "nobody" if error.person_id is None else f"person {error.person_id}"
        request.state.denial = Denial("lock_out" if error.begins_pause else "sign_in", whose)
        return _form(request, back_to=back_to, email=email, fault=error)
    return _signed_in(request, token, back_to=back_to)


@router.post("/sign-out")
def sign_out(request: Request, viewer: FromForm) -> Response:
    """Ends the session of this browser."""
    database: Database = request.app.state.database
    with database.writing() as session:
        close_session(session, request.cookies[COOKIE])
        session.commit()
    _log.info("signed_out", person_id=viewer.person_id)
    answer = RedirectResponse("/sign-in", 303)
    drop_cookie(request, answer)
    return answer


@router.get(_ATTEMPT_PATH)
def begin_elsewhere(request: Request, back_to: BackTo = "") -> Response:
    """Sends the browser to the company's provider."""
    provider, attempt = _provider(request), Attempt.begin(back_to)
    try:
        answer = RedirectResponse(provider.address(attempt, callback=_callback(request, provider)), 303)
    except OidcError as error:
        return _form(request, back_to=back_to, fault=error)
    answer.set_cookie(
        ATTEMPT_COOKIE,
        attempt.as_cookie(),
        max_age=_ATTEMPT_S,
        path=_ATTEMPT_PATH,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(f"{_ATTEMPT_PATH}/callback")
def finish_elsewhere(request: Request) -> Response:
    """Takes the browser back from the company's provider and signs in whom it names."""
    provider, back_to = _provider(request), ""
    try:
        attempt = Attempt.read(request.cookies.get(ATTEMPT_COOKIE, ""))
        back_to = attempt.back_to
        identity = provider.fetch_identity(attempt, request.query_params, callback=_callback(request, provider))
        database: Database = request.app.state.database
        replaced = request.cookies.get(COOKIE)
        token = sign_in_identity(database, identity, settings=provider.settings, replaced=replaced)
    except (OidcError, AccountError) as error:
        request.state.denial = Denial("sign_in", "provider")
        return _without_attempt(request, _form(request, back_to=back_to, fault=error))
    return _without_attempt(request, _signed_in(request, token, back_to=back_to))


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise HTTPException(404)
    return provider


def _callback(request: Request, provider: Provider) -> str:
    base = provider.settings.public_url or str(request.base_url)
    return base.rstrip("/") + f"{_ATTEMPT_PATH}/callback"


def _form(request: Request, *, back_to: str, email: str = "", fault: LossNlpError | None = None) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    with database.reading() as session:
        is_first = settings.env == "development" and count_people(session) == 0
    return render_page(
        request,
        "people/sign_in.html",
        viewer=None,
        status=422 if fault else 200,
        back_to=local_path(back_to, otherwise=""),
        email=email,
        fault=fault.message if fault else None,
        is_first=is_first,
        has_provider=request.app.state.provider is not None,
    )


def _signed_in(request: Request, token: str, *, back_to: str) -> Response:
    answer = RedirectResponse(local_path(back_to, otherwise=_HOME), 303)
    put_cookie(request, answer, token)
    return answer


def _without_attempt(request: Request, answer: Response) -> Response:
    answer.delete_cookie(ATTEMPT_COOKIE, path=_ATTEMPT_PATH, secure=is_secure(request), httponly=True, samesite="lax")
    return answer
