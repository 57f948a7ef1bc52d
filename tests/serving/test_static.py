"""Files of others are served as they were published."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "serving" / "static" / "vendor"
PUBLISHED = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "pico.min.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_vendored_file_is_the_published_one(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == PUBLISHED[name]


def test_every_vendored_library_brings_its_licence() -> None:
    libraries = {path.name.split(".")[0] for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert libraries == {path.stem for path in VENDOR.glob("*.LICENSE")}
