"""What all tests share: no display, one thread each, and skips that are told, not hidden."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the cores are shared; tests are small

pytest_plugins = ("browser_fixtures", "screenshots", "card_book")


def pytest_terminal_summary(terminalreporter):
    """Say each skipped test with its reason, here and in the last lines of `make test`."""
    lines = sorted({f"{report.nodeid}: {report.longrepr[2]}" for report in terminalreporter.stats.get("skipped", [])})
    for line in lines:
        terminalreporter.write_line(f"NOT TESTED: {line}", yellow=True)
    if lines and "BNLIB_SKIPPED" in os.environ:
        with Path(os.environ["BNLIB_SKIPPED"]).open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)


@pytest.fixture(scope="session", autouse=True)
def learner(tmp_path_factory):
    """Checks note what a learner does; here in a file of the tests, not in the developer's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BNLIB_PROGRESS", str(tmp_path_factory.mktemp("learner") / "progress.json"))
        yield


@pytest.fixture
def english():
    """Sentences are English, before a test and after it."""
    from bnlib import language  # not above: torch must not come in before the number of threads is set

    language.set_language("en")
    yield
    language.set_language("en")


@pytest.fixture
def keyboard():
    """Ctrl-C as in a terminal; a shell starts what runs in the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
