"""Our fields in a company's own words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.fields import CrmWords, FieldMap, read_words
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.writeback import plan_values

WORDS = """
fields: {lossnlp_primary_reason: Loss_Reason__c, lossnlp_rival: null}
labels: {lossnlp_primary_reason: Why we lost}
values:
  lossnlp_primary_reason: {price: Price / Budget, budget: Price / Budget, unknown: null}
"""


@pytest.fixture
def named(tmp_path: Path) -> FieldMap:
    file = tmp_path / "words.yaml"
    file.write_text(WORDS)
    return FieldMap(get_default_taxonomy(), read_words(file))


def test_values_go_out_in_the_words_of_the_company(named: FieldMap) -> None:
    assert named.to_crm({"lossnlp_primary_reason": "budget"}) == {"Loss_Reason__c": "Price / Budget"}


def test_a_field_left_out_is_never_sent(named: FieldMap) -> None:
    assert named.to_crm({"lossnlp_rival": "Rostera"}) == {}


def test_a_value_left_out_is_never_sent(named: FieldMap) -> None:
    assert named.to_crm({"lossnlp_primary_reason": "unknown"}) == {}


def test_emptying_a_field_goes_through(named: FieldMap) -> None:
    assert named.to_crm({"lossnlp_primary_reason": None}) == {"Loss_Reason__c": None}


def test_rules_are_told_under_the_names_of_the_crm() -> None:
    words = CrmWords(
        fields={"lossnlp_primary_reason": "Reason__c", "lossnlp_contributing_reasons": "More__c"},
        policies={"lossnlp_primary_reason": "if_ours"},
    )
    rules = FieldMap(get_default_taxonomy(), words).rules
    assert (rules.policy("Reason__c"), rules.policy("More__c")) == ("if_ours", "if_empty")
    assert rules.speaks_of("lossnlp_confidence") == "Reason__c"
    assert rules.is_same("More__c", "a;b", "b;a")


def test_reasons_that_share_a_word_are_sent_once() -> None:
    words = CrmWords(values={"lossnlp_contributing_reasons": {"price": "Money", "budget": "Money"}})
    sent = FieldMap(get_default_taxonomy(), words).to_crm({"lossnlp_contributing_reasons": "price;budget;timing"})
    assert sent == {"lossnlp_contributing_reasons": "Money;timing"}


def test_several_reasons_are_translated_one_by_one() -> None:
    words = CrmWords(values={"lossnlp_contributing_reasons": {"price": "P", "timing": None}})
    fields = FieldMap(get_default_taxonomy(), words)
    assert fields.to_crm({"lossnlp_contributing_reasons": "price;timing;budget"}) == {
        "lossnlp_contributing_reasons": "P;budget"
    }


def test_the_picklist_holds_each_word_once(named: FieldMap) -> None:
    spec = next(spec for spec in named.specs() if spec.name == "Loss_Reason__c")
    values = [choice.value for choice in spec.choices]
    assert (spec.label, spec.kind, values.count("Price / Budget")) == ("Why we lost", "choice", 1)
    assert "unknown" not in values
    assert "competitor" in values


def test_every_planned_value_has_its_field(assessor: Assessor) -> None:
    assessment = assessor.assess(Deal.from_request({"id": "d", "text": "lost on price, perhaps on budget too"}))
    planned = plan_values(assessment, assessed_at=datetime.now(UTC))
    fields = FieldMap(get_default_taxonomy(), CrmWords())
    assert fields.to_crm(planned) == planned
    assert len(planned) > 5


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("fields: {reason: x}", "none of our fields"),
        ("values: {lossnlp_winback: {perhaps: x}}", "never has"),
        ("fields: {lossnlp_winback: x, lossnlp_rival: x}", "two fields"),
        ("colours: {}", "colours"),
        ("fields: [", "not YAML"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=cause):
        FieldMap(get_default_taxonomy(), read_words(file))


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_words(tmp_path / "nowhere.yaml")
