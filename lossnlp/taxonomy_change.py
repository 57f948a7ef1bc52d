"""A change of the list of reasons, read from one file: its steps, the new list that they make, and the way of each old code into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from lossnlp.deal import Frozen
from lossnlp.errors import TaxonomyError
from lossnlp.taxonomy import (
    NO_CAUSE,
    NOT_A_LOSS,
    Crosswalk,
    Group,
    LossReason,
    Taxonomy,
    get_default_taxonomy,
)

# For each old code the new ones it may be: one where that is certain, several or none where a person has to say.
Walk = Mapping[str, tuple[str, ...]]
_FORMS = ("reason", "list", "code")
_KINDS = ("rename", "merge", "split", "add", "retire")
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]


class NewReason(Frozen):
    """A reason that a step makes; a rename takes what is left out from the old one, all else needs all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    group: str | None = None
    label: str | None = None
    definition: str | None = None


def _form(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else "code" if isinstance(value, str) else "reason"


Target = Annotated[
    Annotated[NewReason, Tag("reason")] | Annotated[tuple[NewReason, ...], Tag("list")] | Annotated[str, Tag("code")],
    Discriminator(_form),
]


class Step(Frozen):
    """One step: exactly one of `rename`, `merge`, `split`, `add` and `retire`, and where it leads.

    Args:
        rename: The code whose name, label or definition changes, its meaning not.
        merge: Codes that become one.
        split: The code that becomes several.
        add: A reason that is new.
        retire: The code that goes.
        to: What comes of them; of a retired one the code of its heir, or nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rename: str | None = None
    merge: tuple[str, ...] | None = None
    split: str | None = None
    add: NewReason | None = None
    retire: str | None = None
    to: Target | None = None

    @model_validator(mode="after")
    def _is_one_step(self) -> Step:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(_KINDS)}")
        if self.kind in ("rename", "merge") and not isinstance(self.to, NewReason):
            raise ValueError(f"{self.kind} needs one reason in 'to'")
        if self.split is not None and not (isinstance(self.to, tuple) and len(self.to) > 1):
            raise ValueError("split needs a list of at least two reasons in 'to'")
        if self.merge is not None and len(self.merge) < 2:
            raise ValueError("merge needs at least two codes")
        if self.retire is not None and not isinstance(self.to, str | None):
            raise ValueError("'to' of retire is the code of its heir, or left out")
        if self.add is not None and self.to is not None:
            raise ValueError("add has no 'to'")
        return self

    @property
    def kind(self) -> str:
        """The name of the step."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def old(self) -> tuple[str, ...]:
        """The codes that end with it."""
        return self.merge or tuple(code for code in (self.rename, self.split, self.retire) if code is not None)

    @property
    def made(self) -> tuple[NewReason, ...]:
        """The reasons that begin with it."""
        if isinstance(self.to, NewReason):
            return (self.to,)
        return self.to if isinstance(self.to, tuple) else tuple(one for one in (self.add,) if one is not None)

    @property
    def heirs(self) -> tuple[str, ...]:
        """The codes that its old ones may become."""
        return (self.to,) if isinstance(self.to, str) else tuple(one.code for one in self.made)


class TaxonomyChange(Frozen):
    """A change of the list.

    Args:
        from_version: Version of the list that it changes.
        to_version: Version of the list that it makes.
        groups: Groups that are new.
        steps: What changes; a code that no step names stays as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_version: Annotated[str, Field(alias="from", min_length=1, max_length=100)]
    to_version: Annotated[str, Field(alias="to", min_length=1, max_length=100)]
    groups: tuple[Group, ...] = ()
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


def read_change(path: Path, old: Taxonomy) -> TaxonomyChange:
    """Gives the change of a YAML file, checked against the list that it changes.

    Args:
        path: The file.
        old: The list before.

    Raises:
        TaxonomyError: The file cannot be read, or a step of it does not fit the list; names the step and how to mend it.
    """
    try:
        change = TaxonomyChange.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        raise TaxonomyError(f"The change file {path} cannot be read.", field="file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise TaxonomyError(f"{path.name} is not YAML{f', line {mark.line + 1}' if mark else ''}.") from None
    except ValidationError as error:
        raise TaxonomyError(f"{path.name}, {_told(error)}") from None
    for fault in _faults(change, old):
        raise TaxonomyError(f"{path.name}, {fault}")
    return change


def _told(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    place = [str(part + 1) if isinstance(part, int) else part for part in fault["loc"]]
    place = [part for before, part in pairwise(["", *place]) if not (before == "to" and part in _FORMS)]
    place = [f"step {place[1]}", *place[2:]] if place[:1] == ["steps"] and len(place) > 1 else place
    return f"{', '.join(place) or 'file'}: {fault['msg'].removeprefix('Value error, ')}."


def _faults(change: TaxonomyChange, old: Taxonomy) -> Iterator[str]:
    if change.from_version != old.version:
        yield f"from: it changes version '{change.from_version}', but the list before is version '{old.version}'."
    if change.to_version == change.from_version:
        yield f"to: the new list needs a version of its own, not '{change.from_version}' again."
    known = {group.code for group in old.groups}
    for group in change.groups:
        if group.code in known:
            yield f"groups: '{group.code}' is there already."
        known.add(group.code)
    ends = [code for step in change.steps for code in step.old]
    stays = set(old.codes) - set(ends)
    made = [one.code for step in change.steps for one in step.made]
    for number, step in enumerate(change.steps, start=1):
        for one in step.made:
            yield from (f"step {number} ({step.kind}): {fault}" for fault in _faults_of_made(one, step, known))
            if one.code in stays or made.count(one.code) > 1:
                yield f"step {number} ({step.kind}): the code '{one.code}' would stand twice; choose another."
        for fault in (*_faults_of_old(step, old, ends), *_faults_of_new(step, old, stays | set(made))):
            yield f"step {number} ({step.kind}): {fault}"


def _faults_of_old(step: Step, old: Taxonomy, ends: list[str]) -> Iterator[str]:
    for code in step.old:
        if code not in old.codes:
            yield f"'{code}' is no reason of version '{old.version}'; use some of: {', '.join(old.codes)}."
        if ends.count(code) > 1:
            yield f"'{code}' is named more than once; one step says what becomes of it."
        if code in (NO_CAUSE, NOT_A_LOSS):
            yield f"'{code}' has a meaning of its own in every list and stays."


def _faults_of_new(step: Step, old: Taxonomy, new: set[str]) -> Iterator[str]:
    if step.retire is not None and step.to == NO_CAUSE:
        yield f"'{NO_CAUSE}' is no heir; leave 'to' out, and people say what holds."
    if step.retire is not None and step.heirs and step.heirs[0] not in new:
        yield f"the heir '{step.heirs[0]}' is no reason of the new list."
    for code in step.heirs:
        if step.retire is None and code in old.codes and code not in step.old:
            yield f"the code '{code}' meant another reason before; choose a new one, so that no deal is misread."


def _faults_of_made(one: NewReason, step: Step, groups: set[str]) -> Iterator[str]:
    for name in ("group", "label", "definition"):
        if step.rename is None and not getattr(one, name):
            yield f"'{one.code}' needs a {name}."
    if one.group is not None and one.group not in groups:
        yield f"'{one.code}' names the undefined group '{one.group}'; add it under 'groups'."


def walk_of(change: TaxonomyChange) -> dict[str, tuple[str, ...]]:
    """Gives the way of each code that a step names; every other code stays itself."""
    return {code: step.heirs for step in change.steps for code in step.old}


def changed_taxonomy(old: Taxonomy, change: TaxonomyChange) -> Taxonomy:
    """Gives the new list; new reasons stand where the first of those that they come of stood.

    `ours` of each says which shipped reasons it comes of, so that training begins from what is known of those.

    Args:
        old: The list before.
        change: A change that was checked against it.
    """
    steps = {code: step for step in change.steps for code in step.old}
    reasons: list[LossReason] = []
    for reason in old.reasons:
        step = steps.get(reason.code)
        if step is None:
            reasons.append(reason)
        elif step.old[0] == reason.code:
            reasons += _made_reasons(step, old)
    reasons += [made for step in change.steps if step.add is not None for made in _made_reasons(step, old)]
    walk = walk_of(change)
    words = (Crosswalk(words=one.words, codes=_heirs_of(one.codes, walk)) for one in old.crosswalk)
    values = {"version": change.to_version, "groups": (*old.groups, *change.groups), "reasons": tuple(reasons)}
    return old.model_copy(update={**values, "crosswalk": tuple(one for one in words if one.codes)})


def _made_reasons(step: Step, old: Taxonomy) -> list[LossReason]:
    sources = [old.get_reason(code) for code in step.old]
    ours = tuple(dict.fromkeys(code for source in sources for code in _shipped(source)))
    before = sources[0] if step.rename is not None else None
    return [_reason(one, before, ours) for one in step.made]


def _reason(one: NewReason, before: LossReason | None, ours: tuple[str, ...]) -> LossReason:
    held = {name: getattr(one, name) or (getattr(before, name) if before else "") for name in ("group", "label")}
    definition = one.definition or (before.definition if before else "")
    return LossReason(code=one.code, definition=definition, ours=ours, **held)


def _shipped(reason: LossReason) -> tuple[str, ...]:
    if reason.ours is not None:
        return reason.ours
    return (reason.code,) if reason.code in get_default_taxonomy().codes else ()


def _heirs_of(codes: Iterable[str], walk: Walk) -> tuple[str, ...]:
    return tuple(dict.fromkeys(heir for code in codes for heir in walk.get(code, (code,))))
