"""A single page printed from the browser."""

import re
import sys
from io import BytesIO

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters
from pypdf import PdfReader

sys.path.insert(0, str(ROOT / "book"))

from paper.characters import plain  # noqa: E402


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_printed_from_the_browser(served_book, chromium, language):
    """From a dark window: folded text unfolded, no buttons, dark on light; and the window as before."""
    page = chromium.new_context(color_scheme="dark", viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{served_book}/chapters/{language}/{chapters()[1]}.html")
    page.locator("html[data-theme=dark]").wait_for(state="attached")
    page.evaluate(
        "addEventListener('beforeprint', () => { window.seen = [document.documentElement.dataset.theme,"
        " document.querySelectorAll('article details:not([open], .bnlib-data)').length]; })"
    )
    text = squeezed("".join(plain(part.extract_text()) for part in PdfReader(BytesIO(page.pdf(format="A4"))).pages))
    last = page.locator("article details:not(.screen-only)").last.locator("p").last.text_content()
    assert max(re.findall(r"[A-Za-z\u4e00-\u9fff]+", squeezed(last)), key=len)[:8] in text
    assert page.evaluate("window.seen") == ["light", 0]
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("article details[open]").count() == 0
    for button in ("JupyterLab", "Ctrl"):
        assert button not in text
    page.emulate_media(media="print")
    assert not page.locator("details.bnlib-data").first.is_visible()
    hidden = ".bd-header-article, .bd-sidebar-primary, .prev-next-area, .headerlink, .bnlib-widget .controls"
    assert page.locator(hidden).count() > 5
    shown = "found => found.filter((element) => element.getClientRects().length).map((element) => element.outerHTML)"
    assert page.eval_on_selector_all(hidden, shown) == []
    page.context.close()
