"""The book as it is published: below any path, as one archive from a disk, by a workflow; Binder's machine."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.request import urlopen

import pytest
import yaml
from browser_fixtures import LANGUAGES, ROOT, chapters, serve
from bs4 import BeautifulSoup

ARCHIVE = "batch-normalization-book.zip"
WIDGET_PAGE = "02_formulas"
WORKFLOWS = ROOT / ".github" / "workflows"
SEARCHED = {"en": "variance", "zh": "方差"}


@pytest.fixture(scope="module")
def below_a_path(built_book, tmp_path_factory):
    """The address of the book below a path that it knows nothing of."""
    root = tmp_path_factory.mktemp("host")
    (root / "some" / "where").mkdir(parents=True)
    (root / "some" / "where" / "deep").symlink_to(built_book)
    with serve(root) as address:
        yield f"{address}/some/where/deep/"


@pytest.fixture(scope="module")
def unzipped(built_book, tmp_path_factory) -> Path:
    """The archive, unpacked into a folder whose name is neither short nor plain."""
    folder = tmp_path_factory.mktemp("a stick") / "我的 书"
    with zipfile.ZipFile(built_book / ARCHIVE) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder / "batch-normalization"


def read_and_search(page, start: str, language: str) -> None:
    """What a reader does: switch the language and come back, move a widget, search, open what was found."""
    page.goto(f"{start}chapters/{language}/{WIDGET_PAGE}.html")
    other = next(code for code in LANGUAGES if code != language)
    for code in (other, language):
        page.locator("a.language-switch").click()
        page.wait_for_url(f"**/chapters/{code}/{WIDGET_PAGE}.html*")
        assert page.locator("html").get_attribute("lang") == LANGUAGES[code]
    page.locator(".bnlib-widget[data-widget=normalize]").scroll_into_view_if_needed()
    knob = page.locator(".bnlib-normalize .knob").first
    before = knob.get_attribute("aria-valuenow")
    knob.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "old => document.querySelector('.bnlib-normalize .knob').getAttribute('aria-valuenow') !== old", arg=before
    )
    page.goto(f"{start}search.html?q={SEARCHED[language]}&lang={language}")
    found = page.locator("#search-results a[href*='chapters/']").first
    found.wait_for()
    found.click()
    page.wait_for_url(f"**/chapters/{language}/**")
    assert page.url.startswith(start)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_book_works_below_any_path(below_a_path, open_page, language):
    page, troubles = open_page(f"{below_a_path}index.html?choose")
    read_and_search(page, below_a_path, language)
    assert troubles == []


def test_every_link_below_a_path_leads_somewhere(below_a_path):
    seen, waiting = set(), [f"{below_a_path}index.html"]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        with urlopen(address, timeout=20) as answer:  # 404 raises, with the address in the traceback's locals
            kind, body = answer.headers.get_content_type(), answer.read()
        assert urlsplit(address).path.startswith("/some/where/deep/"), address
        if kind != "text/html":
            continue
        soup = BeautifulSoup(body, "html.parser")
        for tag in soup.select("a[href], link[href], img[src], script[src]"):
            target = urldefrag(urljoin(address, tag.get("href") or tag.get("src")))[0]
            if urlsplit(target).netloc == urlsplit(below_a_path).netloc:
                waiting.append(target)
    wanted = {f"{below_a_path}chapters/{code}/{name}.html" for code in LANGUAGES for name in [*chapters(), "local"]}
    assert wanted <= seen and f"{below_a_path}{ARCHIVE}" in seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_archive_opens_from_a_disk(unzipped, open_page, language):
    page, troubles = open_page(f"{(unzipped / 'index.html').as_uri()}?choose")
    read_and_search(page, f"{unzipped.as_uri()}/", language)
    assert troubles == []


def test_the_archive_holds_the_book_and_not_itself(built_book, unzipped):
    left_out = {ARCHIVE, *(f"batch-normalization-{language}.pdf" for language in LANGUAGES)}

    def files(folder):
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    hidden = {path for path in files(built_book) if path.rsplit("/", 1)[-1].startswith(".")}
    assert files(unzipped) == files(built_book) - left_out - hidden
    for path in unzipped.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not [name for name in left_out if name in text], path
    mentioned = (built_book / "chapters/zh/index.html").read_text("utf-8")
    assert ARCHIVE in mentioned and "离线阅读" in mentioned
    landing = BeautifulSoup((built_book / "index.html").read_text("utf-8"), "html.parser")
    assert {line["lang"] for line in landing.select(f"p:has(> a[href='{ARCHIVE}'])")} == set(LANGUAGES.values())


def test_the_same_pages_give_the_same_archive(built_book):
    sys.path.insert(0, str(ROOT / "book"))
    from bilingual.archive import pack
    from bilingual.settings import settings

    first = (built_book / ARCHIVE).read_bytes()
    assert pack(built_book, settings(ROOT)).read_bytes() == first


def test_the_whole_site_is_small(built_book):
    pages = [path for path in built_book.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in pages) <= 25e6


def test_the_server_shows_the_books_page_for_what_is_missing(built_book, tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "serve.py")]
    with serve(tmp_path) as free:
        port = str(urlsplit(free).port)
    server = subprocess.Popen([*command, port], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert f"http://127.0.0.1:{port}/" in server.stdout.readline()
        with pytest.raises(HTTPError) as lost:
            urlopen(f"http://127.0.0.1:{port}/chapters/xx/nothing.html", timeout=10)
        assert lost.value.code == 404
        soup = BeautifulSoup(lost.value.read(), "html.parser")
        with pytest.raises(HTTPError):
            urlopen(f"http://127.0.0.1:{port}/_static/nothing.css", timeout=10)
    finally:
        server.terminate()
        server.communicate(timeout=10)
    assert {section["lang"] for section in soup.select("section")} == set(LANGUAGES.values())
    base = soup.find("base")["href"]
    assert base.startswith("/") and base.endswith("/")
    for link in soup.select("a[href], link[href]"):
        assert (built_book / urlsplit(link["href"]).path).is_file()
    assert soup.find("script") is None


def workflow(name: str) -> dict:
    return yaml.load((WORKFLOWS / name).read_text("utf-8"), Loader=yaml.BaseLoader)  # `on` stays a word


def test_the_workflow_tests_before_it_publishes_with_least_rights():
    publish, test = workflow("publish.yml"), workflow("test.yml")
    assert publish["permissions"] == test["permissions"] == {"contents": "read"}
    assert publish["concurrency"]["group"] == "pages"
    job = publish["jobs"]["publish"]
    assert job["needs"] == "check" and publish["jobs"]["check"]["uses"] == "./.github/workflows/test.yml"
    assert job["permissions"] == {"pages": "write", "id-token": "write"}
    assert [step["uses"].split("@")[0] for step in job["steps"]] == ["actions/deploy-pages"]
    steps = test["jobs"]["test"]["steps"]
    runs = "\n".join(step.get("run", "") for step in steps)
    assert runs.index(".ci/run") < runs.index("make pdf") < runs.index("make book")
    kept = next(step for step in steps if "upload-pages-artifact" in step.get("uses", ""))
    assert kept["with"]["path"] == "_build/html" and kept["if"] == "inputs.published"
    colab = test["jobs"]["colab"]["steps"]
    assert colab[1]["with"]["python-version"] == "3.12" and "tests/test_colab.py" in colab[2]["run"]
    assert "pull_request" in test["on"] and publish["on"]["push"]["branches"] == ["main"]


def test_the_workflows_call_what_exists_in_fixed_versions():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for path in sorted(WORKFLOWS.glob("*.yml")):
        text = path.read_text("utf-8")
        for action in re.findall(r"uses: (actions/\S+)", text):
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", action), action
        assert set(re.findall(r"^ +(?:- run: |run: )?make ([a-z]+)$", text, re.M)) <= targets
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_binders_machine_has_the_tested_versions_and_no_cuda():
    def pins(path):
        lines = (ROOT / path).read_text("utf-8").splitlines()
        return dict(line.split("==") for line in lines if "==" in line)

    ours, binder = pins("requirements.txt"), pins(".binder/requirements.txt")
    assert {name: pin.removesuffix("+cpu") for name, pin in binder.items()}.items() <= ours.items()
    assert binder["torch"].endswith("+cpu") and binder["torchvision"].endswith("+cpu")
    assert {"torch", "torchvision", "d2l", "matplotlib", "pandas", "anywidget", "jupyterlab"} <= set(binder)
    text = (ROOT / ".binder" / "requirements.txt").read_text("utf-8")
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in text and "\n-e .\n" in text
    assert (ROOT / ".binder" / "runtime.txt").read_text("utf-8").strip() == "python-3.11"
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & 0o111
    assert "fashion" not in text  # the images come with postBuild
