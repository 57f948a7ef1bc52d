"""What is served: locked with hashes as it was tested, without training's libraries, under licences that may be used."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs import licences

ROOT = Path(__file__).parents[2]
LOCKS = ("serve.lock", "build.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str = "serve.lock") -> dict[str, str]:
    return licences.pinned((ROOT / "requirements" / name).read_text())


def test_lock_holds_what_the_project_asks_for() -> None:
    extras = PROJECT["optional-dependencies"]
    asked = map(Requirement, [*PROJECT["dependencies"], *extras["serve"], *extras["postgres"], *extras["trace"]])
    pins = locked()
    missed = [str(one) for one in asked if not one.specifier.contains(pins.get(canonicalize_name(one.name), "0"))]
    assert missed == []


def test_lock_holds_the_versions_that_were_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    assert {name: tested.get(name) for name in locked()} == locked()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_a_hash(name: str) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements" / name).read_text(), flags=re.MULTILINE)
    assert [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []


def test_training_is_not_served() -> None:
    assert set(locked()) & {"torch", "transformers", "datasets", "mlflow", "nncf", "scikit-learn", "pyspark"} == set()


def test_every_licence_is_known_and_listed() -> None:
    assert [name for name in locked() if licences.licence_of(name) == "unknown"] == []
    assert licences.page() == licences.PAGE.read_text(), "the list is old: make licences"


@pytest.mark.parametrize(
    ("expression", "expected"), [("MIT OR Apache-2.0", True), ("GPL-3.0-only", False), ("unknown", False)]
)
def test_licence_that_would_be_passed_on_is_refused(expression: str, *, expected: bool) -> None:
    assert licences.is_known(expression) is expected


def test_wheel_is_the_same_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    digests = set()
    for name in ("first", "second"):
        env = os.environ | {"SOURCE_DATE_EPOCH": "1735689600"}
        subprocess.run([*command, str(tmp_path / name)], cwd=ROOT, env=env, check=True, capture_output=True)
        [wheel] = (tmp_path / name).glob("*.whl")
        digests.add(hashlib.sha256(wheel.read_bytes()).hexdigest())
        wheel.unlink()
    assert len(digests) == 1


def test_bill_of_materials_names_every_package_with_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "requirements",
        "requirements/serve.lock",
        "--of",
        "JSON",
        "-o",
        str(file),
    ]
    subprocess.run([*command, "--pyproject", "pyproject.toml"], cwd=ROOT, check=True, capture_output=True)
    bill = json.loads(file.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert {part["name"]: part["version"] for part in bill["components"]} == locked()
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])
