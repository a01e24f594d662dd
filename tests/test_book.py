"""The built HTML of both languages, read as files: language, counterparts, links, buttons, downloads, theme strings."""

import json
import re
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters, contents, made_pages, parsed
from bs4 import BeautifulSoup

CHAPTERS = chapters()
NOTEBOOKS = [f"chapters/{language}/{name}" for language in LANGUAGES for name in CHAPTERS]
NOTES = [f"chapters/{language}/{name}" for language in LANGUAGES for name in ("colab", "local")]
PAGES = [*NOTEBOOKS, *NOTES, *made_pages()]
HAN = re.compile(r"[\u4e00-\u9fff]")
SAME_IN_BOTH = {"Ctrl", "K", "+", "Colab", "Binder", "JupyterLab", ".ipynb", "English"}  # keys and names


def split(page: str) -> tuple[str, str]:
    _, language, name = page.split("/")
    return language, name


def counterpart(page: str) -> str:
    return page.replace("/en/", "/zh/", 1) if "/en/" in page else page.replace("/zh/", "/en/", 1)


def sections(soup: BeautifulSoup) -> list[str]:
    return [section["id"] for section in soup.find("article").find_all("section", id=True)]


def target(built_book: Path, page: str, href: str) -> tuple[Path, str]:
    """The file that a relative link of a page leads to, and the anchor in it."""
    parts = urlsplit(href)
    path = built_book / page if not parts.path else (built_book / page).parent / unquote(parts.path)
    return (path if parts.path else built_book / f"{page}.html").resolve(), unquote(parts.fragment)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_its_language_and_names_both(read, built_book, page):
    soup, language = read(page), split(page)[0]
    assert soup.html["lang"] == LANGUAGES[language]
    alternates = {link["hreflang"]: link["href"] for link in soup.find_all("link", rel="alternate")}
    assert set(alternates) - {"x-default"} == set(LANGUAGES.values())
    for code, tag in LANGUAGES.items():
        path, _ = target(built_book, page, alternates[tag])
        assert path == (built_book / f"{page.replace(f'/{split(page)[0]}/', f'/{code}/', 1)}.html").resolve()


@pytest.mark.parametrize("page", PAGES)
def test_the_switch_pairs_every_section_with_its_counterpart(read, built_book, page):
    link = read(page).find("a", class_="language-switch")
    other = counterpart(page)
    assert target(built_book, page, link["href"])[0] == (built_book / f"{other}.html").resolve()
    here, there = sections(read(page)), sections(read(other))
    assert len(here) == len(there) > 0
    anchors = list(json.loads(link["data-anchors"]).items())
    assert anchors[: len(here)] == list(zip(here, there, strict=True))
    assert all(
        name == same and read(page).find(id=name) and read(other).find(id=name) for name, same in anchors[len(here) :]
    )


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_both_languages_number_the_same_equations(read, page):
    def numbers(name):
        return [number.get_text() for number in read(name).select("div.math .eqno")]

    assert numbers(page) == numbers(counterpart(page))


@pytest.mark.parametrize("page", PAGES)
def test_the_sidebar_holds_the_pages_of_the_pages_language(read, built_book, page):
    links = read(page).select(".bd-sidebar-primary .bd-links a.reference")
    found = [
        (built_book / f"{page}.html").resolve() if a["href"] == "#" else target(built_book, page, a["href"])[0]
        for a in links
    ]
    assert found == [(built_book / f"{name}.html").resolve() for name in contents(split(page)[0])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_previous_and_next_walk_through_one_language(read, built_book, language):
    def step(page, way):
        link = read(page).find("a", class_=f"{way}-next" if way == "right" else "left-prev")
        return link and target(built_book, page, link["href"])[0]

    files = [(built_book / f"{page}.html").resolve() for page in contents(language)]
    assert [step(page, "left") for page in contents(language)] == [None, *files[:-1]]
    assert [step(page, "right") for page in contents(language)] == [*files[1:], None]


@pytest.mark.parametrize("page", ["index", "search", *PAGES])
def test_every_local_link_leads_somewhere(read, built_book, page):
    for link in read(page).find_all(["a", "link", "script", "img"]):
        address = link.get("href") or link.get("src")
        if address is None or urlsplit(address).scheme:
            continue
        path, anchor = target(built_book, page, address)
        assert path.is_file(), f"{page} links to {address}"
        if anchor and link.name == "a":
            assert parsed(path).find(id=anchor), f"{page} links to {address}"


@pytest.mark.parametrize("page", ["index", "search", *PAGES])
def test_scripts_styles_and_pictures_are_local(read, page):
    soup = read(page)
    loaded = [tag.get("src") or tag.get("href") for tag in soup.find_all(["script", "img", "link", "iframe", "source"])]
    assert [address for address in loaded if address and urlsplit(address).scheme not in ("", "data")] == []
    text = " ".join(str(script) for script in soup.find_all("script")).lower()
    assert "thebe" not in text and "require.js" not in text and "//cdn" not in text


def test_the_landing_page_leads_to_both_languages(read):
    links = [link["href"] for link in read("index").find("article").find_all("a", href=re.compile("chapters/"))]
    assert links == [f"chapters/{language}/{CHAPTERS[0]}.html" for language in LANGUAGES]


@pytest.mark.parametrize("page", [page for page in PAGES if "/zh/" in page])
def test_what_surrounds_a_chinese_page_is_chinese(read, page):
    soup = BeautifulSoup(str(read(page)), "html.parser")
    for tag in soup.select("article, code, script, style, a.language-switch"):
        tag.decompose()
    said = {" ".join(text.split()) for text in soup.body.stripped_strings}
    for name in ("aria-label", "title", "placeholder", "alt"):
        said |= {tag[name] for tag in soup.body.find_all(attrs={name: True})}
    assert sorted(text for text in said - SAME_IN_BOTH if re.search("[A-Za-z]{2}", text) and not HAN.search(text)) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_foot_of_a_page_names_the_licences(read, page):
    text = read(page).find("footer", class_="bd-footer-content").get_text()
    for word in ("CC BY 4.0", "MIT", "Fashion-MNIST", "Zalando", "28"):
        assert word in text
    assert bool(HAN.search(text)) == ("/zh/" in page)


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_notebook_is_offered_as_it_stands_in_the_repository(read, built_book, page):
    link = read(page).find("a", download=f"{split(page)[1]}.ipynb")
    path, _ = target(built_book, page, link["href"])
    source = (ROOT / f"{page}.ipynb").read_bytes()
    assert path.read_bytes() == source
    wrapped = path.with_name(f"{path.name}.js").read_text(encoding="utf-8")  # for pages opened from a file
    assert json.loads(wrapped.removeprefix("window.courseNotebook = ").rstrip(";\n")) == source.decode("utf-8")


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_widget_scripts_are_loaded_where_a_widget_is_and_nowhere_else(read, page):
    names = {tag["data-widget"] for tag in read(page).select("div.bnlib-widget")}
    scripts = {tag["src"].split("?")[0].rsplit("/", 1)[1] for tag in read(page).select("script[src*='/widgets/']")}
    assert scripts == ({f"{name}.js" for name in names} | {"course-widgets.js"} if names else set())


def test_the_library_is_packed_with_what_its_installation_needs(built_book):
    with zipfile.ZipFile(built_book / "bn-course.zip") as archive:
        names = [name.removeprefix("bn-course/") for name in archive.namelist()]
        project = tomllib.loads(archive.read("bn-course/pyproject.toml").decode("utf-8"))["project"]
        assert archive.read("bn-course/bnlib/__init__.py") == (ROOT / "bnlib" / "__init__.py").read_bytes()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert project["name"] == "bn-course"
    assert {"README.md", "LICENSE", "bnlib/language/zh.toml"} < set(names)
    assert all(name.startswith("bnlib/") for name in names[3:]) and not [
        name for name in names if "__pycache__" in name
    ]
