"""The licences of what is installed with the served product, out of its lock and the packages' own metadata.

Run: python -m docs.licences
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "serve.lock"
PAGE = ROOT / "docs" / "licences.md"
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)
# As packages write them, where that is not SPDX
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
}
_PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
    "Zlib",
}
# Of the file or the library alone: used as they are and not changed, they ask nothing of what uses them
_WEAK = {"LGPL-2.1-or-later", "LGPL-3.0-only", "MPL-2.0"}
_HEAD = """# Licences

What is installed with the served product (`requirements/serve.lock`: lossnlp with its extras serve, postgres and trace, on Linux), and
under which licence, as each package says of itself. `make licences` writes this page; a test refuses a licence that is unknown or would
have to be passed on. Those marked *library* are copyleft for themselves alone: they are used unchanged, as libraries that can be exchanged.
lossnlp itself is under Apache-2.0.

| package | version | licence | |
| --- | --- | --- | --- |
"""


def pinned(lock: str) -> dict[str, str]:
    """Gives the version of each package of a lock.

    Args:
        lock: Its text.
    """
    return dict(_PINNED.findall(lock))


def licence_of(package: str) -> str:
    """Gives a package's licence as an SPDX expression, `unknown` where it does not tell one or is not installed."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return "unknown"
    classes = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or [] if one.startswith("License ::")]
    for said in (told.get("License-Expression"), told.get("License"), *classes):
        expression = _SPDX.get(said or "", said or "")
        if expression and is_known(expression):
            return expression
    return "unknown"


def is_known(expression: str) -> bool:
    """Says whether every licence of an expression is one that the served product may come with."""
    return _parts(expression) <= _PERMISSIVE | _WEAK


def page() -> str:
    """Gives the page."""
    return _HEAD + "".join(f"{row}\n" for row in _rows())


def _rows() -> Iterator[str]:
    for package, version in pinned(LOCK.read_text(encoding="utf-8")).items():
        licence = licence_of(package)
        yield f"| {package} | {version} | {licence} | {'library' if _parts(licence) & _WEAK else ''} |"


def _parts(expression: str) -> set[str]:
    return set(re.split(r"\s+(?:AND|OR)\s+", expression.replace("(", "").replace(")", "")))


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written.\n")


if __name__ == "__main__":
    main()
