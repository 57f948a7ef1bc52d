"""Figures of redaction on the labelled texts, Presidio's beside ours where it is installed. `python -m benchmarks.redaction`."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec

from benchmarks.redaction.figures import Find, count
from benchmarks.redaction.texts import HALVES, Label, read_half
from lossnlp.redaction import redact


def find_ours(text: str) -> list[Label]:
    """Gives what lossnlp replaces in a text."""
    return [Label(span.kind, span.start, span.end) for span in redact(text).spans]


def main() -> None:
    """Prints the figures of both halves as JSON."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.redaction", description=main.__doc__)
    ask.add_argument("--half", choices=HALVES, help="only this half of the texts")
    ask.add_argument("--show", action="store_true", help="tell on stderr what was missed or replaced wrongly by ours")
    ask.add_argument("--model", action="store_true", help="measure the bundle on raw and on redacted deals instead")
    ask.add_argument("--deals", type=int, default=250, help="with --model: most held-out deals")
    asked = ask.parse_args()
    if asked.model:
        from benchmarks.redaction.effect import compare

        print(json.dumps(compare(asked.deals), indent=1))
        return
    for half in [asked.half] if asked.half else HALVES:
        _print_half(half, show=asked.show)


def _print_half(half: str, *, show: bool) -> None:
    texts = read_half(half)
    peers: dict[str, Find] = {"lossnlp": find_ours}
    if find_spec("presidio_analyzer"):
        from benchmarks.redaction.presidio import open_presidio

        peers["presidio"] = open_presidio()
    for name, find in peers.items():
        counts = count(texts, find)
        print(json.dumps({"half": half, "peer": name, "texts": len(texts)}))
        for kind, row in counts.figures().items():
            print(
                f"  {kind:9}",
                *(f"{key} {value:.3f}" if key != "labelled" else f"{value:4d}" for key, value in row.items()),
            )
        if show and name == "lossnlp":
            print(*counts.wrong, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
