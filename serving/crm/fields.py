"""The fields that lossnlp keeps on a CRM's deals: their names, kinds and choices, in the company's own words where it has some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.crm.deal_fields import DealFieldNames
from serving.crm.protocol import Choice, FieldKind, Fields, FieldSpec, FieldValue
from serving.crm.rules import SPEAKS_OF, Policy, WriteRules
from serving.errors import ConfigurationError

GAP = "lossnlp_gap_"
_JOINT = ";"
_SETS = ("lossnlp_contributing_reasons",)
_STATES = {"gap": "Gap", "covered": "Covered", "not_mentioned": "Not mentioned"}
_WAYS_BACK = {"open": "Open", "closed": "Closed", "unclear": "Unclear"}
_REVIEWS = {"waiting": "Waits for a person", "accepted": "Accepted", "confirmed": "Confirmed by a person"}
_PLAIN_FIELDS: dict[str, tuple[str, FieldKind]] = {
    "lossnlp_external_only": ("Note blames only outside factors", "flag"),
    "lossnlp_rep_buyer_conflict": ("Note and buyer differ", "flag"),
    "lossnlp_confidence": ("Confidence in the primary reason", "number"),
    "lossnlp_evidence": ("Evidence for the primary reason", "text"),
    "lossnlp_revisit_on": ("Come back on", "date"),
    "lossnlp_rival": ("Rival", "text"),
    "lossnlp_model_version": ("Model version", "text"),
    "lossnlp_assessed_at": ("Assessed at", "moment"),
}

Name = Annotated[str, Field(min_length=1, max_length=120)]


class CrmWords(BaseModel):
    """What a company calls our fields and values in its CRM.

    Args:
        fields: The CRM's name of a field, by ours; null leaves the field out. A field not named here keeps our name.
        labels: What people see for a field, by our name.
        values: For a field, the CRM's value by ours; null is never sent. A value not named here keeps our code.
        policy: When a field may be written: `if_empty` (the default), `if_ours` or `never`.
        policies: The same for single fields, by our name.
        deal_fields: The CRM's field that holds a deal's team, region, product or segment; null reads none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Mapping[Name, Name | None] = {}
    labels: Mapping[Name, Name] = {}
    values: Mapping[Name, Mapping[Name, Name | None]] = {}
    policy: Policy = "if_empty"
    policies: Mapping[Name, Policy] = {}
    deal_fields: DealFieldNames = {}


def read_words(path: Path | None) -> CrmWords:
    """Gives the words of a mapping file; without a file, our own.

    Raises:
        ConfigurationError: The file cannot be read, or a key in it is none of ours; names the place.
    """
    if path is None:
        return CrmWords()
    try:
        return CrmWords.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError:
        raise ConfigurationError(f"The mapping file {path} cannot be read.", field="LOSSNLP_CRM_WORDS") from None
    except yaml.YAMLError:
        raise ConfigurationError(f"The mapping file {path} is not YAML.", field="LOSSNLP_CRM_WORDS") from None
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ConfigurationError(
            f"{path}, {where}: {fault['msg'].removeprefix('Value error, ')}.", field="LOSSNLP_CRM_WORDS"
        ) from None


class FieldMap:
    """Translates between our fields and values and those of one company's CRM.

    Args:
        taxonomy: The reasons and elements.
        words: What the company calls them.

    Raises:
        ConfigurationError: The words name a field or a value that is none of ours, or give two fields one name.
    """

    def __init__(self, taxonomy: Taxonomy, words: CrmWords) -> None:
        self.taxonomy = taxonomy
        self._choices = _choices(taxonomy)
        self._labels = _labels(taxonomy) | dict(words.labels)
        self._names = {ours: words.fields.get(ours, ours) for ours in self._labels}
        self._values = {field: dict(values) for field, values in words.values.items()}
        self._require_known(words)
        self.rules = self._rules(words)

    @classmethod
    def plain(cls) -> FieldMap:
        """Gives the fields under our own names and words, for the reasons that ship."""
        return cls(get_default_taxonomy(), CrmWords())

    def specs(self) -> tuple[FieldSpec, ...]:
        """Gives the fields that the CRM should have, under its own names."""
        return tuple(self._spec(ours, theirs) for ours, theirs in self._names.items() if theirs)

    def to_crm(self, fields: Mapping[str, FieldValue]) -> Fields:
        """Gives our values as the CRM is to hold them; a field or value that the company leaves out is missing."""
        found: Fields = {}
        for ours, value in fields.items():
            theirs = self._names.get(ours)
            if theirs is None:
                continue
            said = self._said(ours, value, self._values.get(ours, {}))
            if said is not None or value is None:
                found[theirs] = said
        return found

    def our_name(self, theirs: str) -> str | None:
        """Gives our name of a field of the CRM, None where it is none of ours."""
        return next((ours for ours, name in self._names.items() if name == theirs), None)

    def _rules(self, words: CrmWords) -> WriteRules:
        named = {ours: theirs for ours, theirs in self._names.items() if theirs}
        spoken_of = {named[ours]: named.get(other, other) for ours, other in SPEAKS_OF.items() if ours in named}
        policies = {named[ours]: policy for ours, policy in words.policies.items() if ours in named}
        return WriteRules(
            policies, words.policy, spoken_of, frozenset({named[ours] for ours in _SETS if ours in named})
        )

    def _said(self, ours: str, value: FieldValue, words: Mapping[str, str | None]) -> FieldValue:
        if not isinstance(value, str) or ours not in self._choices:
            return value
        said = dict.fromkeys(words.get(part, part) for part in value.split(_JOINT))
        return _JOINT.join(part for part in said if part) or None

    def _spec(self, ours: str, theirs: str) -> FieldSpec:
        kind = _PLAIN_FIELDS[ours][1] if ours in _PLAIN_FIELDS else "choice"
        if ours in _SETS:
            kind = "choices"
        words = self._values.get(ours, {})
        choices = {words.get(code, code): label for code, label in self._choices.get(ours, {}).items()}
        named = {value: value if value in words.values() else label for value, label in choices.items() if value}
        return FieldSpec(
            theirs, self._labels[ours], kind, tuple(Choice(value, label) for value, label in named.items())
        )

    def _require_known(self, words: CrmWords) -> None:
        for field in (*words.fields, *words.labels, *words.values, *words.policies):
            if field not in self._labels:
                raise ConfigurationError(
                    f"The mapping names '{field}', which is none of our fields; they are: {', '.join(self._labels)}.",
                    field="LOSSNLP_CRM_WORDS",
                )
        for field, values in words.values.items():
            for value in values:
                if value not in self._choices.get(field, {}):
                    raise ConfigurationError(
                        f"The mapping of '{field}' names the value '{value}', which it never has.",
                        field="LOSSNLP_CRM_WORDS",
                    )
        names = [name for name in self._names.values() if name]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ConfigurationError(f"The mapping gives two fields the name '{twice}'.", field="LOSSNLP_CRM_WORDS")


def _labels(taxonomy: Taxonomy) -> dict[str, str]:
    """Gives what people see for each of our fields, in the order of a CRM's page."""
    gaps = {f"{GAP}{element.code}": f"MEDDPICC: {element.label}" for element in taxonomy.elements}
    plain = {name: label for name, (label, _) in _PLAIN_FIELDS.items()}
    first = {
        "lossnlp_primary_reason": "Primary loss reason",
        "lossnlp_contributing_reasons": "Contributing loss reasons",
    }
    return first | gaps | plain | {"lossnlp_winback": "Way back", "lossnlp_review_state": "Review of the loss reason"}


def _choices(taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    """Gives code and label of each value, for the fields that hold one of a list."""
    reasons = {reason.code: reason.label for reason in taxonomy.reasons}
    return {
        "lossnlp_primary_reason": reasons,
        "lossnlp_contributing_reasons": reasons,
        **{f"{GAP}{element.code}": _STATES for element in taxonomy.elements},
        "lossnlp_winback": _WAYS_BACK,
        "lossnlp_review_state": _REVIEWS,
    }
