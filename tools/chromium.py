"""A page in Chromium, by Playwright, for printing: open an address, run expressions, print to PDF."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Error, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_NAMES += ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
_REMEDY = (
    "install one (Debian, Ubuntu: apt install chromium; elsewhere: .venv/bin/playwright install chromium), "
    "or name it: CHROMIUM=/path/to/chromium"
)


class ChromiumError(RuntimeError):
    """What the browser can't do, in a sentence that says how to mend it."""


def find() -> str | None:
    """The path of a browser: $CHROMIUM alone if it is set, else the usual names; None leaves it to Playwright."""
    named = os.environ.get("CHROMIUM")
    if named and not shutil.which(named):
        raise ChromiumError(f"$CHROMIUM is {named!r}, which is no program; unset it or name a Chromium")
    return next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)


@contextmanager
def page() -> Iterator[Page]:
    """An empty page of a running browser, without a window."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find(), args=_FLAGS)
        except Error as error:
            reason = error.message.strip().splitlines()[0]
            raise ChromiumError(f"Printing needs a Chromium that runs here ({reason}): {_REMEDY}") from None
        try:
            yield browser.new_page()
        except Error as error:
            raise ChromiumError(f"Chromium failed while printing: {error.message}") from error
        finally:
            browser.close()


def pdf(page: Page) -> bytes:
    """The page as a tagged PDF with bookmarks, in the size and margins that its own style gives."""
    return page.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
