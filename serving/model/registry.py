"""Bundles of an MLflow registry, over the REST interface of its tracking server: no MLflow is needed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import yaml
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lossnlp.bundle import MANIFEST, Manifest, read_bundle
from lossnlp.bundle_files import MANIFEST_BYTES, get_most_bytes
from lossnlp.errors import BundleError
from lossnlp.pointer import find_bundle_folder, pointer_file, write_pointer
from lossnlp.signing import SIGNATURE, SIGNATURE_BYTES
from serving.errors import ConfigurationError
from serving.model.sources import Named, SourceAwayError, made_whole
from serving.outgoing import fetch_body, open_client, read_parts
from serving.settings import MIB, Settings, read_settings

REGISTRY = "registry:"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._ -]{0,99})(?:@([A-Za-z0-9][A-Za-z0-9._-]{0,99}))?")
_API = "api/2.0/mlflow/registered-models/alias"
_VERSION = "api/2.0/mlflow/model-versions/get"
_ARTIFACT = "model-versions/get-artifact"
_MOST_TOLD_BYTES, _MOST_FILE_BYTES = MIB, 2048 * MIB
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)


class RegistrySettings(BaseSettings):
    """Where the tracking server is; the names are MLflow's own.

    Args:
        tracking_uri: Its address, http or https.
        tracking_token: A bearer token.
        tracking_username: A name for basic authentication.
        tracking_password: The password of that name.
    """

    model_config = SettingsConfigDict(env_prefix="MLFLOW_", env_ignore_empty=True, frozen=True)

    tracking_uri: str = Field(pattern=r"^https?://[^/?#\s@]+(/[^?#\s]*)?$")
    tracking_token: SecretStr | None = None
    tracking_username: str | None = None
    tracking_password: SecretStr | None = None


class _Version(BaseModel, coerce_numbers_to_str=True):
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")


class _Answer(BaseModel):
    """What the registry answers of a version, as far as we need it."""

    model_version: _Version


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """The version of a registered model that bears an alias.

    A version's bundle is fetched once, checked, and kept under `kept`: a rollback to it downloads nothing. Signatures are checked by who
    loads it.

    Args:
        client: Reaches the tracking server.
        model: Name of the registered model.
        alias: The alias.
        kept: Folder of the bundles that were fetched.
        is_signed: Whether a version's signature is fetched too, for who loads it to check.

    Source: https://mlflow.org/docs/latest/api_reference/rest-api.html
    """

    client: httpx2.Client
    model: str
    alias: str
    kept: Path
    is_signed: bool = False
    may_change: bool = True

    def find_named(self) -> Named:
        """Gives the version that bears the alias now."""
        told = self._ask(_API, name=self.model, alias=self.alias)
        return _read_version(told)

    def fetch(self, named: Named) -> Path:
        """Gives the folder of a version's bundle, fetched and checked, or as it was kept."""
        folder = self.kept / self._name(named.reference)
        if not folder.is_dir():
            self._fetch_whole(named.reference, folder)
        if self.is_signed and not (folder / SIGNATURE).is_file():
            self._fetch_signature(named.reference, folder)
        write_pointer(self.kept, folder.name, alias=self._last)
        return folder

    def find_last(self) -> Named | None:
        """Gives the version that was fetched last under this alias."""
        if not pointer_file(self.kept, self._last).is_file():
            return None
        return Named(find_bundle_folder(self.kept, alias=self._last).name.removeprefix(self._name("")))

    @property
    def _last(self) -> str:
        return f"{self.model}@{self.alias}"

    def _name(self, version: str) -> str:
        return f"{self.model}-{version}"

    def _fetch_whole(self, version: str, folder: Path) -> None:
        """Makes the folder appear with all of a version's bundle in it, or not at all."""
        with made_whole(folder) as fresh:
            self._download(version, fresh)
            read_bundle(fresh)

    def _fetch_signature(self, version: str, folder: Path) -> None:
        """Puts the signature into the folder where the version has one; without it, who loads the bundle refuses it."""
        fresh = folder / f".{SIGNATURE}-{uuid4().hex}"
        try:
            self._save(version, f"{self._find_bundle(version)}/{SIGNATURE}", fresh, most_bytes=SIGNATURE_BYTES)
            fresh.replace(folder / SIGNATURE)
        except BundleError:
            return
        except SourceAwayError as error:  # a store of artifacts may answer so for a file that is not there
            message = (
                f"The signature of version {version} cannot be fetched ({error.message}); was it registered unsigned?"
            )
            raise SourceAwayError(message) from None
        finally:
            fresh.unlink(missing_ok=True)

    def find_bundle(self, wanted: str) -> Named:
        """Gives a version of the model."""
        told = self._ask(_VERSION, name=self.model, version=wanted)
        return _read_version(told)

    def point(self, named: Named) -> None:
        """Gives the alias to another version."""
        with self._answers():
            body = {"name": self.model, "alias": self.alias, "version": named.reference}
            self.client.post(_API, json=body).raise_for_status()

    def _download(self, version: str, folder: Path) -> None:
        """Fetches the files that the bundle's manifest lists; each name is checked before anything is written under it."""
        inside = self._find_bundle(version)
        manifest_file = folder / MANIFEST
        self._save(version, f"{inside}/{MANIFEST}", manifest_file, most_bytes=MANIFEST_BYTES)
        try:
            manifest = Manifest.model_validate_json(manifest_file.read_bytes())
        except ValidationError:
            raise BundleError(f"Version {version} of '{self.model}' has a damaged {MANIFEST}.") from None
        for name in manifest.files:
            if name == MANIFEST:
                raise BundleError(f"Version {version} of '{self.model}' lists '{name}', which no bundle holds.")
            self._save(version, f"{inside}/{name}", folder / name, most_bytes=get_most_bytes(name))

    def _find_bundle(self, version: str) -> str:
        """Gives the path of the bundle among the files of the logged model."""
        query = {"name": self.model, "version": version, "path": "MLmodel"}
        with self._answers():
            described = fetch_body(self.client, _ARTIFACT, most_bytes=_MOST_TOLD_BYTES, params=query)
        try:
            path = yaml.safe_load(described)["flavors"]["python_function"]["artifacts"]["bundle"]["path"]
        except (yaml.YAMLError, KeyError, TypeError, RecursionError):
            message = f"Version {version} of '{self.model}' is no model of lossnlp: it was logged without a bundle."
            raise BundleError(message) from None
        return str(path)

    def _save(self, version: str, path: str, file: Path, *, most_bytes: int) -> None:
        query = {"name": self.model, "version": version, "path": path}
        with self._answers(), self.client.stream("GET", _ARTIFACT, params=query) as answer, file.open("wb") as out:
            answer.raise_for_status()
            for part in read_parts(answer, most_bytes=most_bytes):
                out.write(part)

    def _ask(self, path: str, **query: str) -> object:
        with self._answers():
            told: object = json.loads(fetch_body(self.client, path, most_bytes=_MOST_TOLD_BYTES, params=query))
            return told

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Turns what goes wrong on the way into one message: 404 says that the registry has no such thing, all else that it is away."""
        try:
            yield
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            if status in (400, 404):
                raise BundleError(f"The registry has no '{self.model}@{self.alias}' as it was asked for.") from None
            raise SourceAwayError(f"The registry answers with status {status}.") from None
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            raise SourceAwayError(f"The registry cannot be reached ({type(error).__name__}).") from None


def _read_version(told: object) -> Named:
    """Gives the version that an answer names; it becomes the name of a folder.

    Raises:
        BundleError: It names none, or one that no registry gives.
    """
    try:
        version = _Answer.model_validate(told).model_version.version
    except ValidationError:
        raise BundleError("The registry's answer names no version of a model.") from None
    return Named(version)


def open_registry(settings: Settings, named: str, *, alias: str) -> RegistrySource:
    """Gives an alias of the registry that MLFLOW_TRACKING_URI names.

    Args:
        settings: What the installation has set.
        named: `registry:MODEL` or `registry:MODEL@ALIAS`.
        alias: The alias where none is given.

    Raises:
        ConfigurationError: The name or the address cannot be used.
    """
    found = _NAME.fullmatch(named.removeprefix(REGISTRY))
    if found is None:
        message = f"'{named}' names no registered model; write registry:MODEL@ALIAS, such as registry:lossnlp@{alias}."
        raise ConfigurationError(message, field="LOSSNLP_MODEL")
    client = _connect(_read_registry_settings())
    kept, is_signed = settings.var_dir / "models", bool(settings.bundle_key)
    return RegistrySource(client, found[1], found[2] or alias, kept, is_signed=is_signed)


def _read_registry_settings() -> RegistrySettings:
    try:
        return read_settings(RegistrySettings, prefix="MLFLOW_")
    except ConfigurationError as error:
        message = (
            f"{error.message} A registry is asked through its tracking server: start one with `mlflow server "
            "--backend-store-uri sqlite:///mlflow.db` and set MLFLOW_TRACKING_URI to its http address."
        )
        raise ConfigurationError(message, field=error.field) from None


def _connect(registry: RegistrySettings) -> httpx2.Client:
    headers, auth = {}, None
    if registry.tracking_token:
        headers["Authorization"] = f"Bearer {registry.tracking_token.get_secret_value()}"
    elif registry.tracking_username and registry.tracking_password:
        auth = httpx2.BasicAuth(registry.tracking_username, registry.tracking_password.get_secret_value())
    base = registry.tracking_uri.rstrip("/") + "/"
    return open_client(most_bytes=_MOST_FILE_BYTES, base_url=base, headers=headers, auth=auth, timeout=_TIMEOUT)
