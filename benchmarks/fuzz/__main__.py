"""Feeds one target with bytes that Atheris chooses by what code they reach; ends with 77 at the first that it cannot take.

Run: python -m benchmarks.fuzz transcripts|webhooks [--minutes 30] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_READERS = ("lossnlp", "serving.crm", "serving.doors", "serving.inbox")


def main(words: Sequence[str] | None = None) -> None:
    """Runs until the time is over; libFuzzer prints how many inputs that were."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=(__doc__ or "").splitlines()[0])
    ask.add_argument("target", choices=("transcripts", "webhooks"))
    ask.add_argument("--minutes", type=float, default=30.0, help="(default: %(default)s)")
    ask.add_argument("--keep", type=Path, help="folder for the inputs that reach new code, to go on from another time")
    asked = ask.parse_args(words)
    import atheris

    with atheris.instrument_imports(include=list(_READERS)):
        from benchmarks.fuzz.targets import TARGETS
    target = TARGETS[asked.target]
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="lossnlp-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={round(asked.minutes * 60)}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=3072"]
    crash = [f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *crash, str(folder)], target.take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
