"""`make configure` on a copy of the whole tree: no place missed, nothing made up, changed again and undone."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from browser_fixtures import LANGUAGES, ROOT, serve
from bs4 import BeautifulSoup

OURS, OTHER = "some-owner/some-name", "Another-Owner/another.name"
# what other people's repositories are cited for; everything else that looks like one has to be ours
CITED = {
    "d2l-ai/d2l-en",
    "d2l-ai/d2l-zh",
    "d2l-ai/d2l-zh-pytorch-slides",
    "zalandoresearch/fashion-mnist",
    "tensorflow/tensorflow",
    "eladhoffer/bigBatch",
    "pytorch/pytorch",
    "stipub/stixfonts",
}
LEFT_OUT = {".git", ".venv", "_build", "__pycache__", ".hypothesis", ".pytest_cache", ".ruff_cache", ".jupyter_cache"}
NAMED = re.compile(
    r"(?:github\.com/|raw\.githubusercontent\.com/|mybinder\.org/v2/gh/|research\.google\.com/github/)"
    r"([A-Za-z0-9][\w.-]*/[\w.-]*\w)"
)
SITE = re.compile(r"https://([\w.-]+)\.github\.io/([\w.-]*)")
FIELD = re.compile(r'REPOSITORY = \\?"|^  url: "|configure: begin', re.M)


def texts(folder: Path) -> dict[str, str]:
    """Every text file below a folder, by its path; what is installed, cached or built is left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not LEFT_OUT & set(parts) and not any(part.endswith(".egg-info") for part in parts):
            try:
                found["/".join(parts)] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return found


def configure(tree: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(tree / "tools" / "configure.py"), *words]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def blocks(text: str) -> list[str]:
    return re.findall(r"(?ms)^[^\n]*configure: begin[^\n]*\n(.*?)^[^\n]*configure: end", text)


@pytest.fixture
def tree(tmp_path) -> Path:
    """The whole tree, with no address in it."""
    skipped = shutil.ignore_patterns(*LEFT_OUT, "*.egg-info")
    shutil.copytree(ROOT, tmp_path / "tree", ignore=skipped, symlinks=True)
    assert configure(tmp_path / "tree", "none").returncode == 0
    return tmp_path / "tree"


def test_what_is_no_repository_is_refused_in_a_sentence(tree):
    before = texts(tree)
    for repo in ("", "name", "owner/", "https://github.com/owner/name", "a b/c", "-x/y", "owner/..", "owner/name/more"):
        done = configure(tree, repo)
        assert done.returncode == 2 and "expected owner/name" in done.stderr and len(done.stderr.splitlines()) == 1
    assert texts(tree) == before


def test_no_account_is_made_up(tree):
    for path, text in texts(tree).items():
        if not path.startswith("tests/"):  # tests name some-owner, in order to find it
            assert set(NAMED.findall(text)) - CITED - {"owner/name"} == set(), path
            assert SITE.findall(text) == [], path


def test_every_place_is_written_and_no_other(tree):
    before = texts(tree)
    done = configure(tree, OURS)
    assert done.returncode == 0
    after = texts(tree)
    places = {path for path, text in before.items() if FIELD.search(text) and not path.startswith(("tests/", "tools/"))}
    changed = {path for path in after if after[path] != before[path]}
    assert changed == places and f"{len(places)} files changed" in done.stdout
    notebooks = {path for path in before if path.endswith(".ipynb")}
    assert notebooks <= places and len(places - notebooks) == 7
    for path in places:
        assert OURS in after[path], path
        assert set(NAMED.findall(after[path])) <= CITED | {OURS}, path
        assert all(block.strip() for block in blocks(after[path])), path
        assert set(SITE.findall(after[path])) <= {("some-owner", "some-name")}, path


def test_a_notebook_differs_in_its_first_cell_alone(tree):
    path = next((tree / "chapters" / "en").glob("*.ipynb"))
    before = json.loads(path.read_text("utf-8"))
    configure(tree, OURS)
    after = json.loads(path.read_text("utf-8"))
    pairs = zip(before["cells"], after["cells"], strict=True)
    assert [cell["id"] for cell, other in pairs if cell != other] == ["setup"]
    assert f'REPOSITORY = "{OURS}"' in "".join(after["cells"][1]["source"])


def test_it_can_be_said_twice_changed_again_and_undone(tree):
    before = texts(tree)
    configure(tree, OURS)
    ours = texts(tree)
    assert "0 files changed" in configure(tree, OURS).stdout and texts(tree) == ours
    assert configure(tree, OTHER).returncode == 0
    for path, text in texts(tree).items():
        assert path.startswith("tests/") or "some-owner" not in text, path
    configure(tree, OURS)
    assert texts(tree) == ours
    assert configure(tree, "none").returncode == 0
    assert texts(tree) == before


def test_a_missing_place_is_named_and_nothing_written(tree):
    path = tree / "CITATION.cff"
    path.write_text(path.read_text("utf-8").replace("# configure: end\n", ""), encoding="utf-8")
    before = texts(tree)
    done = configure(tree, OURS)
    assert done.returncode == 1 and "CITATION.cff has 0 places" in done.stderr
    assert texts(tree) == before


def test_what_was_written_can_be_read(tree):
    configure(tree, OURS)
    citation = yaml.safe_load((tree / "CITATION.cff").read_text("utf-8"))
    assert citation["repository-code"] == f"https://github.com/{OURS}"
    assert citation["url"] == "https://some-owner.github.io/some-name/"
    project = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Repository"] == f"https://github.com/{OURS}"
    config = yaml.safe_load((tree / "_config.yml").read_text("utf-8"))
    assert config["repository"] == {"url": f"https://github.com/{OURS}", "branch": "main"}


@pytest.fixture(scope="module")
def configured_book(tmp_path_factory) -> Path:
    """The whole book, built after `configure`."""
    tree = tmp_path_factory.mktemp("configured") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT, "*.egg-info"), symlinks=True)
    assert configure(tree, OURS).returncode == 0
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return tree / "_build" / "html"


def test_the_built_book_names_the_repository_everywhere(configured_book):
    pages = sorted((configured_book / "chapters").rglob("*.html"))
    notebooks = sorted((configured_book / "_sources").rglob("*.ipynb"))
    assert len(notebooks) >= 8
    for path in notebooks:
        name = path.relative_to(configured_book / "_sources").as_posix()
        soup = BeautifulSoup((configured_book / name).with_suffix(".html").read_text("utf-8"), "html.parser")
        links = {a.get_text(): a["href"] for a in soup.select("a.page-link-button")}
        assert links["Colab"] == f"https://colab.research.google.com/github/{OURS}/blob/main/{name}"
        assert links["Binder"] == f"https://mybinder.org/v2/gh/{OURS}/main?urlpath=lab/tree/{name}"
        assert links["JupyterLab"] == "local.html" and links[".ipynb"].endswith(name)
        assert f'REPOSITORY = \\"{OURS}\\"' in path.read_text("utf-8")
    for path in pages:
        text = path.read_text("utf-8")
        assert 'REPOSITORY</span> <span class="o">=</span> <span class="s2">""' not in text
        assert set(NAMED.findall(text)) <= CITED | {OURS} | {"owner/name"}, path
    for language in LANGUAGES:
        assert (
            f"git clone https://github.com/{OURS}"
            in BeautifulSoup(
                (configured_book / f"chapters/{language}/local.html").read_text("utf-8"), "html.parser"
            ).get_text()
        )


def test_a_wrong_address_leads_back_at_any_depth(configured_book, chromium, tmp_path):
    """GitHub Pages shows 404.html in place of what is missing, below the repository's name."""
    (tmp_path / "some-name").symlink_to(configured_book)
    with serve(tmp_path) as address:
        page = chromium.new_context().new_page()
        shown = (configured_book / "404.html").read_text("utf-8")
        lost = f"{address}/some-name/chapters/xx/deep/nothing.html"
        page.route(lost, lambda route: route.fulfill(status=404, body=shown, content_type="text/html"))
        for language in LANGUAGES:
            page.goto(lost)
            link = page.locator(f"[lang='{LANGUAGES[language]}'] a").first
            assert urlsplit(link.evaluate("link => link.href")).path == f"/some-name/chapters/{language}/index.html"
            link.click()
            page.wait_for_url(f"**/some-name/chapters/{language}/index.html")
            assert page.locator("html").get_attribute("lang") == LANGUAGES[language]
        page.context.close()
