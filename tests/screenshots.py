"""What a browser showed when its test failed: one picture for each open page, in _build/screenshots."""

import re
from pathlib import Path

import pytest

FOLDER = Path("_build") / "screenshots"  # below the folder that pytest is run for


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    browser = getattr(item, "funcargs", {}).get("chromium")
    if report.when == "call" and report.failed and browser is not None:
        kept = keep(browser, item.config.rootpath / FOLDER, re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-"))
        report.sections.append(("Screenshots", "\n".join(kept)))
    return report


def keep(browser, folder: Path, name: str) -> list[str]:
    """Write a picture of each open page; gives their paths, or why there is none."""
    from playwright.sync_api import Error

    folder.mkdir(parents=True, exist_ok=True)
    said = []
    for number, page in enumerate(page for context in browser.contexts for page in context.pages):
        path = folder / f"{name[-150:]}-{number}.png"
        try:
            page.screenshot(path=path, timeout=10_000)
            said.append(f"{path} ({page.url})")
        except Error as error:  # the page is what failed; the test's own error is told all the same
            said.append(f"no picture of {page.url}: {error.message}")
    return said
