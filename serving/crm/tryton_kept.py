"""Our fields on a Tryton deal, which has none for us: one line in its reason for loss, and one note beside it.

The line is `reason; gaps: element, element`: the primary reason, then the elements whose field says `gap`. All other fields are
`label: value` lines of a note that begins with `HEAD` and whose second line repeats the reason for loss as we wrote it. A reason
for loss that differs from that is a person's. Tryton lets nobody change a note that stands, so a new one takes the old one's
place, in the same call as the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.crm.fields import GAP
from serving.crm.protocol import Fields, FieldValue

HEAD = "lossnlp: why this deal was lost"
_WRITTEN = "reason for loss by lossnlp:"
_OURS = "lossnlp_"
_IS_GAP = "gap"
_WORDS = "[a-z0-9]+(?: [a-z0-9]+)*"
_LABEL = re.compile(_WORDS)
_LINE = re.compile(rf"(.*?)(?:(?:^|; )gaps: ({_WORDS}(?:, {_WORDS})*))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_FLAGS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands on a deal.

    Args:
        line: The reason for loss, '' where it is empty.
        written: The line that we wrote last, '' where there is none.
        on_line: Our fields as the line says them.
        in_note: Our fields as the note says them.
        message: The text of our note, '' where there is none.
        note_ids: Of our notes; more than one where two writers met, of which the first counts.
    """

    line: str
    written: str
    on_line: Fields
    in_note: Fields
    message: str
    note_ids: tuple[int, ...]

    @property
    def is_line_ours(self) -> bool:
        """Says whether nobody else's words stand in the reason for loss."""
        return self.line in ("", self.written)

    @property
    def fields(self) -> Fields:
        """What stands in our fields; the line counts more than the note, for people can edit it."""
        return self.in_note | self.on_line


def is_our_note(message: str | None) -> bool:
    """Says whether a note is the one that we keep."""
    return (message or "").startswith(HEAD)


def read_kept(reason: str | None, notes: Sequence[Mapping[str, Any]], reason_field: str) -> Kept:
    """Gives what stands on a deal.

    Args:
        reason: Its reason for loss.
        notes: All its notes, with `id` and `message`.
        reason_field: Name of the field that leads the line.
    """
    ours = sorted((note for note in notes if is_our_note(note["message"])), key=lambda note: int(note["id"]))
    message = str(ours[0]["message"]) if ours else ""
    written, in_note = _read_note(message)
    line = (reason or "").strip()
    ids = tuple(int(note["id"]) for note in ours)
    return Kept(line, written, _read_line(line, reason_field), in_note, message, ids)


def find_update(kept: Kept, values: Mapping[str, FieldValue], reason_field: str) -> dict[str, Any]:
    """Gives what to write on the deal so that the values stand, empty where nothing is to be done.

    A line that a person wrote or changed is rewritten only where the change is of something that stands in it; what else belongs
    there goes into the note then.

    Raises:
        ValueError: The reason would be read back as something else.

    Source: Tryton, "Fields", One2Many: the actions create and delete.
    """
    fields = {name: value for name, value in (kept.fields | dict(values)).items() if value not in (None, "")}
    is_of_line = reason_field in values or not values.keys().isdisjoint(kept.on_line)
    line = kept.line
    if kept.is_line_ours or is_of_line:
        line = _line(fields, reason_field)
    on_line = _read_line(line, reason_field)
    if fields.get(reason_field) != on_line.get(reason_field):
        raise ValueError(f"{reason_field}: cannot stand in the reason for loss")
    is_ours = kept.is_line_ours or reason_field in values
    rest = {name: value for name, value in fields.items() if name not in on_line}
    message = _note(line if is_ours else "", rest)
    update: dict[str, Any] = {} if line == kept.line else {"lost_reason": line or None}
    acts = list(_acts(kept, message))
    return update | ({"notes": acts} if acts else {})


def _acts(kept: Kept, message: str) -> Iterator[list[Any]]:
    """Gives what to do with our notes so that one says the message, or none where it is empty; Tryton changes no note."""
    stays = kept.note_ids[:1] if message == kept.message else ()
    stale = list(kept.note_ids[len(stays) :])
    if stale:
        yield ["delete", stale]
    if message and not stays:
        yield ["create", [{"message": message}]]


def _line(fields: Mapping[str, FieldValue], reason_field: str) -> str:
    gaps = [label for name, value in sorted(fields.items()) if value == _IS_GAP and (label := _find_label(name, GAP))]
    reason = fields.get(reason_field)
    parts = ["" if reason is None else str(reason), f"gaps: {', '.join(gaps)}" if gaps else ""]
    return "; ".join(part for part in parts if part).strip()


def _read_line(line: str, reason_field: str) -> Fields:
    found = _LINE.fullmatch(line)
    reason, gaps = (found[1], found[2]) if found else (line, None)
    fields: Fields = {f"{GAP}{gap.replace(' ', '_')}": _IS_GAP for gap in (gaps or "").split(", ") if gap}
    return ({reason_field: reason} if reason else {}) | fields


def _note(written: str, fields: Mapping[str, FieldValue]) -> str:
    if not written and not fields:
        return ""
    lines = [f"{_say_label(name)}: {_say(value)}" for name, value in sorted(fields.items())]
    return "\n".join([HEAD, f"{_WRITTEN} {_say(written)}".strip(), *lines])


def _read_note(message: str) -> tuple[str, Fields]:
    """Gives the reason for loss that the note repeats, and the fields that it holds."""
    lines = [line.strip() for line in message.split("\n")[1:]]
    if not lines or not lines[0].startswith(_WRITTEN):
        return "", {}
    written = _read(lines[0].removeprefix(_WRITTEN).strip())
    return str(written), {name: value for line in lines[1:] for name, value in _read_entry(line)}


def _read_entry(line: str) -> Iterator[tuple[str, FieldValue]]:
    """Gives name and value of a line, nothing where it is none of ours."""
    label, colon, said = line.partition(": ")
    name = f"{_OURS}{label.replace(' ', '_')}" if _LABEL.fullmatch(label) else ""
    if line.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(line)
        except ValueError:
            return
        colon, said = line[end : end + 2], line[end + 2 :]
    if name and colon == ": ":
        yield name, _read(said)


def _find_label(name: str, prefix: str) -> str | None:
    """Gives what people read for one of our names, None where the name could not be told from it again."""
    label = name.removeprefix(prefix).replace("_", " ")
    return label if f"{prefix}{label.replace(' ', '_')}" == name and _LABEL.fullmatch(label) else None


def _say_label(name: str) -> str:
    return _find_label(name, _OURS) or json.dumps(name, ensure_ascii=False)


def _say(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        is_plain = value.isprintable() and value == value.strip() and _read(value) == value
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _read(said: str) -> FieldValue:
    if said in _FLAGS:
        return _FLAGS[said]
    if _NUMBER.fullmatch(said):
        return float(said)
    try:
        value = json.loads(said) if said.startswith('"') else said
    except ValueError:
        return said
    return str(value)
