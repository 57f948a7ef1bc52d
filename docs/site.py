"""The documentation site: the pages as they lie in the repository and those made out of the code, built strictly.

Run: python -m docs.site
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jupytext

from docs.from_code import reference_pages
from docs.tutorial import read_notebook

ROOT = Path(__file__).parents[1]
CONFIG = "zensical.toml"
# What pages link to lies beside them, as in the repository: so no link has to be rewritten
_PAGES = (
    "*.md",
    "LICENSE",
    "benchmarks/*.md",
    "docs/**/*.md",
    "docs/images/*.png",
    "docs/site.css",
    "integrations/**/*.*",
    "lossnlp/taxonomy.yaml",
    "models/*.md",
    "models/default/MODEL_CARD.md",
    "models/default/*.png",
    "training/corpus/README.md",
)
_DECISIONS = Path("docs/decisions")
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect"}


def build_site(folder: Path) -> Path:
    """Gives the folder of the built site.

    Args:
        folder: Where `build/` is made.

    Raises:
        RuntimeError: A page, an anchor or a file that is linked to is missing, or a page would load something from another host.
    """
    lay_out(folder / "build" / "pages")
    config = folder / CONFIG
    if config != ROOT / CONFIG:
        shutil.copy(ROOT / CONFIG, config)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (all of it is ours)
    if told.returncode:
        raise RuntimeError(f"{told.stdout}\n{told.stderr}")
    site = folder / "build" / "site"
    faults = [fault for page in sorted(site.rglob("*.html")) for fault in page_faults(page, site)]
    if faults:
        raise RuntimeError("\n".join(faults))
    return site


def lay_out(pages: Path) -> None:
    """Puts every page of the site below a folder, in place of what is there.

    Args:
        pages: The folder.
    """
    shutil.rmtree(pages, ignore_errors=True)
    for path in sorted({path for pattern in _PAGES for path in ROOT.glob(pattern)}):
        to = pages / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    for name, text in reference_pages().items():
        (pages / "docs" / "reference" / name).write_text(text, encoding="utf-8")
    (pages / _DECISIONS / "README.md").write_text(_decisions(), encoding="utf-8")
    jupytext.write(read_notebook(), pages / "docs" / "tutorial.ipynb")


def _decisions() -> str:
    titles = {path.name: path.read_text(encoding="utf-8").split("\n")[0] for path in (ROOT / _DECISIONS).glob("0*.md")}
    lines = [f"- [{title.removeprefix('# ')}]({name})" for name, title in sorted(titles.items())]
    return "\n".join(["# Decisions", "", "What a later reader would question, and why it is so.", "", *lines, ""])


class _Links(HTMLParser):
    """Collects what a page leads to and what it loads.

    Args:
        text: The page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the address of an element that has one."""
        found = dict(attrs)
        address = found.get(_LOADED.get(tag, "href")) or ""
        is_loaded = tag in _LOADED and (tag != "link" or bool(_LOADING_LINKS & set((found.get("rel") or "").split())))
        if address:
            (self.loads if is_loaded else self.leads).append(address)


def page_faults(page: Path, site: Path) -> Iterator[str]:
    """Gives a sentence for each link of a page that leads to nothing in the site, and for each thing it would load from elsewhere.

    Args:
        page: The page.
        site: The folder that its absolute addresses start from.
    """
    links = _Links(page.read_text(encoding="utf-8"))
    for address in [*links.leads, *links.loads]:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            if address in links.loads and parts.scheme != "data":
                yield f"{page.relative_to(site)} would load {address}; keep it in the repository."
        elif parts.path and not _is_there(parts.path, page.parent, site):
            yield f"{page.relative_to(site)} leads to {address}, which the site does not hold; mend it, or add the file to docs/site.py."


def _is_there(path: str, folder: Path, site: Path) -> bool:
    target = (site / path.lstrip("/") if path.startswith("/") else folder / unquote(path)).resolve()
    return target.is_file() or (target / "index.html").is_file()


def main() -> None:
    """Builds the site into `build/site`."""
    logging.basicConfig(level=logging.WARNING)
    try:
        site = build_site(ROOT)
    except RuntimeError as error:
        sys.exit(f"docs.site: {error}")
    sys.stdout.write(
        f"{site.relative_to(ROOT) / 'index.html'}: to search it too, python -m http.server -d build/site\n"
    )


if __name__ == "__main__":
    main()
