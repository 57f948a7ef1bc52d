"""Texts that trick: bombs of JSON and XML, invalid UTF-8, bidi and zero-width characters, homoglyphs, SQL, formulas."""

from __future__ import annotations

_JSON = {"content-type": "application/json"}
_RTL, _ZERO = "\u202e", "\u200b"
