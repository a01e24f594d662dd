"""Glossary and references: complete in both languages, and every link leads where it says it does."""

import csv
import json
import re
import tomllib
from urllib.parse import unquote

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters, parsed

HAN = re.compile(r"[\u4e00-\u9fff]")
with (ROOT / "book" / "glossary.tsv").open(encoding="utf-8", newline="") as file:
    TERMS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
REFERENCES = tomllib.loads((ROOT / "book" / "references.toml").read_text(encoding="utf-8"))


def notebook_text(language: str) -> str:
    cells = [
        cell
        for name in chapters()
        for cell in json.loads((ROOT / f"chapters/{language}/{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    ]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def said(tag) -> str:
    return " ".join(tag.get_text().split())


# glossary


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_is_explained_in_both_languages_words(read, language):
    page, other = read(f"chapters/{language}/glossary"), "zh" if language == "en" else "en"
    entries = {said(term.select_one(".glossary-term")): term for term in page.select("dl.glossary-terms > dt")}
    assert set(entries) == {row[language] for row in TERMS}
    for row in TERMS:
        term = entries[row[language]]
        translation = term.select_one(".glossary-other")
        assert said(translation) == row[other] and translation["lang"] == LANGUAGES[other]
        definition = said(term.find_next_sibling("dd").p)
        assert definition.replace("’", "'") == row[f"definition_{language}"].replace("`", "")
        assert bool(HAN.search(definition)) == (language == "zh") and definition[-1] in ".。)）"
        assert 1 <= len(re.findall(r"[.。](?=\s|$|[\u4e00-\u9fff（])", definition)) <= 4


def test_terms_stand_in_the_order_of_their_language(read):
    english = [said(term) for term in read("chapters/en/glossary").select(".glossary-term")]
    assert english == sorted(english, key=str.lower)
    pinyin = {row["zh"]: row["pinyin"] for row in TERMS}
    chinese = [pinyin[said(term)].split() for term in read("chapters/zh/glossary").select(".glossary-term")]
    assert chinese == sorted(chinese)
    for row in TERMS:  # one syllable for each character of the first word
        first = row["zh"].split(" / ")[0]
        assert len(HAN.findall(first)) == len(row["pinyin"].split()) and row["pinyin"].isascii()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_place_of_an_explanation_exists(read, built_book, language):
    page = built_book / f"chapters/{language}/glossary.html"
    for row in (row for row in TERMS if row["where"]):
        names = read(f"chapters/{language}/glossary").select(".glossary-term")
        (term,) = (name.parent for name in names if said(name) == row[language])
        link = term.find_next_sibling("dd").find("a", href=re.compile(r"^\d\d_"))
        path, _, anchor = link["href"].partition("#")
        chapter = parsed((page.parent / path).resolve())
        section = chapter.find(id=unquote(anchor)) if anchor else chapter.article
        assert section, f"{row['en']}: {link['href']}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_chapters_lead_to_terms_and_names_once(read, built_book, language):
    for name in chapters()[1:]:
        links = read(f"chapters/{language}/{name}").select("article a.term-link, article a.api-link")
        addresses = [link["href"] for link in links]
        least = 1 if name == "07_exercises" else 3  # it puts the terms of the others to use, and introduces none
        assert len(addresses) >= least and len(set(addresses)) == len(addresses)
        for address in addresses:
            path, _, anchor = address.partition("#")
            assert parsed((built_book / f"chapters/{language}" / path).resolve()).find(id=unquote(anchor)), address


# references


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reference_is_on_the_page_with_its_addresses(read, language):
    page = read(f"chapters/{language}/references")
    assert {item["id"] for item in page.select("ul.references > li")} == {f"ref-{key}" for key in REFERENCES}
    for key, entry in REFERENCES.items():
        item = page.find(id=f"ref-{key}")
        addresses = [link["href"] for link in item.p.find_all("a")]
        wanted = [f"https://arxiv.org/abs/{entry['arxiv']}"] if "arxiv" in entry else []
        wanted += [f"https://doi.org/{entry['doi']}"] if "doi" in entry else []
        assert addresses == wanted + ([entry["url"]] if "url" in entry else []) != []
        assert entry["title"] in said(item) and entry["authors"] in said(item)
        assert item.select(".citations a"), f"{key} is cited nowhere"


def test_arxiv_numbers_and_dois_are_well_formed():
    for key, entry in REFERENCES.items():
        assert re.fullmatch(r"\d{4}\.\d{4,5}", entry.get("arxiv", "1502.03167")), key
        assert re.fullmatch(r"10\.\d{4,9}/[-._;()/:A-Za-z0-9]+", entry.get("doi", "10.1109/5.726791")), key
        if (
            "arxiv" in entry and entry["year"] < 2020 and entry["kind"] == "work"
        ):  # an arXiv number begins with its date
            assert f"20{entry['arxiv'][:2]}" == str(entry["year"]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_chapters_cite_is_in_the_list(language):
    text = notebook_text(language)
    cited = set(re.findall(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})|arXiv:(\d{4}\.\d{4,5})", text))
    numbers = {"".join(pair) for pair in cited}
    assert numbers and numbers <= {entry.get("arxiv") for entry in REFERENCES.values()}
    assert set(re.findall(r"doi\.org/([^)\s]+)", text)) <= {entry.get("doi") for entry in REFERENCES.values()}


def test_what_the_library_and_the_readmes_cite_is_in_the_list():
    files = [*(ROOT / "bnlib").rglob("*.py"), *ROOT.glob("*.md"), ROOT / "CITATION.cff"]
    for path in files:
        found = re.findall(r"arxiv\.org/abs/(\d{4}\.\d{4,5})", path.read_text(encoding="utf-8"))
        assert set(found) <= {entry.get("arxiv") for entry in REFERENCES.values()}, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_places_named_do_cite_the_work(read, built_book, language):
    for key, entry in REFERENCES.items():
        words = [entry.get("arxiv"), entry.get("doi"), entry.get("url"), *entry.get("cited", [])]
        for link in read(f"chapters/{language}/references").find(id=f"ref-{key}").select(".citations a"):
            path, _, anchor = link["href"].partition("#")
            page = parsed((built_book / f"chapters/{language}" / path).resolve())
            section = page.find(id=unquote(anchor)) if anchor else page.article
            assert section, link["href"]
            assert any(word in f"{said(section)} {section}" for word in words if word), f"{key}: {link['href']}"


# in the browser


@pytest.mark.parametrize(
    ("page", "anchor"),
    [
        ("chapters/{}/glossary", "term-moving-average"),
        ("chapters/{}/references", "ref-ioffe2015"),
        ("api/{}/norm", "bnlib.norm.batch_norm"),
        ("api/{}/command", "command-sweep"),
    ],
)
def test_the_switch_keeps_the_entry(served_book, open_page, page, anchor):
    tab, troubles = open_page(f"{served_book}/{page.format('en')}.html#{anchor}")
    for language in ("zh", "en"):
        tab.locator("a.language-switch").click()
        tab.wait_for_url(f"**/{page.format(language)}.html#{anchor}")
        assert tab.locator("html").get_attribute("lang") == LANGUAGES[language]
        assert 0 <= tab.locator(f"[id='{anchor}']").bounding_box()["y"] < 900
    assert troubles == []
