"""Several processes answer on one port over one database, and count together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from serving.cli import give_way
from serving.load.processes import count_processes, make_app
from serving.metrics import SHARED_FOLDER, Metrics
from serving.model import loading
from serving.settings import Settings
from tests.serving.conftest import KEY

ROOT = Path(__file__).parents[3]


@pytest.fixture
def together(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx2.Client]:
    """Two processes of the service."""
    monkeypatch.setenv("LOSSNLP_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("LOSSNLP_API_KEY", KEY)
    command = [sys.executable, "-m", "tests.serving.load.process_app"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = f"http://127.0.0.1:{int(process.stdout.readline())}"
            headers = {"Authorization": f"Bearer {KEY}", "Connection": "close"}
            with httpx2.Client(base_url=address, headers=headers, timeout=60) as client:
                yield client
        finally:
            process.terminate()
            assert process.wait(60) == 0


def test_processes_share_port_database_and_counts(together: httpx2.Client) -> None:
    note = {"id": "D-1", "text": "the price was too high"}
    answers = [together.post("/v1/assessments", json=note) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [201] + [200] * 7
    assert len({answer.json()["id"] for answer in answers}) == 1
    shown = together.get("/metrics").text
    assert 'lossnlp_deals_total{outcome="repeat"} 7.0' in shown
    assert 'lossnlp_waiting_deals{row="live"} 0.0' in shown


def test_process_that_cannot_start_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOSSNLP_ROUND_DEALS", "many")
    with pytest.raises(SystemExit) as ended:
        make_app()
    assert ended.value.code == 3
    assert "LOSSNLP_ROUND_DEALS" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("processes", "threads", "cores", "wanted"),
    [(1, 0, 4, 4), (2, 0, 4, 2), (3, 0, 4, 1), (8, 0, 4, 1), (0, 0, 4, 1), (1, 3, 4, 3), (0, 2, 4, 2)],
)
def test_processes_share_the_processors(
    monkeypatch: pytest.MonkeyPatch, processes: int, threads: int, cores: int, wanted: int
) -> None:
    monkeypatch.setattr(loading, "usable_cores", lambda: cores)
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 64)
    assert loading.model_threads(Settings(processes=processes, threads=threads)) == wanted


def test_whole_machine_is_the_runtimes_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "usable_cores", lambda: 64)
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 64)
    assert loading.model_threads(Settings()) == 0


def test_no_number_means_one_process_a_processor() -> None:
    assert count_processes(Settings(processes=3)) == 3
    assert count_processes(Settings(processes=0)) >= 1


@pytest.mark.parametrize(("words", "wanted"), [(["worker", "--once"], [10]), (["run"], []), ([], [])])
def test_command_that_can_wait_gives_way(words: list[str], wanted: list[int]) -> None:
    lowered: list[int] = []
    give_way(words, lower_to=lowered.append)
    assert lowered == wanted


def test_gauges_of_ended_processes_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f"gauge_livesum_{int(ended.stdout)}.db"
    left.touch()
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    Metrics().render()
    assert not left.exists()


def test_swapped_model_is_no_longer_counted() -> None:
    metrics = Metrics()
    metrics.show_model("1")
    metrics.show_model("2")
    shown = metrics.render().decode()
    assert 'lossnlp_model{version="1"} 0.0' in shown
    assert 'lossnlp_model{version="2"} 1.0' in shown
