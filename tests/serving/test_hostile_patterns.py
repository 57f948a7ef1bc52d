"""No pattern of the packages goes on for ever: steps are counted, over attacks made out of each pattern's own parse tree."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import pytest

import lossnlp
import serving
from tests.pattern_steps import Matcher, TooManyStepsError, find_attacks

_LENGTH = 32
_MOST_STEPS = 1000 * _LENGTH  # an exponential pattern takes billions, a quadratic one some hundreds a character
_DEEP = 20_000
_CACHED = type(cache(int))


def modules() -> Iterator[ModuleType]:
    for package in (lossnlp, serving):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name:
                yield importlib.import_module(found.name)


def patterns_in(value: object, depth: int = 0) -> Iterator[re.Pattern[str]]:
    """Gives the patterns that a value of a module holds, or makes where it is a cached function without arguments."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth > 4:
        return
    elif isinstance(value, dict):
        yield from (one for part in value.items() for one in patterns_in(part, depth + 1))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (one for part in value for one in patterns_in(part, depth + 1))
    elif not isinstance(value, type) and hasattr(value, "__dataclass_fields__"):
        yield from (
            one for name in value.__dataclass_fields__ for one in patterns_in(getattr(value, name, None), depth + 1)
        )
    elif isinstance(value, _CACHED) and not inspect.signature(value).parameters:
        yield from patterns_in(value(), depth + 1)


def every_pattern() -> dict[re.Pattern[str], str]:
    return {
        pattern: f"{module.__name__}.{name}"
        for module in modules()
        for name, value in vars(module).items()
        for pattern in patterns_in(value)
        if isinstance(pattern.pattern, str)
    }


@contextmanager
def deep() -> Iterator[None]:
    """Lets the matcher call itself as often as a text has characters."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEP)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def is_endless(pattern: re.Pattern[str]) -> bool:
    with deep():
        try:
            for attack in find_attacks(pattern, _LENGTH):
                Matcher(pattern, attack, _MOST_STEPS).find_all()
        except TooManyStepsError:
            return True
    return False


def test_every_pattern_comes_to_an_end() -> None:
    found = every_pattern()
    assert len(found) > 150
    assert [name for pattern, name in found.items() if is_endless(pattern)] == []


@pytest.mark.parametrize(
    "source", [r"(a+)+$", r"(?:a|a)*b", r"(?:\w+\s?)*:", r"(?:a*)*c", r"(x+x+)+y", r"^(?:.*,){11}P"]
)
def test_known_catastrophes_are_found(source: str) -> None:
    assert is_endless(re.compile(source))


@pytest.mark.parametrize(
    ("source", "text"), [(r"a+b?", "aaab ab"), (r"(\w)\1", "xaab"), (r"(?<=a)b|(?!c)\d+?$", "ab c 12")]
)
def test_matcher_finds_what_python_finds(source: str, text: str) -> None:
    pattern = re.compile(source)
    for at in range(len(text)):
        own = pattern.match(text, at)
        assert Matcher(pattern, text, 10_000).match(at) == (own.end() if own else None)
