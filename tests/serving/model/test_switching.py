"""Another model is put in service by one command, and the one before by another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.errors import BundleError
from lossnlp.pointer import find_bundle_folder, write_pointer
from serving.commands import app
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.model.folder import FolderSource
from serving.model.history import ServiceRecord, find_choices
from serving.model.sources import ShippedSource
from serving.model.switching import Switch, SwitchError
from serving.settings import Settings
from serving.store import Database
from tests.serving.model.conftest import MakeBundle


@pytest.fixture
def switch(bundles: Path, small_database: Database, load: Callable[[Path], Assessor]) -> Switch:
    return Switch(FolderSource(bundles), str(bundles), small_database, load)


def use(switch: Switch, *names: str) -> None:
    for name in names:
        switch.use(name, by="Ana", reason="better on notes")


def named(bundles: Path) -> str:
    return find_bundle_folder(bundles).name


def test_bundle_is_used_by_its_version(switch: Switch, bundles: Path, two: tuple[str, str]) -> None:
    chosen = switch.use(two[1], by="Ana", reason="better on notes")
    assert named(bundles) == "2026-11-02"
    assert (chosen.model_version, chosen.chosen_by, chosen.reason, chosen.kind) == (
        two[1],
        "Ana",
        "better on notes",
        "use",
    )


def test_bundle_from_elsewhere_is_copied_in(
    switch: Switch, bundles: Path, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    elsewhere = make_bundle("2026-11-07", tmp_path)
    version = read_bundle(elsewhere).manifest.version
    use(switch, str(elsewhere))
    assert named(bundles) == version
    assert read_bundle(bundles / version).manifest.version == version


@pytest.mark.usefixtures("two")
def test_broken_bundle_is_not_used(switch: Switch, bundles: Path) -> None:
    (bundles / "2026-11-02" / "tokenizer.json").write_text("altered", encoding="utf-8")
    with pytest.raises(BundleError, match=r"'tokenizer\.json'"):
        use(switch, "2026-11-02")
    assert named(bundles) == "2026-11-01"
    with switch.database.reading() as session:
        assert find_choices(session, str(bundles)) == []


@pytest.mark.usefixtures("two")
def test_unknown_bundle_is_one_message(switch: Switch) -> None:
    with pytest.raises(BundleError, match="neither the path of a bundle nor the name or version"):
        use(switch, "2026-12-24")


def test_rollback_goes_to_the_one_before(switch: Switch, bundles: Path, two: tuple[str, str]) -> None:
    use(switch, *two)
    back = switch.roll_back(by="Bo", reason="worse on calls")
    assert named(bundles) == "2026-11-01"
    assert (back.kind, back.model_version, back.chosen_by) == ("rollback", two[0], "Bo")


@pytest.mark.usefixtures("two")
def test_second_rollback_goes_one_further_back(switch: Switch, bundles: Path, make_bundle: MakeBundle) -> None:
    make_bundle("2026-11-03")
    use(switch, "2026-11-01", "2026-11-02", "2026-11-03")
    switch.roll_back(by="Bo", reason="")
    switch.roll_back(by="Bo", reason="")
    assert named(bundles) == "2026-11-01"
    with pytest.raises(SwitchError, match="No other model was in service before"):
        switch.roll_back(by="Bo", reason="")


def test_rollback_knows_what_was_switched_by_hand(
    switch: Switch, bundles: Path, two: tuple[str, str], record: ServiceRecord
) -> None:
    record.begin("2026-11-01", two[0])
    write_pointer(bundles, "2026-11-02")
    record.begin("2026-11-02", two[1])
    switch.roll_back(by="Bo", reason="")
    assert named(bundles) == "2026-11-01"


@pytest.mark.usefixtures("two")
def test_rollback_from_a_bundle_that_nobody_took(switch: Switch, bundles: Path) -> None:
    use(switch, "2026-11-01")
    write_pointer(bundles, "2026-11-02")
    switch.roll_back(by="Bo", reason="")
    assert named(bundles) == "2026-11-01"


def test_one_bundle_alone_is_not_switched(small_database: Database, load: Callable[[Path], Assessor]) -> None:
    with pytest.raises(ConfigurationError, match="names one bundle"):
        use(Switch(ShippedSource(), "", small_database, load), "2026-11-02")
    with pytest.raises(ConfigurationError, match="names one bundle"):
        use(Switch(FolderSource(find_default_bundle()), "there", small_database, load), "2026-11-02")


@pytest.mark.usefixtures("set_up_logs")
def test_commands_use_and_roll_back_real_bundles(settings: Settings, tmp_path: Path) -> None:
    env = {"LOSSNLP_VAR_DIR": str(settings.var_dir), "LOSSNLP_MODEL": str(tmp_path / "models"), "COLUMNS": "200"}

    def say(*words: str) -> str:
        result = CliRunner().invoke(app, ["model", *words], env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    version = read_bundle(find_default_bundle()).manifest.version
    assert version in say("use", str(find_default_bundle()), "--by", "Ana", "--reason", "the first")
    (tmp_path / "models" / "again").symlink_to(version)
    say("use", "again", "--by", "Ana")
    say("rollback", "--by", "Bo", "--reason", "a try")
    shown = say("show")
    assert [word in shown for word in ("rollback", "Bo", "a try", "the first")] == [True] * 4
