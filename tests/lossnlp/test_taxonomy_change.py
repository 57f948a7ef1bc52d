from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossnlp.cli import app
from lossnlp.errors import TaxonomyError
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy, read_taxonomy
from lossnlp.taxonomy_change import changed_taxonomy, read_change, walk_of
from tests.change_steps import HEAD

CHANGE = """\
from: "1"
to: "2"
groups: [{code: public, label: Public buyers}]
steps:
  - rename: in_house
    to: {code: own_build, label: Own build}
  - merge: [price, budget]
    to: {code: money, group: price_budget, label: Money, definition: Too dear or no money.}
  - split: product_gap
    to:
      - {code: product_gap, group: product_delivery, label: Product gap, definition: A capability is missing.}
      - {code: integration_gap, group: product_delivery, label: Integration gap, definition: A link to another system is missing.}
  - add: {code: tender, group: public, label: Tender, definition: The form of a public tender.}
  - retire: unresponsive
  - {retire: vendor_trust, to: existing_relationship}
"""
NEW = "group: our_side, label: L, definition: D"


@pytest.fixture
def change_file(tmp_path: Path) -> Path:
    file = tmp_path / "change.yaml"
    file.write_text(CHANGE)
    return file


@pytest.fixture
def new(change_file: Path) -> Taxonomy:
    old = get_default_taxonomy()
    return changed_taxonomy(old, read_change(change_file, old))


def test_walk_says_what_is_certain_and_open(change_file: Path) -> None:
    assert walk_of(read_change(change_file, get_default_taxonomy())) == {
        "in_house": ("own_build",),
        "price": ("money",),
        "budget": ("money",),
        "product_gap": ("product_gap", "integration_gap"),
        "unresponsive": (),
        "vendor_trust": ("existing_relationship",),
    }


def test_new_list_holds_each_code_once_in_place(new: Taxonomy) -> None:
    assert new.version == "2"
    assert new.codes[:6] == (
        "money",
        "competitor",
        "existing_relationship",
        "own_build",
        "product_gap",
        "integration_gap",
    )
    assert new.codes[-1] == "tender"
    assert len(set(new.codes)) == len(new.codes) == 17
    assert new.elements == get_default_taxonomy().elements


def test_renamed_reason_keeps_its_definition(new: Taxonomy) -> None:
    renamed = new.get_reason("own_build")
    assert (renamed.label, renamed.group) == ("Own build", "competition")
    assert renamed.definition == get_default_taxonomy().get_reason("in_house").definition


def test_new_reasons_name_the_shipped_ones_they_come_of(new: Taxonomy) -> None:
    found = {code: new.get_reason(code).ours for code in ("money", "own_build", "integration_gap", "tender", "timing")}
    assert found == {
        "money": ("price", "budget"),
        "own_build": ("in_house",),
        "integration_gap": ("product_gap",),
        "tender": (),
        "timing": None,
    }


def test_second_change_names_the_shipped_ones_too(tmp_path: Path, new: Taxonomy) -> None:
    file = tmp_path / "second.yaml"
    file.write_text(f'from: "2"\nto: "3"\nsteps: [{{merge: [money, timing], to: {{code: later, {NEW}}}}}]')
    newest = changed_taxonomy(new, read_change(file, new))
    assert newest.get_reason("later").ours == ("price", "budget", "timing")


def test_words_of_other_lists_lead_to_the_new_codes(new: Taxonomy) -> None:
    assert stated_codes("too expensive", new) == ("money",)
    assert stated_codes("went dark", new) == ()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("  - rename: weather\n    to: {code: climate}", r"step 1 \(rename\): 'weather' is no reason of version '1'"),
        ("  - retire: price\n  - retire: price", "'price' is named more than once"),
        (f"  - add: {{code: price, {NEW}}}", "'price' would stand twice"),
        (f"  - add: {{code: a, {NEW}}}\n  - add: {{code: a, {NEW}}}", "'a' would stand twice"),
        ("  - retire: unknown", "'unknown' has a meaning of its own"),
        ("  - {retire: price, to: weather}", "the heir 'weather' is no reason of the new list"),
        ("  - {retire: price, to: unknown}", "'unknown' is no heir"),
        ("  - {retire: price, to: budget}\n  - retire: budget", "the heir 'budget' is no reason of the new list"),
        ("  - add: {code: a, group: our_side, label: L}", "'a' needs a definition"),
        ("  - add: {code: a, group: moon, label: L, definition: D}", "undefined group 'moon'"),
        (
            f"  - retire: price\n  - rename: budget\n    to: {{code: price, {NEW}}}",
            "'price' meant another reason before",
        ),
        (f"  - split: price\n    to: [{{code: a, {NEW}}}]", "step 1: split needs a list of at least two"),
        (f"  - merge: [price]\n    to: {{code: a, {NEW}}}", "merge needs at least two codes"),
        ("  - rename: price\n    to: cost", "rename needs one reason in 'to'"),
        (f"  - {{rename: price, retire: budget, to: {{code: a, {NEW}}}}}", "a step is exactly one of"),
        ("  - rename: price\n    to: {label: Cost}", "step 1, to, code: Field required"),
        ("  - rename: price\n    to: {code: Cost!}", "step 1, to, code: String should match pattern"),
        ("  []", "steps: Tuple should have at least 1 item"),
    ],
)
def test_wrong_step_is_named(tmp_path: Path, steps: str, message: str) -> None:
    file = tmp_path / "change.yaml"
    file.write_text(HEAD + steps)
    with pytest.raises(TaxonomyError, match=message):
        read_change(file, get_default_taxonomy())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('from: "7"\nto: "8"\nsteps: [{retire: price}]', "changes version '7', but the list before is version '1'"),
        ('from: "1"\nto: "1"\nsteps: [{retire: price}]', "a version of its own"),
        ("from: [", "is not YAML, line 1"),
        ("steps: 3", "from: Field required"),
        ('from: "1"\nto: "2"\ngroups: [{code: our_side, label: O}]\nsteps: [{retire: price}]', "is there already"),
    ],
)
def test_wrong_head_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "change.yaml").write_text(text)
    with pytest.raises(TaxonomyError, match=message):
        read_change(tmp_path / "change.yaml", get_default_taxonomy())


def test_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="cannot be read"):
        read_change(tmp_path / "none.yaml", get_default_taxonomy())


def test_command_writes_a_list_that_reads_again(change_file: Path, tmp_path: Path, new: Taxonomy) -> None:
    result = CliRunner().invoke(app, ["change", str(change_file), "-o", str(tmp_path / "new.yaml")])
    assert result.exit_code == 0
    assert "product_gap or integration_gap" in result.stdout
    assert read_taxonomy(tmp_path / "new.yaml") == new
