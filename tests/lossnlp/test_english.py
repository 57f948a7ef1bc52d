from __future__ import annotations

import subprocess
import sys


def modules_after(code: str) -> set[str]:
    """Gives which of the heavy packages a fresh process has imported after some code."""
    asked = f"{code}; import sys; print(*({{'torch', 'spacy', 'ftfy'}} & set(sys.modules)))"
    return set(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split())


def test_importing_waits_for_no_words() -> None:
    assert modules_after("import lossnlp, serving.app") == set()


def test_words_are_read_without_torch() -> None:
    assert modules_after("from lossnlp.english import stop_words; assert 'the' in stop_words()") == {"spacy"}
