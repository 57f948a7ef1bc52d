from __future__ import annotations

from pathlib import Path

import yaml

from training import ablation
from training.config import TrainConfig


def rows() -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = yaml.safe_load(Path(ablation.__file__).with_name("ablation.yaml").read_text())
    return loaded


def test_every_row_changes_one_setting_that_exists() -> None:
    usual = ablation.settings(rows()[0], seed=0)
    for row in rows()[1:]:
        changed = {
            name
            for name in TrainConfig.model_fields
            if getattr(ablation.settings(row, seed=0), name) != getattr(usual, name)
        }
        assert changed in ({key for key in row if key != "name"}, {"encoder", "layers"}), row["name"]


def test_a_weight_that_is_not_named_stays_as_it_is() -> None:
    changed = ablation.settings({"name": "x", "weights": {"evidence": 0.0}}, seed=1)
    assert (changed.weights.evidence, changed.weights.primary, changed.seed) == (0.0, TrainConfig().weights.primary, 1)


def test_material_is_the_same_short_deals_each_time() -> None:
    one, other = ablation.small_material(50), ablation.small_material(50)
    assert [deal.deal.id for deal in one.learn] == [deal.deal.id for deal in other.learn]
    assert all(len(deal.deal.documents) == 1 for deal in one.learn)


def test_table_gives_mean_and_spread_of_the_seeds() -> None:
    runs = [dict.fromkeys(ablation.FIGURES, value) for value in (0.5, 0.7)]
    table = ablation.as_table({"as shipped": runs})
    assert table.splitlines()[2].startswith("| as shipped | 0.600 ± 0.141 |")
