"""A loss review as PDF, printed by a Chromium that is installed here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lossnlp.errors import LossNlpError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# It prints a file of ours that loads nothing; whatever a browser asks for by itself is switched off
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
_TIMEOUT_S = 120.0


class PdfError(LossNlpError):
    """Says that no PDF was made; the HTML file beside it stands."""

    code = "no_pdf"


def print_pdf(page: Path) -> Path:
    """Gives the PDF of a page, beside it under the same name.

    Args:
        page: An HTML file.

    Raises:
        PdfError: No Chromium is installed, or it did not print the page.
    """
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        message = (
            f"No PDF was made: none of {', '.join(_PROGRAMS)} is installed. Open {page} in a browser and print it."
        )
        raise PdfError(message)
    wanted = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="lossnlp-pdf-", ignore_cleanup_errors=True) as profile:
        made = Path(profile) / "page.pdf"
        command = [program, *_OPTIONS, f"--user-data-dir={profile}", f"--print-to-pdf={made}", page.resolve().as_uri()]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)  # noqa: S603 (no shell; our own words)
            shutil.move(made, wanted)
        except (OSError, subprocess.SubprocessError):
            raise PdfError(
                f"No PDF was made: {program} did not print {page}. Open it in a browser and print it."
            ) from None
    return wanted
