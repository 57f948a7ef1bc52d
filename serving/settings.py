"""Settings of the service: read once from the environment, then passed along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from serving.errors import ConfigurationError

MIB = 1024 * 1024
S = TypeVar("S", bound=BaseSettings)


def _default_database_url(values: dict[str, Any]) -> str:
    return f"sqlite:///{values.get('var_dir', Path('var'))}/lossnlp.sqlite3"


def _split_names(names: object) -> object:
    """Gives the names of a list with commas between them."""
    return tuple(name.strip() for name in names.split(",") if name.strip()) if isinstance(names, str) else names


def _path_as_text(named: object) -> object:
    return str(named) if isinstance(named, Path) else named


ModelName = Annotated[str, BeforeValidator(_path_as_text)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]


def _split_keys(keys: object) -> object:
    """Gives the keys of a list; one that is set and holds none must not read as none asked for."""
    split = _split_names(keys)
    if isinstance(keys, str) and not split:
        raise ValueError("it is set and holds no key")
    return split


Keys = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_keys)]


class Settings(BaseSettings):
    """What an installation may set; every name stands in the environment as `LOSSNLP_<NAME>`.

    Args:
        var_dir: Folder of the files the service makes: the embedded database, the first key, the demo CRM's state.
        database_url: SQLAlchemy URL; an SQLite file under `var_dir`, or `postgresql+psycopg://…`.
        api_key: A first API key, for start-up; further keys are made with `lossnlp-serve keys create`.
        model: The model in service: a bundle folder, a folder of bundles with the pointer `champion.json`, or an alias of a registry
            (`registry:MODEL@ALIAS`); None is the bundle that ships with lossnlp.
        bundle_key: Public key that must have signed every model bundle which is put in service, or several with commas between them, each
            the second line of a minisign `.pub` file; none given, no signature is asked for.
        model_every_s: Time between two looks whether another model is named, in seconds, at least 0.05.
        shadow_model: A challenger that reads every new deal along, named as `model` is, with the pointer `challenger.json`; None has
            none.
        rivals: Names of rivals, beside those that lossnlp finds by itself; commas between them.
        own_names: Names of the own company and products, which are never rivals; commas between them.
        fiscal_year_starts: Month in which fiscal years start where a text does not say, 1 to 12.
        env: `production` refuses to start without a key, with secrets that can be guessed, or on an address that others reach without
            TLS; `development` makes a key under `var_dir`.
        crm: Name of the connected CRM (a module of `serving.crm`); None writes nothing back.
        crm_words: YAML file of a company's own names for our fields and values; None keeps ours.
        poll_since: Day (UTC) from which the first poll of the CRM lists lost deals, YYYY-MM-DD; None is the moment of that poll.
        poll_every_s: Time from the end of one poll to the start of the next, in seconds, at least 1.
        audit_rate: Share of the deals that need no person and are put before one all the same, 0 to 1.
        agreement_rate: Share of the reviews that two people judge apart from each other, 0 to 1.
        text_keys: Fernet keys that the documents of assessed deals are kept encrypted with, newest first, commas between them; None
            keeps no text.
        redact: Whether quotes, labels of speakers, stated reasons and reviewers' remarks are kept with placeholders for people,
            addresses and numbers.
        label_errors: File that `python -m training.label_errors` has written, for the page of labels that are likely wrong; None
            shows none.
        max_body_bytes: Largest accepted request body, in bytes.
        max_batch_items: Most deals in one batch request.
        max_waiting: Most requests for one deal that are let in and not answered yet, in each process; half as many for batches. What
            comes then is answered 503 at once.
        max_connections: Most connections that are held at once, in each process; more are closed at once.
        head_timeout_s: How long the whole head of a request may take to come, in seconds; then the connection is closed.
        body_timeout_s: The same for the whole body of a request.
        request_timeout_s: How long a request for one deal waits to be read where it does not say so itself (`Request-Timeout`), in
            seconds.
        batch_timeout_s: The same for a batch request, in seconds.
        round_deals: Most deals that are read in one call of the model.
        round_chars: Most characters that are read in one call; a longer deal is read alone.
        round_window_ms: How long a deal waits for others to be read with, where none wait, in milliseconds; 0 does not wait.
        rounds_at_once: Calls of the model that run side by side in a process.
        tls_cert: PEM file of the certificate that the service speaks TLS with, the chain behind it; None speaks none.
        tls_key: PEM file of the certificate's key, without a password.
        behind_proxy: Addresses or networks of the proxies that speak TLS in front of the service, commas between them; what they say
            of a caller's address and scheme (`X-Forwarded-For`, `X-Forwarded-Proto`) is believed.
        processes: Processes that answer on the port, 0 for one a processor that the service may use.
        threads: Processor threads of the model in each process, 0 for a share of the processors that the service may use.
        log_level: Least severe level that is logged.
    """

    model_config = SettingsConfigDict(env_prefix="LOSSNLP_", env_ignore_empty=True, frozen=True)

    var_dir: Path = Path("var")
    database_url: str = Field(default_factory=_default_database_url, repr=False)
    api_key: SecretStr | None = None
    model: ModelName | None = None
    bundle_key: Keys = ()
    model_every_s: float = Field(default=10.0, ge=0.05)
    shadow_model: ModelName | None = None
    rivals: Names = ()
    own_names: Names = ()
    fiscal_year_starts: int = Field(default=1, ge=1, le=12)
    env: Literal["production", "development"] = "production"
    crm: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    crm_words: Path | None = None
    poll_since: date | None = None
    poll_every_s: float = Field(default=300.0, ge=1)
    audit_rate: float = Field(default=0.02, ge=0, le=1)
    agreement_rate: float = Field(default=0.1, ge=0, le=1)
    text_keys: SecretStr | None = None
    redact: bool = False
    label_errors: Path | None = None
    max_body_bytes: int = Field(default=32 * MIB, ge=1024)
    max_batch_items: int = Field(default=500, ge=1, le=500)
    max_waiting: int = Field(default=64, ge=1, le=10_000)
    max_connections: int = Field(default=900, ge=1)
    head_timeout_s: float = Field(default=15.0, gt=0, le=3600)
    body_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    request_timeout_s: float = Field(default=30.0, gt=0, le=3600)
    batch_timeout_s: float = Field(default=300.0, gt=0, le=3600)
    round_deals: int = Field(default=16, ge=1, le=512)
    round_chars: int = Field(default=65_536, ge=1)
    round_window_ms: float = Field(default=2.0, ge=0, le=1000)
    rounds_at_once: int = Field(default=2, ge=1, le=64)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: Names = ()
    processes: int = Field(default=1, ge=0, le=256)
    threads: int = Field(default=0, ge=0, le=1024)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        """Gives the URL with the PostgreSQL driver that ships; hosting services hand out URLs without one."""
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        return url


def load_settings() -> Settings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why.
    """
    return read_settings(Settings, prefix="LOSSNLP_")


def read_settings(make: Callable[[], S], *, prefix: str, blamed: str = "") -> S:
    """Gives the settings that `make` reads from the environment.

    Args:
        make: The class of settings, or what calls it.
        prefix: That every name has in the environment.
        blamed: Name that is told where the settings do not fit together.

    Raises:
        ConfigurationError: Names the first variable that is missing or cannot be used and why, never its value.
    """
    try:
        return make()
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = prefix + ("_".join(str(part) for part in fault["loc"]) or blamed).upper()
        raise ConfigurationError(f"{name}: {fault['msg']}.", field=name) from None
