"""The service follows the champion: swapped while it answers, and never for a broken one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from lossnlp.errors import BundleError
from lossnlp.pointer import pointer_file, write_pointer
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.intake import Assessor, Intake, parse_deal
from serving.metrics import Metrics
from serving.model.folder import FolderSource
from serving.model.following import Follower, open_follower
from serving.model.history import ServiceRecord, find_choices, find_services
from serving.model.in_service import ModelInService
from serving.store import Database

NOTE = {"id": "D", "text": "price was too high"}


def test_named_bundle_is_put_in_service(
    follower: Follower, bundles: Path, two: tuple[str, str], record: ServiceRecord, metrics: Metrics
) -> None:
    write_pointer(bundles, "2026-11-02")
    assert follower.look(record, metrics)
    assert follower.model.model_version == two[1]
    assert not follower.look(record, metrics)


def test_link_to_a_bundle_is_followed(
    bundles: Path, two: tuple[str, str], load: Callable[[Path], Assessor], record: ServiceRecord, metrics: Metrics
) -> None:
    (bundles / "current").symlink_to("2026-11-01")
    follower = open_follower(FolderSource(bundles / "current"), load, every_s=1)
    (bundles / "next").symlink_to("2026-11-02")
    (bundles / "next").replace(bundles / "current")
    follower.look(record, metrics)
    assert follower.model.model_version == two[1]


def test_altered_bundle_is_refused_once_and_the_old_one_stays(
    follower: Follower, bundles: Path, two: tuple[str, str], record: ServiceRecord, metrics: Metrics
) -> None:
    (bundles / "2026-11-02" / "encoder.bin").write_text("other weights", encoding="utf-8")
    write_pointer(bundles, "2026-11-02")
    with capture_logs() as logs:
        assert not follower.look(record, metrics)
        assert not follower.look(record, metrics)
    [refused] = [line for line in logs if line["event"] == "model_refused"]
    assert "'encoder.bin'" in refused["why"]
    assert refused["serving"] == two[0] == follower.model.model_version
    assert 'lossnlp_model_swaps_total{outcome="refused"} 1.0' in metrics.render().decode()


def test_mended_bundle_is_taken(
    follower: Follower, bundles: Path, two: tuple[str, str], record: ServiceRecord, metrics: Metrics
) -> None:
    weights = bundles / "2026-11-02" / "encoder.bin"
    whole = weights.read_bytes()
    weights.write_bytes(b"half")
    write_pointer(bundles, "2026-11-02")
    follower.look(record, metrics)
    weights.write_bytes(whole)
    assert follower.look(record, metrics)
    assert follower.model.model_version == two[1]


def test_bundle_that_cannot_read_is_refused(
    follower: Follower, bundles: Path, two: tuple[str, str], record: ServiceRecord, metrics: Metrics
) -> None:
    load = follower.load

    def load_harmed(folder: Path) -> Assessor:
        assessor: Any = load(folder)
        assessor.assess = lambda _deal: 1 // 0
        return assessor  # type: ignore[no-any-return]

    follower.load = load_harmed
    write_pointer(bundles, "2026-11-02")
    assert not follower.look(record, metrics)
    assert follower.model.model_version == two[0]


def test_damaged_pointer_is_told_once(
    follower: Follower, bundles: Path, two: tuple[str, str], record: ServiceRecord, metrics: Metrics
) -> None:
    pointer_file(bundles, "champion").write_text("{", encoding="utf-8")
    with capture_logs() as logs:
        follower.look(record, metrics)
        follower.look(record, metrics)
    assert [line["event"] for line in logs] == ["model_refused"]
    assert follower.model.model_version == two[0]


@pytest.mark.usefixtures("two")
def test_broken_bundle_at_start_is_one_message(bundles: Path, load: Callable[[Path], Assessor]) -> None:
    (bundles / "2026-11-01" / "heads.safetensors").unlink()
    with pytest.raises(BundleError, match=r"lacks 'heads\.safetensors'"):
        open_follower(FolderSource(bundles), load, every_s=1)


def test_old_model_is_let_go(follower: Follower, bundles: Path, record: ServiceRecord, metrics: Metrics) -> None:
    old = weakref.ref(follower.model.current)
    write_pointer(bundles, "2026-11-02")
    follower.look(record, metrics)
    gc.collect()
    assert old() is None


def test_deal_ends_on_the_model_it_began_with(
    make_assessor: Callable[..., Any], small_database: Database, metrics: Metrics
) -> None:
    following = make_assessor()
    following.model_version = "keywords-2"
    model = ModelInService(make_assessor(before_answer=lambda: model.replace(following)))
    taken = Intake(model, small_database, metrics).take_deal(parse_deal(NOTE))
    assert taken.answer["model"]["version"] == "keywords-1"
    assert model.model_version == "keywords-2"


def test_new_labels_are_told(follower: Follower, bundles: Path, record: ServiceRecord, metrics: Metrics) -> None:
    told: list[bool] = []
    follower.on_labels = lambda: told.append(True)
    load = follower.load

    def load_with_labels(folder: Path) -> Assessor:
        return _Relabelled(load(folder))

    write_pointer(bundles, "2026-11-02")
    follower.look(record, metrics)
    assert told == []
    follower.load = load_with_labels
    write_pointer(bundles, "2026-11-01")
    follower.look(record, metrics)
    assert told == [True]


class _Relabelled:
    """A model that knows one label less."""

    def __init__(self, inner: Assessor) -> None:
        self.model_version = inner.model_version
        self.assess = inner.assess

    @property
    def taxonomy(self) -> Taxonomy:
        known = get_default_taxonomy()
        return known.model_copy(update={"reasons": known.reasons[1:]})


def test_what_served_when_is_kept(database: Database) -> None:
    record = ServiceRecord(database, "models", "web", process="here:1")
    for name in ("one", "two"):
        record.begin(name, f"version of {name}")
    record.refuse("three", "its hash differs")
    record.end()
    with database.reading() as session:
        told = [(row.reference, row.model_version, row.refused) for row in find_services(session, most=10)]
        assert sorted(told) == [
            ("one", "version of one", None),
            ("three", None, "its hash differs"),
            ("two", "version of two", None),
        ]
        assert [row.reference for row in find_choices(session, "models")] == ["one", "two"]


def test_database_that_is_away_holds_no_swap_up(
    follower: Follower, bundles: Path, two: tuple[str, str], metrics: Metrics, tmp_path: Path
) -> None:
    away = Database(f"sqlite:///{tmp_path}/without-tables.sqlite3")
    write_pointer(bundles, "2026-11-02")
    assert follower.look(ServiceRecord(away, str(bundles), "web"), metrics)
    assert follower.model.model_version == two[1]
    away.close()
