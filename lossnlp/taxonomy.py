"""Loss reasons, their groups and the MEDDPICC elements, read from one versioned file."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import ValidationError

from lossnlp.deal import Frozen
from lossnlp.errors import TaxonomyError

# Two codes carry a meaning of their own: no cause can be read, and there was no loss.
NO_CAUSE = "unknown"
NOT_A_LOSS = "administrative"


class Group(Frozen):
    """A heading that reasons stand under."""

    code: str
    label: str


class LossReason(Frozen):
    """A standard loss reason: stable code, label for people, definition, group.

    Args:
        code: Stable code.
        group: Code of its group.
        label: Name for people.
        definition: What it covers.
        ours: Of a company's own reason, the shipped reasons that it stands for; None: the one of the same code, if there is one.
    """

    code: str
    group: str
    label: str
    definition: str
    ours: tuple[str, ...] | None = None


class Element(Frozen):
    """A MEDDPICC element with what makes it a gap, what makes it covered, and its coaching question."""

    code: str
    label: str
    gap: str
    covered: str
    question: str


class Crosswalk(Frozen):
    """Words that other lists use, and the codes they stand for."""

    words: tuple[str, ...]
    codes: tuple[str, ...]


class Taxonomy(Frozen):
    """The closed set of labels that a model bundle was trained for."""

    version: str
    groups: tuple[Group, ...]
    reasons: tuple[LossReason, ...]
    elements: tuple[Element, ...] = ()
    crosswalk: tuple[Crosswalk, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Reason codes in file order."""
        return tuple(reason.code for reason in self.reasons)

    @property
    def element_codes(self) -> tuple[str, ...]:
        """Element codes in file order."""
        return tuple(element.code for element in self.elements)

    def get_reason(self, code: str) -> LossReason:
        """Gives the reason with this code.

        Raises:
            TaxonomyError: No such code; the message lists those that exist.
        """
        for reason in self.reasons:
            if reason.code == code:
                return reason
        raise TaxonomyError(f"'{code}' is not a loss reason; use one of: {', '.join(self.codes)}.")

    def get_group(self, code: str) -> Group:
        """Gives the group with this code.

        Raises:
            TaxonomyError: No such group.
        """
        for group in self.groups:
            if group.code == code:
                return group
        raise TaxonomyError(f"'{code}' is not a group; use one of: {', '.join(group.code for group in self.groups)}.")


def read_taxonomy(path: Path) -> Taxonomy:
    """Gives the taxonomy of a YAML file.

    Raises:
        TaxonomyError: The file is unreadable, a field is missing, a code stands twice or a group is undefined.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"The list of reasons {path} cannot be read.") from error
    return _parsed(text, str(path))


def write_taxonomy(path: Path, taxonomy: Taxonomy) -> None:
    """Writes a taxonomy as the YAML file that `read_taxonomy` reads."""
    text = yaml.safe_dump(
        taxonomy.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True, width=120
    )
    path.write_text(text, encoding="utf-8")


@cache
def get_default_taxonomy() -> Taxonomy:
    """Gives the taxonomy that ships with lossnlp."""
    return _parsed(resources.files("lossnlp").joinpath("taxonomy.yaml").read_text(encoding="utf-8"), "taxonomy.yaml")


def _parsed(text: str, name: str) -> Taxonomy:
    try:
        taxonomy = Taxonomy.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise TaxonomyError(
            f"{name} is not a taxonomy: '{'.'.join(map(str, fault['loc']))}': {fault['msg']}."
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise TaxonomyError(f"{name} is not a taxonomy: it is no plain YAML ({type(error).__name__}).") from None
    codes = taxonomy.codes
    if len(set(codes)) != len(codes):
        raise TaxonomyError(f"{name}: a reason code stands twice.")
    known = {group.code for group in taxonomy.groups}
    for reason in taxonomy.reasons:
        if reason.group not in known:
            raise TaxonomyError(f"{name}: reason '{reason.code}' names the undefined group '{reason.group}'.")
    for code in {code for entry in taxonomy.crosswalk for code in entry.codes} - set(codes):
        raise TaxonomyError(f"{name}: the crosswalk names the undefined reason '{code}'.")
    return taxonomy
