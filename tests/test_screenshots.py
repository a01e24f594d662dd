"""A browser test that fails leaves a picture of what was shown, and says where it lies."""

import os
import subprocess
import sys

from browser_fixtures import ROOT

FAILS = """
def test_a_page(open_page):
    page, _ = open_page("data:text/html,<h1>shown</h1>")
    assert page.locator("h1").inner_text() == "hidden"
"""


def test_a_failing_browser_test_keeps_a_picture(chromium, tmp_path):
    (tmp_path / "test_fails.py").write_text(FAILS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "browser_fixtures", "-p", "screenshots", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (picture,) = (tmp_path / "_build" / "screenshots").glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 1000
    assert str(picture) in done.stdout and "data:text/html" in done.stdout
