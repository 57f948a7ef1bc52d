"""The house rules that a program can hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lossnlp

ROOT = Path(__file__).parents[1]
PACKAGES = ("lossnlp", "lossnlp_spark", "training", "serving")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TEXTS = sorted(
    path
    for ending in ("md", "py", "toml", "yaml", "yml")
    for path in ROOT.glob(f"**/*.{ending}")
    if ".venv" not in path.parts
)
NAMELESS = {"utils", "helpers", "manager", "common", "misc"}
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 50


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_named_and_short(path: Path) -> None:
    assert path.stem not in NAMELESS
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    long = [node.name for node in functions(path) if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_reads_no_pickles(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) pickle\b", text, flags=re.MULTILINE)
    assert not re.search(r"torch\.load\((?![^)]*weights_only=True)", text)


def test_no_text_names_a_machine() -> None:
    machine = re.compile("/(?:ro" + "ot|wo" + "rk|ho" + "me)/[a-z]|" + r"\.\./sha" + "red")
    assert [str(path.relative_to(ROOT)) for path in TEXTS if machine.search(path.read_text(encoding="utf-8"))] == []


def test_package_never_imports_its_own_root() -> None:
    found = []
    for path in MODULES:
        package = path.relative_to(ROOT).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == package and path.name != "__init__.py":
                found += [
                    f"{path.name}: {name.name}"
                    for name in node.names
                    if not (ROOT / package / f"{name.name}.py").exists()
                ]
    assert found == []


def test_public_surface_stays_small() -> None:
    assert len(lossnlp.__all__) <= 12


def test_no_text_holds_a_blank_to_fill() -> None:
    blank = "@" + "@"
    assert [str(path.relative_to(ROOT)) for path in TEXTS if blank in path.read_text(encoding="utf-8")] == []
