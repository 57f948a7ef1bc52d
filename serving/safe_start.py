"""What a service in production must not start with: secrets that anybody could guess, logs that say too much, an open line.

Source: decision record 24; RFC 6750, section 5.3 (bearer tokens over TLS alone).
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from serving.door_settings import load_door_settings
from serving.errors import ConfigurationError
from serving.people.oidc_settings import load_oidc_settings
from serving.settings import Settings

MIN_KEY_CHARS = 8
_FEWEST_DIFFERENT = 5
# As they stand in examples, compared without capitals and signs between the words
_EXAMPLES = """
secret password passwd admin administrator root test testing default example demo sample token apikey key lossnlp letmein qwerty abc123
none null todo fixme foo bar secretkey mysecret mysecretkey supersecret supersecretkey topsecret development insecure notsecret
password123 secret123 12345678 0123456789abcdef 1234567890123456
"""
_PLACEHOLDERS = frozenset(_EXAMPLES.split())
# Parts that a random value does not hold
_PARTS = (
    *("changeme", "changethis", "replaceme", "replacethis", "placeholder", "insertkey", "inserthere", "putyour"),
    *("yourapikey", "yoursecret", "yourkey", "yourtoken", "yourpassword", "examplekey", "examplesecret"),
    *("supersecret", "notasecret"),
)
_BETWEEN = re.compile(r"[^a-z0-9]")


def require_safe_settings(settings: Settings) -> None:
    """Passes when a service may start with these settings; in development always.

    Raises:
        ConfigurationError: Names the variable and how to mend it, never its value.
    """
    if settings.env == "development":
        return
    if settings.log_level == "debug":
        message = (
            "LOSSNLP_LOG_LEVEL is 'debug': at that level libraries log what they handle, which may be words of a deal. Set 'info', or "
            "LOSSNLP_ENV=development."
        )
        raise ConfigurationError(message, field="LOSSNLP_LOG_LEVEL")
    for name, value in _secrets(settings, load_door_settings(), load_oidc_settings()):
        _require_secret(name, value)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    if key is not None and len(key) < MIN_KEY_CHARS:
        message = f"LOSSNLP_API_KEY has {len(key)} characters; a key needs {MIN_KEY_CHARS} or more. {_HOW}"
        raise ConfigurationError(message, field="LOSSNLP_API_KEY")


def require_safe_address(settings: Settings, host: str) -> None:
    """Passes when what is sent over this address is read by nobody on the way; in development always.

    Args:
        settings: With a certificate, or with the proxies that speak TLS for the service.
        host: Address to listen on.

    Raises:
        ConfigurationError: The certificate cannot be used, or keys and words of deals would go over the network as they are.
    """
    _require_certificate(settings)
    is_covered = settings.tls_cert is not None or settings.behind_proxy
    if settings.env == "development" or is_loopback(host) or is_covered:
        return
    message = (
        f"--host {host} is reached over the network, and nothing says that it speaks TLS: set LOSSNLP_TLS_CERT and LOSSNLP_TLS_KEY, or "
        "LOSSNLP_BEHIND_PROXY to the addresses of the proxy that does, or listen on 127.0.0.1."
    )
    raise ConfigurationError(message, field="host")


def is_loopback(host: str) -> bool:
    """Says whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_placeholder(value: str) -> bool:
    """Says whether a secret is one of those that stand in examples, or hardly more than one character."""
    plain = _BETWEEN.sub("", value.lower())
    return plain in _PLACEHOLDERS or any(part in plain for part in _PARTS) or len(set(value)) < _FEWEST_DIFFERENT


_HOW = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def _require_secret(name: str, value: str) -> None:
    if any(is_placeholder(one) for one in re.split(r"[\s,]+", value.strip())):
        raise ConfigurationError(f"{name} is a placeholder that anybody could guess. {_HOW}", field=name)


def _secrets(*all_settings: BaseSettings) -> Iterator[tuple[str, str]]:
    """Gives every secret by the name of its variable."""
    for settings in all_settings:
        prefix = settings.model_config.get("env_prefix", "")
        for name, value in settings:
            if isinstance(value, SecretStr):
                yield f"{prefix}{name}".upper(), value.get_secret_value()


def _require_certificate(settings: Settings) -> None:
    if settings.tls_cert is None and settings.tls_key is None:
        return
    if settings.tls_cert is None or settings.tls_key is None:
        missing = "LOSSNLP_TLS_CERT" if settings.tls_cert is None else "LOSSNLP_TLS_KEY"
        raise ConfigurationError(
            f"{missing} is missing beside the other; TLS needs certificate and key.", field=missing
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError:  # ssl.SSLError is one
        message = "LOSSNLP_TLS_CERT and LOSSNLP_TLS_KEY cannot be read, or do not belong together; both are PEM files."
        raise ConfigurationError(message, field="LOSSNLP_TLS_CERT") from None
