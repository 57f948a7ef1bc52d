"""Dashboard, alarms and runbook speak of metrics that exist and of each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="no promtool on this machine: apt-get install prometheus")
_METRIC = re.compile(r"\blossnlp_[a-z_]+")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "lossnlp.json").read_text())
    return read


def section(name: str) -> str:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    return runbook.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alarm_has_its_metrics_and_its_entry(alert: dict[str, Any]) -> None:
    assert set(_METRIC.findall(alert["expr"])) <= Metrics().names()
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
    assert len(section(alert["alert"]).strip()) > 30


def test_runbook_has_no_entry_without_alarm() -> None:
    headings = re.findall(r"^## (Lossnlp\w+)$", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    assert headings == [alert["alert"] for alert in alerts()]


def test_pages_name_only_metrics_that_exist() -> None:
    names = Metrics().names()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    text = "".join((ROOT / "docs" / f"{page}.md").read_text() for page in ("runbook", "objectives", "load", "drift"))
    assert set(re.findall(r"`(lossnlp_[a-z_]+)", text)) <= names | families


def test_objectives_name_only_alarms_that_exist() -> None:
    named = set(re.findall(r"Lossnlp[A-Z]\w+", (ROOT / "docs" / "objectives.md").read_text()))
    assert named <= {alert["alert"] for alert in alerts()}


def test_dashboard_shows_metrics_that_exist() -> None:
    targets = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    shown = {name for expression in targets for name in _METRIC.findall(expression)}
    assert len(targets) > 20
    assert shown <= Metrics().names()


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells


@needs_promtool
@pytest.mark.parametrize(
    "words", [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]], ids=" ".join
)
def test_prometheus_accepts_the_rules(words: list[str]) -> None:
    told = subprocess.run([PROMTOOL, *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@needs_promtool
def test_prometheus_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    told = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


@needs_promtool
def test_prometheus_reads_what_is_shown() -> None:
    metrics = Metrics()
    metrics.count_request("GET", "/healthz", status=200, seconds=0.1)
    shown = metrics.render().decode()
    told = subprocess.run([PROMTOOL, "check", "metrics"], input=shown, capture_output=True, text=True, check=False)
    assert told.returncode in (0, 3), told.stderr  # 3: advice on names alone
