"""What a service in production does not start with, and that TLS is spoken where it is set."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from typer.testing import CliRunner

from serving.app import create_app
from serving.commands import app as commands
from serving.errors import ConfigurationError
from serving.safe_start import is_placeholder, require_safe_address, require_safe_settings
from serving.server import Wire, open_port, serving_beside
from serving.settings import Settings
from tests.serving.conftest import KEY


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), begin, begin + timedelta(days=2)
    )
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*form))
    return files


@pytest.mark.parametrize(
    "value", ["changeme", "Change-Me", "secret", "YOUR_API_KEY_HERE", "aaaaaaaaaaaaaaaaaaaaaaaa", "my secret"]
)
def test_placeholder_is_known(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize("value", [KEY, "lossnlp_6mZr1cX0", "4f1c9b7a2d3e8f60", "correct horse battery staple"])
def test_random_value_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"api_key": SecretStr("change-me-before-production")}, "LOSSNLP_API_KEY"),
        ({"api_key": SecretStr("xK3!sho")}, "LOSSNLP_API_KEY"),
        ({"text_keys": SecretStr("A" * 43 + "=")}, "LOSSNLP_TEXT_KEYS"),
        ({"log_level": "debug"}, "LOSSNLP_LOG_LEVEL"),
    ],
)
def test_production_refuses_and_names_the_variable(settings: Settings, changed: dict[str, Any], variable: str) -> None:
    unsafe = settings.model_copy(update=changed)
    with pytest.raises(ConfigurationError, match=variable) as refused:
        require_safe_settings(unsafe)
    assert "change-me" not in refused.value.message
    require_safe_settings(unsafe.model_copy(update={"env": "development"}))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LOSSNLP_DOOR_DEALS_SECRET", "changeme-changeme-changeme-changeme"), ("LOSSNLP_DOOR_BOTTLECRM_SECRET", "secret")],
)
def test_secret_of_a_door_is_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable):
        require_safe_settings(settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "lossnlp.internal"])  # noqa: S104 (it is what is refused)
def test_open_address_needs_tls_or_a_proxy(settings: Settings, host: str) -> None:
    with pytest.raises(ConfigurationError, match="LOSSNLP_BEHIND_PROXY"):
        require_safe_address(settings, host)
    require_safe_address(settings.model_copy(update={"behind_proxy": ("10.0.0.5",)}), host)
    require_safe_address(settings.model_copy(update={"env": "development"}), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_address_of_this_machine_needs_nothing(settings: Settings, host: str) -> None:
    require_safe_address(settings, host)


def test_certificate_needs_its_own_key(settings: Settings, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    with pytest.raises(ConfigurationError, match="LOSSNLP_TLS_KEY is missing"):
        require_safe_address(settings.model_copy(update={"tls_cert": cert}), "127.0.0.1")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        require_safe_address(settings.model_copy(update={"tls_cert": cert, "tls_key": cert}), "127.0.0.1")
    require_safe_address(settings.model_copy(update={"tls_cert": cert, "tls_key": key}), "0.0.0.0")  # noqa: S104


def test_service_speaks_tls(settings: Settings, assessor: Any, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    app = create_app(settings, assessor=assessor)
    with serving_beside(app, open_port("127.0.0.1", 0), Wire(*certificate)) as url:
        assert url.startswith("https://")
        assert httpx2.get(f"{url}/healthz", verify=trusting).status_code == 200


@pytest.mark.parametrize(
    ("words", "env", "named"),
    [
        (["run", "--host", "0.0.0.0"], {"LOSSNLP_API_KEY": KEY}, "--host"),  # noqa: S104
        (["run"], {"LOSSNLP_API_KEY": "changeme"}, "LOSSNLP_API_KEY"),
        (["worker", "--once"], {"LOSSNLP_LOG_LEVEL": "debug"}, "LOSSNLP_LOG_LEVEL"),
    ],
)
def test_command_does_not_start(
    settings: Settings, set_up_logs: Callable[..., None], words: list[str], env: dict[str, str], named: str
) -> None:
    del set_up_logs
    ended = CliRunner().invoke(commands, words, env={"LOSSNLP_VAR_DIR": str(settings.var_dir), **env})
    assert isinstance(ended.exception, ConfigurationError)
    assert named in ended.exception.message
