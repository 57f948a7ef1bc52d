"""The labelled texts: one a line, `{kind:words}` around what is personal, `{name:...}` and `{figure:...}` around what must survive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
HALVES = ("held_out", "tuned")
SURVIVING = ("name", "figure")
_MARK = re.compile(r"\{(\w+):([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Label:
    """What stands at one place: a kind of personal data, or what must survive."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text without its marks, and what they said."""

    text: str
    labels: tuple[Label, ...]


def read_half(name: str) -> list[LabelledText]:
    """Gives the texts of `held_out`, which no rule was made for, or `tuned`."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [read_line(line) for line in lines if line.strip()]


def read_line(line: str) -> LabelledText:
    r"""Gives the labelled text of one line; `\n` stands for a line's end."""
    marked, parts, labels = line.replace("\\n", "\n"), list[str](), list[Label]()
    at = length = 0
    for found in _MARK.finditer(marked):
        parts += [marked[at : found.start()], found[2]]
        length += found.start() - at
        labels.append(Label(found[1], length, length + len(found[2])))
        at, length = found.end(), length + len(found[2])
    return LabelledText("".join([*parts, marked[at:]]), tuple(labels))
