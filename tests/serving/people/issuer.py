"""A small OpenID provider on a port of this machine: it signs in whoever it is told to, and can be told to do it wrongly."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "lossnlp desk", "s3cret/with+signs-and-length"
Claims = dict[str, Any]


@dataclass
class Issuer:
    """What the provider says, and what it is asked.

    Args:
        key: What it signs with.
        url: Where it stands; set once it is served.
        person: Claims of who signs in.
        told: Claims of its userinfo address.
        mistake: Changes the claims of the next id tokens.
        discovery: Changes what it says of itself.
        signs_with: Key and algorithm of id tokens, None its own and RS256.
        leaves_unsigned: Sends id tokens with the algorithm `none`.
        without_basic: Takes the client's secret in the form alone.
    """

    key: RSAKey
    url: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "u1", "email": "ana@firm.example", "email_verified": True})
    told: Claims = field(default_factory=dict)
    mistake: Callable[[Claims], Claims] = lambda claims: claims
    discovery: Claims = field(default_factory=dict)
    signs_with: tuple[RSAKey | OctKey, str] | None = None
    leaves_unsigned: bool = False
    without_basic: bool = False
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        form = dict(parse_qsl(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()))
        if environ["PATH_INFO"] == "/authorize":
            start("303 See Other", [("Location", self.answer(query)), ("Content-Length", "0")])
            return [b""]
        status, told = self._told(environ["PATH_INFO"], form, environ.get("HTTP_AUTHORIZATION", ""))
        body = json.dumps(told).encode()
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def answer(self, query: dict[str, str]) -> str:
        """Gives where the browser is sent back to, with a code."""
        code = f"code-{len(self.asked)}"
        self.asked[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.url})}"

    def _told(self, path: str, form: dict[str, str], authorization: str) -> tuple[str, object]:
        match path:
            case "/.well-known/openid-configuration":
                return "200 OK", self._described()
            case "/keys":
                return "200 OK", KeySet([self.key]).as_dict(private=False)
            case "/userinfo" if authorization == "Bearer access":
                return "200 OK", self.told
            case "/token":
                return self._tokens(form, authorization)
        return "404 Not Found", {}

    def _described(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            **({"token_endpoint_auth_methods_supported": ["client_secret_post"]} if self.without_basic else {}),
            **self.discovery,
        }

    def _tokens(self, form: dict[str, str], authorization: str) -> tuple[str, object]:
        asked = self.asked.pop(form["code"], None)
        if asked is None or not self._knows(form, authorization) or not _fits(asked, form):
            return "400 Bad Request", {"error": "invalid_grant"}
        return "200 OK", {"access_token": "access", "token_type": "Bearer", "id_token": self._signed(asked["nonce"])}

    def _knows(self, form: dict[str, str], authorization: str) -> bool:
        if self.without_basic:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        pair = (
            b"lossnlp%20desk:s3cret%2Fwith%2Bsigns-and-length"  # RFC 6749, section 2.3.1: encoded before it is joined
        )
        return authorization == f"Basic {base64.b64encode(pair).decode()}"

    def _signed(self, nonce: str) -> str:
        at = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "nonce": nonce, "iat": at, "exp": at + 300, **self.person}
        if self.leaves_unsigned:
            return f"{_encoded({'alg': 'none'})}.{_encoded(self.mistake(claims))}."
        key, algorithm = self.signs_with or (self.key, "RS256")
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, self.mistake(claims), key, algorithms=[algorithm])


def _fits(asked: dict[str, str], form: dict[str, str]) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
    is_same_place = asked["redirect_uri"] == form["redirect_uri"]
    return is_same_place and (asked["code_challenge"], asked["code_challenge_method"]) == (digest, "S256")


def _encoded(part: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
