"""Steps that a backtracking matcher takes, counted over a pattern's parse tree: the same on every machine, where time is not.

It does what Python's own matcher does, without its shortcuts: from each place of a text it tries alternatives in order, and goes back.
Where it finds a match it goes on behind it, as `finditer` does.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Next = Callable[[int], int | None]
_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT)
_SAMPLE = "a A0_-.,:;@/'\"()[]<>{}=+*#&%\t\n\u2013\u00e9x1eI"
_MOST_PLACES = 2  # where the same repetition is attacked
_LONG = 24  # a repetition that may go on for longer is worth an attack


class TooManyStepsError(Exception):
    """Says that an attack takes more steps than it may."""


class Matcher:
    """Counts the steps of one pattern on one text.

    Args:
        pattern: The pattern.
        text: What it is run on.
        most: Steps after which it gives up.
    """

    def __init__(self, pattern: re.Pattern[str], text: str, most: int) -> None:
        self.text, self.most, self.steps = text, most, 0
        self._flags = pattern.flags
        self._tree = list(parser.parse(pattern.pattern, pattern.flags))
        self._groups: dict[int, tuple[int, int]] = {}
        self._taken: dict[tuple[int, str], bool] = {}

    def match(self, at: int) -> int | None:
        """Gives where a match that begins here ends."""
        return self._run(self._tree, 0, at, lambda stop: stop)

    def find_all(self) -> int:
        """Gives the steps of finding every match.

        Raises:
            TooManyStepsError: They are too many.
        """
        at = 0
        while at <= len(self.text):
            end = self.match(at)
            at = end if end is not None and end > at else at + 1
        return self.steps

    def _step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > self.most:
            raise TooManyStepsError

    def _run(self, nodes: Sequence[Any], index: int, at: int, then: Next) -> int | None:
        self._step()
        if index == len(nodes):
            return then(at)
        op, value = nodes[index]

        def rest(stop: int) -> int | None:
            return self._run(nodes, index + 1, stop, then)

        if op in _REPEATS:
            return self._repeat(op, value, at, rest)
        if is_single(op):
            return rest(at + 1) if self._takes(nodes[index], at) else None
        return self._structure(op, value, at, rest)

    def _structure(self, op: Any, value: Any, at: int, rest: Next) -> int | None:
        if op is c.BRANCH:
            return next((end for way in value[1] if (end := self._run(list(way), 0, at, rest)) is not None), None)
        if op is c.SUBPATTERN:
            return self._group(value[0], list(value[3]), at, rest)
        if op is c.ATOMIC_GROUP:
            end = self._run(list(value), 0, at, lambda stop: stop)
            return None if end is None else rest(end)
        if op in (c.ASSERT, c.ASSERT_NOT):
            return rest(at) if self._looks(value, at) is (op is c.ASSERT) else None
        if op is c.AT:
            return rest(at) if self._stands(value, at) else None
        if op is c.GROUPREF:
            low, high = self._groups.get(value, (0, 0))
            words = self.text[low:high]
            return rest(at + len(words)) if self.text.startswith(words, at) else None
        raise NotImplementedError(str(op))

    def _group(self, number: int | None, nodes: list[Any], at: int, rest: Next) -> int | None:
        def closed(stop: int) -> int | None:
            if number is not None:
                self._groups[number] = (at, stop)
            return rest(stop)

        return self._run(nodes, 0, at, closed)

    def _repeat(self, op: Any, value: Any, at: int, rest: Next) -> int | None:
        least, most, body = int(value[0]), int(value[1]), list(value[2])
        if len(body) == 1 and is_single(body[0][0]):
            return self._repeat_single(op, (least, most, body[0]), at, rest)
        if op is c.POSSESSIVE_REPEAT:
            return rest(self._as_far(body, most, at))
        return self._repeat_group(op, (least, most, body), (0, at), rest)

    def _as_far(self, body: list[Any], most: int, at: int) -> int:
        for _ in range(min(most, len(self.text))):
            end = self._run(body, 0, at, lambda stop: stop)
            if end is None or end == at:
                return at
            at = end
        return at

    def _repeat_single(self, op: Any, value: tuple[int, int, Any], at: int, rest: Next) -> int | None:
        least, most, node = value
        count = 0
        while count < most and self._takes(node, at + count):
            count += 1
        self._step(count)
        counts = range(count, least - 1, -1) if op is not c.MIN_REPEAT else range(least, count + 1)
        if op is c.POSSESSIVE_REPEAT:
            counts = range(count, count + (count >= least))
        return next((end for some in counts if (end := rest(at + some)) is not None), None)

    def _repeat_group(self, op: Any, value: tuple[int, int, Any], place: tuple[int, int], rest: Next) -> int | None:
        least, most, body = value
        count, at = place

        def again(stop: int) -> int | None:
            if stop == at and count >= least:
                return None
            return self._repeat_group(op, value, (count + 1, stop), rest)

        def further() -> int | None:
            return self._run(body, 0, at, again) if count < most else None

        if count < least:
            return further()
        first, second = (lambda: rest(at), further) if op is c.MIN_REPEAT else (further, lambda: rest(at))
        end = first()
        return second() if end is None else end

    def _looks(self, value: Any, at: int) -> bool:
        direction, nodes = value
        if direction > 0:
            return self._run(list(nodes), 0, at, lambda stop: stop) is not None
        start = at - int(nodes.getwidth()[0])
        return start >= 0 and self._run(list(nodes), 0, start, lambda stop: stop if stop == at else None) is not None

    def _takes(self, node: Any, at: int) -> bool:
        self._step()
        if at >= len(self.text):
            return False
        key = (id(node), self.text[at])
        if key not in self._taken:
            self._taken[key] = unit(node, self._flags).fullmatch(self.text[at]) is not None
        return self._taken[key]

    def _stands(self, where: Any, at: int) -> bool:
        return _mark(_MARKS[where], self._flags & (re.MULTILINE | re.ASCII)).match(self.text, at) is not None


_MARKS = {
    c.AT_BEGINNING: r"^",
    c.AT_BEGINNING_STRING: r"\A",
    c.AT_END: r"$",
    c.AT_END_STRING: r"\Z",
    c.AT_BOUNDARY: r"\b",
    c.AT_NON_BOUNDARY: r"\B",
}


@cache
def _mark(mark: str, flags: int) -> re.Pattern[str]:
    return re.compile(mark, flags)


def is_single(op: Any) -> bool:
    """Says whether a node takes one character."""
    return op in (c.LITERAL, c.NOT_LITERAL, c.IN, c.ANY)


_UNITS: dict[tuple[str, int], re.Pattern[str]] = {}


def unit(node: Any, flags: int) -> re.Pattern[str]:
    """Gives the pattern of a node that takes one character."""
    key = (repr(node), flags & ~re.VERBOSE)
    if key not in _UNITS:
        _UNITS[key] = re.compile(_source(node), key[1] & (re.IGNORECASE | re.DOTALL | re.ASCII))
    return _UNITS[key]


def _source(node: Any) -> str:
    op, value = node
    if op is c.ANY:
        return "."
    if op is c.LITERAL:
        return re.escape(chr(value))
    if op is c.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    classes = {
        c.CATEGORY_DIGIT: r"\d",
        c.CATEGORY_NOT_DIGIT: r"\D",
        c.CATEGORY_SPACE: r"\s",
        c.CATEGORY_NOT_SPACE: r"\S",
        c.CATEGORY_WORD: r"\w",
        c.CATEGORY_NOT_WORD: r"\W",
    }
    parts = []
    for kind, inner in value:
        if kind is c.NEGATE:
            parts.append("^")
        elif kind is c.LITERAL:
            parts.append(re.escape(chr(inner)))
        elif kind is c.RANGE:
            parts.append(f"{re.escape(chr(inner[0]))}-{re.escape(chr(inner[1]))}")
        else:
            parts.append(classes[inner])
    return f"[{''.join(parts)}]"


def witness(nodes: Sequence[Any], flags: int, pick: int = 0) -> str:
    """Gives a text that the nodes take, as far as looks around do not mind; `pick` chooses among characters and alternatives."""
    return "".join(_witness_of(op, value, flags, pick) for op, value in nodes)


def _witness_of(op: Any, value: Any, flags: int, pick: int) -> str:
    if is_single(op):
        taken = [char for char in _SAMPLE if unit((op, value), flags).fullmatch(char)]
        return taken[pick % len(taken)] if taken else chr(value) if op is c.LITERAL else "\u4e2d"
    if op is c.BRANCH:
        return witness(list(value[1][pick % len(value[1])]), flags, pick)
    if op is c.SUBPATTERN:
        return witness(list(value[3]), flags, pick)
    if op is c.ATOMIC_GROUP:
        return witness(list(value), flags, pick)
    if op in _REPEATS:
        return witness(list(value[2]), flags, pick) * max(1, int(value[0]))
    return ""


def find_attacks(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    """Gives texts that make each long repetition of a pattern go on and then fail, or begin again and again."""
    tree = list(parser.parse(pattern.pattern, pattern.flags))
    marks = set(re.sub(r"[\w\s\\()?*+|]", "", pattern.pattern))
    seen = set()
    places: Counter[str] = Counter()
    for before, body in _long_repeats(tree, pattern.flags, ""):
        places[repr(body)] += 1
        if places[repr(body)] > _MOST_PLACES:
            continue
        pumps = {witness(body, pattern.flags, pick) for pick in range(3)} - {""}
        if len(body) == 1 and is_single(body[0][0]):
            pumps |= {mark for mark in marks if unit(body[0], pattern.flags).fullmatch(mark)}
        for pump, tail in itertools.product(sorted(pumps), ("\x00",)):
            for head in (before, ""):
                attack = head + pump * (length // len(pump)) + tail
                if attack not in seen:
                    seen.add(attack)
                    yield attack
            again = before + pump * 3
            yield again * (length // len(again)) + tail


def _long_repeats(nodes: Sequence[Any], flags: int, before: str) -> Iterator[tuple[str, list[Any]]]:
    for op, value in nodes:
        if op in _REPEATS:
            body = list(value[2])
            if int(value[1]) > _LONG:
                yield before, body
            yield from _long_repeats(body, flags, before)
        elif op is c.SUBPATTERN:
            yield from _long_repeats(list(value[3]), flags, before)
        elif op is c.ATOMIC_GROUP:
            yield from _long_repeats(list(value), flags, before)
        elif op is c.BRANCH:
            for way in value[1]:
                yield from _long_repeats(list(way), flags, before)
        elif op in (c.ASSERT, c.ASSERT_NOT):
            yield from _long_repeats(list(value[1]), flags, before)
        before += _witness_of(op, value, flags, 0)
