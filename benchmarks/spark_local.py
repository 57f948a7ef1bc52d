"""What Spark costs: two workers of one thread each under local Spark, beside one process of two threads, over the same notes.

Prints JSON. Rounds alternate; a round of Spark is one part of a job, from reading Parquet until its tables are written. What
a job takes beside its part, and the start (the virtual machine, the workers, their bundles), are told apart. Processor seconds
a note are told too: on a machine that others keep busy they say what Spark costs, and the clock says little.

Run: python -m benchmarks.spark_local --rounds 3
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORES = 2
TARGET = 0.8


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each; the median counts")
    parser.add_argument("--notes", type=int, default=600, help="notes a round")
    asked = parser.parse_args(arguments)
    requests = _requests(asked.notes)
    process = _Process()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        spark = _Spark(Path(folder), requests)
        start_s = time.perf_counter() - started
        rounds = [(_timed(lambda: process.run(requests)), _timed(spark.run)) for _ in range(asked.rounds)]
    alone = [len(requests) / wall_s for (_, wall_s, _), _ in rounds]
    apart = [len(requests) / part_s for _, (part_s, _, _) in rounds]
    cpu_alone, cpu_apart = ([pair[side][2] / len(requests) for pair in rounds] for side in (0, 1))
    ratio = statistics.median(apart) / statistics.median(alone)
    told = {
        "notes": len(requests),
        "rounds": asked.rounds,
        "process_rows_per_s": _spread(alone),
        "spark_rows_per_s": _spread(apart),
        "spark_rows_per_s_and_core": round(statistics.median(apart) / CORES, 2),
        "ratio": round(ratio, 3),
        "target": TARGET,
        "is_met": ratio >= TARGET,
        "process_cpu_s_a_note": _spread(cpu_alone),
        "spark_cpu_s_a_note": _spread(cpu_apart),
        "cpu_ratio": round(statistics.median(cpu_alone) / statistics.median(cpu_apart), 3),
        "spark_start_s": round(start_s, 1),
        "spark_job_beside_its_part_s": _spread([wall_s - part_s for _, (part_s, wall_s, _) in rounds]),
        "machine": _machine(),
    }
    print(json.dumps(told, indent=1))


def _requests(count: int) -> list[dict[str, object]]:
    """Gives notes from all over the corpus, evenly spaced."""
    from training.corpus import corpus_files, is_note, read_corpus

    documents = [document for one in read_corpus(corpus_files()) for document in one.deal.documents]
    notes = [document.text for document in documents if is_note(document) and document.text]
    return [
        {"id": str(index), "text": text} for index, text in enumerate(notes[:: max(1, len(notes) // count)][:count])
    ]


class _Process:
    """One process with a thread of the runtime for each core, and as many callers."""

    def __init__(self) -> None:
        from lossnlp.classifier import LossClassifier

        self._classifier = LossClassifier.load(threads=CORES)

    def run(self, requests: Sequence[dict[str, object]]) -> float:
        """Gives how long all requests take, each one's JSON included, as a job writes it."""
        started = time.perf_counter()
        with ThreadPoolExecutor(CORES) as pool:
            for _ in pool.map(self._answer, requests):
                pass
        return time.perf_counter() - started

    def _answer(self, request: dict[str, object]) -> str:
        from lossnlp.deal import Deal

        return self._classifier.assess(Deal.from_request(request)).model_dump_json()


class _Spark:
    """A local session whose workers have read once before they are measured."""

    def __init__(self, folder: Path, requests: Sequence[dict[str, object]]) -> None:
        from lossnlp_spark.cli import spark_session

        settings = ("spark.ui.enabled=false", "spark.ui.showConsoleProgress=false")
        self._session = spark_session(f"local[{CORES}]", settings)
        self._session.sparkContext.setLogLevel("ERROR")
        self._folder, self._runs = folder, 0
        rows = [(json.dumps(request),) for request in requests]
        self._session.createDataFrame(rows, "deal string").write.parquet(str(folder / "deals"))
        self.run()

    def run(self) -> float:
        """Gives how long the one part of a job over all requests takes."""
        from lossnlp_spark.job import Job, assess_table

        self._runs += 1
        target = str(self._folder / f"out-{self._runs}")
        job = Job(source=str(self._folder / "deals"), target=target, parts=1, partitions=4 * CORES)
        parts: list[float] = []
        assess_table(self._session, job, told=lambda part: parts.append(part.seconds))
        return parts[0]


def _timed(run: Callable[[], float]) -> tuple[float, float, float]:
    """Gives the seconds that a run tells, those of the clock, and those of processors in this process and all below it."""
    started, cpu = time.perf_counter(), _cpu_s()
    told = run()
    return told, time.perf_counter() - started, _cpu_s() - cpu


def _cpu_s() -> float:
    """Gives the processor seconds of this process and of those below it; Linux alone tells them so."""
    parents, seconds = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()
            parents[int(file.parent.name)] = int(fields[1])
            seconds[int(file.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family, older = {os.getpid()}, 0
    while len(family) > older:
        older = len(family)
        family |= {one for one, parent in parents.items() if parent in family}
    return sum(seconds[one] for one in family if one in seconds)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
    }


def _machine() -> dict[str, object]:
    import openvino
    import pyspark

    return {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "pyspark": pyspark.__version__,
        "openvino": openvino.__version__.split("-")[0],
    }


if __name__ == "__main__":
    main()
