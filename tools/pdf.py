"""Print the built book, one PDF per language: `pdf.py [FOLDER]` (make pdf), into _build/pdf unless told otherwise."""

import os
import sys
import tempfile
import time
from pathlib import Path

import yaml
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "tools")]

import chromium  # noqa: E402
from bilingual.addresses import repository, site  # noqa: E402
from bilingual.languages import CODES  # noqa: E402
from bilingual.settings import settings  # noqa: E402
from chromium import ChromiumError  # noqa: E402
from paper.document import Document, page_names  # noqa: E402
from paper.front import authors  # noqa: E402
from paper.pdf import described, pages_of_anchors  # noqa: E402

LICENCES = {"en": "Text and figures: CC BY 4.0. Code: MIT.", "zh": "文字与图：CC BY 4.0。代码：MIT。"}
# resolved when fonts, pictures and mathematics have come to rest
SETTLED = """(async () => {
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode()));
})()"""
# a font that lacks a character draws the same box for each
DRAWS_CHINESE = """(() => {
  const drawn = [..."归一化"].map((letter) => {
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    pen.font = "40px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(letter, 10, 60);
    return canvas.toDataURL();
  });
  return new Set(drawn).size === drawn.length;
})()"""
NO_FONT = "No font on this machine has Chinese characters: install one (Debian, Ubuntu: apt install fonts-noto-cjk)"


def main(words: list[str]) -> int:
    folder = Path(words[0]).resolve() if words else ROOT / "_build" / "pdf"
    folder.mkdir(parents=True, exist_ok=True)
    built = ROOT / "_build" / "html"
    if not (built / "index.html").is_file():
        print("There is no book in _build/html yet; build it first with: make book", file=sys.stderr)
        return 1
    try:
        with chromium.page() as page:
            for language in CODES:
                start = time.perf_counter()
                path = folder / settings(ROOT).pdf(language)
                path.write_bytes(print_book(page, built, language))
                took, size = time.perf_counter() - start, path.stat().st_size / 1e6
                print(f"{os.path.relpath(path)}: {size:.1f} MB, {took:.0f} s", flush=True)
    except ChromiumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def print_book(page: Page, built: Path, language: str) -> bytes:
    """Print one language, first to learn the page numbers, then with them."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    address = site(repository(config["repository"]["url"]))
    document = Document(built, page_names(ROOT, language), language, settings(ROOT), address)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "book.html"
        source.write_text(document.text(about), encoding="utf-8")
        page.goto(source.as_uri())
        page.evaluate(SETTLED)
        if not page.evaluate(DRAWS_CHINESE):
            raise ChromiumError(NO_FONT)
        data = with_page_numbers(page)
    return described(data, document.title, authors(document, about), CODES[language], LICENCES[language])


def with_page_numbers(page: Page) -> bytes:
    """Print until the numbers that are printed are the numbers of the print."""
    numbers = None
    for _ in range(4):
        data = chromium.pdf(page)
        found = pages_of_anchors(data)
        if found == numbers:
            return data
        numbers = found
        missing = page.evaluate(
            "(pages) => [...document.querySelectorAll('[data-page-of]')].filter((place) => {"
            " place.textContent = pages[place.dataset.pageOf] ?? '?';"
            " return place.textContent === '?'; }).map((place) => place.dataset.pageOf)",
            numbers,
        )
        if missing:
            raise ChromiumError(f"The print has no page for {', '.join(missing[:5])}; is there a heading without text?")
    raise ChromiumError("The page numbers of the contents did not settle in four prints")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
