"""Sign-in at a company's own provider: OpenID Connect's authorization code flow with PKCE, state and nonce.

Source: OpenID Connect Core 1.0, sections 3.1 and 5.3; OpenID Connect Discovery 1.0, section 4; RFC 7636; RFC 9207.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import ClaimError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ValidationError

from lossnlp.errors import LossNlpError
from serving.outgoing import open_client
from serving.people.access import Role
from serving.people.oidc_settings import OidcSettings
from serving.store import now

_TIMEOUT_S = 10.0
_MOST_BYTES = 1024 * 1024
_LEEWAY_S = 60
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_BY_POWER: tuple[Role, ...] = ("admin", "leader", "ops", "manager", "rep")
_log = structlog.get_logger(__name__)


class OidcError(LossNlpError):
    """Says that a sign-in at the provider does not count."""

    code = "oidc_refused"


class Attempt(BaseModel, frozen=True):
    """One sign-in under way; the browser keeps it in a cookie, so that nobody else can finish it."""

    state: str
    nonce: str
    verifier: str
    back_to: str = ""

    @classmethod
    def begin(cls, back_to: str) -> Attempt:
        """Gives a new one."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, back_to=back_to)

    @classmethod
    def read(cls, cookie: str) -> Attempt:
        """Gives the one of this cookie.

        Raises:
            OidcError: There is none.
        """
        try:
            return cls.model_validate_json(base64.urlsafe_b64decode(cookie))
        except ValueError:
            raise OidcError("This sign-in was not begun in this browser, or too long ago; begin again.") from None

    def as_cookie(self) -> str:
        """Gives it as the value of a cookie."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()

    @property
    def challenge(self) -> str:
        """The digest of the verifier, which goes ahead of it."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says that somebody is.

    Args:
        subject: Issuer and the person's id there.
        email: Where it is verified, else None.
        name: As the provider knows them; empty where it does not say.
        role: The one that the provider gives, None where it gives none of ours.
    """

    subject: str
    email: str | None
    name: str
    role: Role | None


class _Discovery(BaseModel):
    """What we need of a provider's description of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]

    def is_as_safe_as(self, issuer: str) -> bool:
        """Says whether no address falls behind the issuer's HTTPS."""
        addresses = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        return not issuer.startswith("https://") or all(url is None or url.startswith("https://") for url in addresses)


class Provider:
    """The provider of an installation. Its description is fetched at the first sign-in, its keys at each.

    Args:
        settings: With issuer, client id and client secret.
        clock: Gives the moment; tests hand in their own.
    """

    def __init__(self, settings: OidcSettings, *, clock: Callable[[], datetime] = now) -> None:
        self.settings = settings
        self._issuer, self._client_id = settings.issuer or "", settings.client_id or ""
        self._clock = clock
        self._known: _Discovery | None = None

    def address(self, attempt: Attempt, *, callback: str) -> str:
        """Gives the provider's page where a person signs in.

        Raises:
            OidcError: The provider does not answer, or not as itself.
        """
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": callback,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return str(httpx2.URL(self._discover().authorization_endpoint).copy_merge_params(asked))

    def fetch_identity(self, attempt: Attempt, answer: Mapping[str, str], *, callback: str) -> Identity:
        """Gives who has signed in.

        Args:
            attempt: The sign-in that this browser began.
            answer: Parameters that the provider sent the browser back with.
            callback: Where it sent it.

        Raises:
            OidcError: The person or the provider said no, or a check failed.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise _distrust("state")
        if answer.get("iss", self._issuer) != self._issuer:
            raise _distrust("iss")
        if not answer.get("code"):
            raise OidcError("The sign-in was not completed; begin again.")
        tokens = self._fetch_tokens(attempt, answer["code"], callback=callback)
        claims = self._checked_claims(str(tokens.get("id_token", "")), nonce=attempt.nonce)
        return self._identity(self._with_email(claims, str(tokens.get("access_token", ""))))

    def _discover(self) -> _Discovery:
        if self._known is None:
            described = _fetch("GET", self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            try:
                known = _Discovery.model_validate(described)
            except ValidationError:
                raise _no_answer() from None
            if known.issuer != self._issuer or not known.is_as_safe_as(self._issuer):
                raise _distrust("discovery")
            self._known = known
        return self._known

    def _fetch_tokens(self, attempt: Attempt, code: str, *, callback: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": attempt.verifier,
        }
        secret = self.settings.client_secret.get_secret_value() if self.settings.client_secret else ""
        if "client_secret_basic" in self._discover().token_endpoint_auth_methods_supported:
            pair = f"{quote(self._client_id, safe='')}:{quote(secret, safe='')}".encode()
            basic = f"Basic {base64.b64encode(pair).decode()}"
            return _fetch("POST", self._discover().token_endpoint, form=form, authorization=basic)
        form |= {"client_id": self._client_id, "client_secret": secret}
        return _fetch("POST", self._discover().token_endpoint, form=form)

    def _checked_claims(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = jwt.decode(id_token, self._fetch_keys(), algorithms=_ALGORITHMS).claims
            registry.validate(claims)
        except ClaimError as error:
            raise _distrust(error.claim) from None
        except (JoseError, ValueError):
            raise _distrust("signature") from None
        if claims.get("azp", self._client_id) != self._client_id or claims["aud"] not in (
            self._client_id,
            [self._client_id],
        ):
            raise _distrust("aud")
        return claims

    def _fetch_keys(self) -> KeySet:
        listed = _fetch("GET", self._discover().jwks_uri).get("keys")
        keys = [key for key in listed if _can_sign(key)] if isinstance(listed, list) else []
        return KeySet.import_key_set({"keys": keys})

    def _with_email(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        """Gives the claims with those that some providers tell at another address only."""
        url = self._discover().userinfo_endpoint
        if "email" in claims or not url or not access_token:
            return claims
        told = _fetch("GET", url, authorization=f"Bearer {access_token}")
        if told.get("sub") != claims["sub"]:
            raise _distrust("sub")
        return {**told, **claims}

    def _identity(self, claims: dict[str, Any]) -> Identity:
        email, name = claims.get("email"), claims.get("name")
        given = claims.get(self.settings.role_claim) if self.settings.role_claim else None
        roles = given if isinstance(given, list) else [given]
        return Identity(
            subject=f"{self._issuer} {claims['sub']}",
            email=email if isinstance(email, str) and claims.get("email_verified") is True else None,
            name=name if isinstance(name, str) else "",
            role=next((role for role in _BY_POWER if role in roles), None),
        )


def _fetch(
    method: str, url: str, *, form: Mapping[str, str] | None = None, authorization: str | None = None
) -> dict[str, Any]:
    headers = {"Accept": "application/json"} | ({"Authorization": authorization} if authorization else {})
    try:
        with open_client(most_bytes=_MOST_BYTES, timeout=_TIMEOUT_S) as client:
            answer = client.request(method, url, data=form, headers=headers)
        told = answer.raise_for_status().json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError):
        raise _no_answer() from None
    if not isinstance(told, dict):
        raise _no_answer()
    return told


def _can_sign(key: object) -> bool:
    return isinstance(key, dict) and key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"


def _no_answer() -> OidcError:
    _log.warning("oidc_refused", check="answer")
    return OidcError("The sign-in service did not answer as it should; try again in a moment.")


def _distrust(check: str) -> OidcError:
    _log.warning("oidc_refused", check=check)
    return OidcError(f"The sign-in service's answer does not hold (check '{check}'); begin again, or ask an admin.")
