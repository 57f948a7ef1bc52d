"""The part of SOQL that the stand-in for Salesforce understands: one table, conditions, order, limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

Row = dict[str, Any]
Test = Callable[[Row], bool]
_TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*(?:\([A-Z]+\))?)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_COMPARE = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "'": "'", '"': '"', "\\": "\\"}
_QUOTED = {"id", "reference", "string", "picklist", "textarea"}


class SoqlError(Exception):
    """Says why a query is refused, with Salesforce's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    fields: Sequence[str]
    table: str
    test: Test
    order: Sequence[str]
    limit: int | None


class Parser:
    """Reads one query.

    Args:
        soql: As it was sent.
        types_of: Gives the types of a table's fields by name; raises SoqlError for a table that the user cannot see.
    """

    def __init__(self, soql: str, types_of: Callable[[str], Mapping[str, str]]) -> None:
        self._tokens = list(self._split(soql))
        self._at = 0
        self._types_of = types_of
        self._types: Mapping[str, str] = {}

    def parse(self) -> Query:
        self._word("SELECT")
        fields = [self._take("name")]
        while self._try(","):
            fields.append(self._take("name"))
        self._word("FROM")
        table = self._take("name")
        self._types = self._types_of(table)
        test = self._any() if self._try("WHERE") else lambda _row: True
        order = self._order() if self._try("ORDER") else []
        limit = int(self._take("number")) if self._try("LIMIT") else None
        if self._at < len(self._tokens):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self._tokens[self._at][1]}'")
        self._check(fields, limit)
        return Query(fields, table, test, order, limit)

    def _check(self, fields: Sequence[str], limit: int | None) -> None:
        if "FIELDS(ALL)" in fields and not (limit and limit <= 200):
            raise SoqlError("MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200")
        for field in fields:
            if field != "FIELDS(ALL)":
                self._type(field)
        if len(set(fields)) < len(fields):
            raise SoqlError("INVALID_FIELD", "duplicate field selected")

    @staticmethod
    def _split(soql: str) -> list[tuple[str, str]]:
        found, at = [], 0
        while at < len(soql):
            match = _TOKENS.match(soql, at)
            if match is None:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token at {at}")
            found.append((str(match.lastgroup), match[match.lastgroup or 0]))
            at = match.end()
        return found

    def _take(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise SoqlError("MALFORMED_QUERY", f"expecting a {kind}")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _try(self, text: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at][1] == text
        self._at += found
        return found

    def _word(self, text: str) -> None:
        if not self._try(text):
            raise SoqlError("MALFORMED_QUERY", f"expecting {text}")

    def _order(self) -> list[str]:
        self._word("BY")
        names = [self._take("name")]
        while self._try(","):
            names.append(self._take("name"))
        return names

    def _any(self) -> Test:
        tests = [self._all()]
        while self._try("OR"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._try("AND"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._try("("):
            inner = self._any()
            self._word(")")
            return inner
        name = self._take("name")
        kind = self._type(name)
        if kind == "textarea":
            raise SoqlError("INVALID_FIELD", f"field '{name}' can not be filtered in a query call")
        if self._try("IN"):
            return self._in(name, kind)
        compare = _COMPARE[self._take("sign")]
        value = self._value(name, kind)
        return lambda row: row.get(name) is not None and bool(compare(row[name], value))

    def _in(self, name: str, kind: str) -> Test:
        self._word("(")
        values = [self._value(name, kind)]
        while self._try(","):
            values.append(self._value(name, kind))
        self._word(")")
        return lambda row: row.get(name) in values

    def _value(self, name: str, kind: str) -> Any:
        found, text = self._tokens[self._at]
        self._at += 1
        wanted = "text" if kind in _QUOTED else {"datetime": "moment", "boolean": "name"}.get(kind, "number")
        if found != wanted:
            raise SoqlError("INVALID_FIELD", f"value of filter criterion for field '{name}' must be of type {kind}")
        if found == "moment":
            return text.removesuffix("Z").removesuffix(".000") + ".000+0000"
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        return self._text(text, kind) if found == "text" else float(text)

    @staticmethod
    def _text(text: str, kind: str) -> str:
        if re.search(r"\\[^nrt'\"\\]", text.replace("\\\\", "")):
            raise SoqlError("MALFORMED_QUERY", "invalid escape sequence")
        value = re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text[1:-1])
        if kind in ("id", "reference"):
            if not re.fullmatch(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", value):
                raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
            return with_check(value[:15])
        return value

    def _type(self, name: str) -> str:
        if name not in self._types:
            raise SoqlError("INVALID_FIELD", f"No such column '{name}' on entity")
        return self._types[name]


def with_check(short: str) -> str:
    """Gives the 18 characters of an id of 15: three more say which of the others are capital."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    parts = (short[:5], short[5:10], short[10:])
    return short + "".join(letters[sum(char.isupper() << at for at, char in enumerate(part))] for part in parts)
