"""The book on paper: both PDFs as `make pdf` prints them, read again, and the document they are printed from."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser_fixtures import LANGUAGES, ROOT
from bs4 import BeautifulSoup
from pypdf import PdfReader

from bnlib.learn.exercises import names

sys.path.insert(0, str(ROOT / "book"))

from bilingual.settings import settings  # noqa: E402
from paper.characters import corrected, plain  # noqa: E402
from paper.document import Document, page_names  # noqa: E402

COLUMN = 643  # pixels of the column of text: 170 mm
ABOUT = {"authors": [{"name": "Some Author"}], "version": "0"}
WHAT_STICKS_OUT = """(column) => [...document.querySelectorAll(".paper-chapter *")]
  .filter((element) => !element.closest("svg, math") && element.getBoundingClientRect().right > column + 1)
  .map((element) => element.outerHTML.slice(0, 120))"""


def make_pdf(folder: Path, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "tools" / "pdf.py"), str(folder)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(built_book, chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pdf")
    done = make_pdf(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=LANGUAGES)
def book(request, folder):
    """(language, reader of its PDF, the text of each page)."""
    reader = PdfReader(folder / f"batch-normalization-{request.param}.pdf")
    return request.param, reader, [page.extract_text() for page in reader.pages]


@pytest.fixture(scope="module", params=LANGUAGES)
def document(request, built_book):
    """(language, the document that is printed, its built pages)."""
    names = page_names(ROOT, request.param)
    made = Document(built_book, names, request.param, settings(ROOT))
    pages = [BeautifulSoup((built_book / f"{name}.html").read_text("utf-8"), "html.parser").article for name in names]
    return request.param, BeautifulSoup(made.text(ABOUT), "html.parser"), pages


def outline(reader, entries=None, level=1):
    for entry in reader.outline if entries is None else entries:
        if isinstance(entry, list):
            yield from outline(reader, entry, level + 1)
        else:
            yield level, entry.title.strip(), reader.get_destination_page_number(entry) + 1


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_the_file_says_what_it_is(book):
    language, reader, texts = book
    assert reader.metadata.title == {"en": "Batch Normalization", "zh": "批量归一化"}[language]
    assert reader.metadata.author and "CC BY 4.0" in reader.metadata.subject
    assert reader.root_object["/Lang"] == LANGUAGES[language]
    assert reader.root_object["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in reader.root_object  # tagged
    assert reader.viewer_preferences.display_doctitle
    first = squeezed(texts[0])
    for word in (squeezed(reader.metadata.title), squeezed(reader.metadata.author), "0.1.0", "CCBY4.0", "MIT"):
        assert word in first
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages} == {(595, 842)}


def test_bookmarks_are_the_headings(book, built_book):
    language, reader, _ = book
    bookmarks = [squeezed(title) for level, title, _ in outline(reader) if level <= 2]
    wanted = []
    for name in page_names(ROOT, language)[1:]:
        soup = BeautifulSoup((built_book / f"{name}.html").read_text("utf-8"), "html.parser")
        wanted += [
            squeezed(h.get_text().removesuffix("#"))
            for h in soup.article.select("h1, h2:not(.screen-only *)")
            if "$" not in h.text
        ]
    positions = [bookmarks.index(title) for title in wanted if "\\" not in title]
    assert len(wanted) > 20 and len(positions) > 20
    assert len(bookmarks) == len(set(enumerate(bookmarks)))
    assert [title for title in bookmarks if title[: len(title) // 2] * 2 == title] == []  # none twice over


def test_the_contents_name_the_right_pages(book):
    _, reader, texts = book
    entries = [(title, page) for level, title, page in outline(reader) if level <= 2]
    first = entries[2][1]  # after the title and the contents comes the first chapter
    lines = [squeezed(line) for text in texts[1 : first - 1] for line in text.splitlines()]
    for title, page in entries[2:]:
        ending = f"{squeezed(title)}{page}"
        assert any(line.endswith(ending) for line in lines) or squeezed(title) + str(page) in "".join(lines), ending


def test_pages_are_numbered(book):
    _, reader, texts = book
    first = [page for level, _, page in outline(reader) if level <= 2][
        2
    ]  # after the title and the contents, which have none
    for number, text in enumerate(texts[first - 1 :], start=first):
        assert str(number) in text.split()[:12] + text.split()[-3:], (number, text[:80])


def test_links_lead_to_a_place_in_the_book_or_to_the_web(book):
    _, reader, _ = book
    places, inside, outside = set(reader.named_destinations), 0, 0
    for page in reader.pages:
        for note in page.get("/Annots") or []:
            note = note.get_object()
            if "/Dest" in note:
                assert str(note["/Dest"]).removeprefix("/") in {place.removeprefix("/") for place in places}
                inside += 1
            elif "/A" in note and "/URI" in note["/A"]:
                assert re.match("https?://", note["/A"]["/URI"]), note["/A"]["/URI"]
                outside += 1
    assert inside > 60 and outside > 5


def test_every_font_is_in_the_file(book):
    _, reader, _ = book
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"].get("/Font", {}).values()]
    assert fonts
    for font in fonts:
        if font["/Subtype"] == "/Type3":  # its shapes are drawn in the file
            assert font["/CharProcs"]
            continue
        holder = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(holder["/FontDescriptor"]), font["/BaseFont"]


def test_the_text_can_be_searched(book):
    language, _, texts = book
    text = squeezed("".join(texts))
    for word in {"en": ["variance", "Misconception", "Answers"], "zh": ["方差", "均值", "批量归一化", "见第"]}[
        language
    ]:
        assert word in text
    assert re.findall("[\u2e80-\u2fdf]", text) == []


def test_radicals_become_characters():
    assert plain("⽅差⻅⾯⻚") == "方差见面页"
    table = (
        b"begin\n2 beginbfchar\n<01> <2F45>\n<02> <5DEE>\nendbfchar\n1 beginbfrange\n<03> <05> <2F44>\nendbfrange\nend"
    )
    assert re.findall(rb"<(\w\w)> <(\w+)>", corrected(table)) == [
        (b"01", b"65B9"),
        (b"02", b"5DEE"),
        (b"03", b"65A4"),
        (b"04", b"65B9"),
        (b"05", b"65E0"),
    ]


def test_what_is_folded_stands_among_the_answers(document):
    _, soup, pages = document
    folded = [
        box for page in pages for box in page.select("details:not(.screen-only)") if not box.find_parent("details")
    ]
    answers = soup.select(".paper-answers .paper-answer")
    assert len(answers) == len(folded) > 10
    for box, answer in zip(folded, answers, strict=True):
        assert squeezed(box.find_all("p")[-1].get_text()) in squeezed(answer.get_text())
        assert soup.find(id=f"from-{answer['id']}").find("a", href=f"#{answer['id']}")
        assert answer.find("a", href=f"#from-{answer['id']}").get_text(strip=True)
        question = " ".join(box.find("summary").get_text().split())
        title = answer.find("p", class_="paper-answer-title").get_text()
        asks = re.search("[?？]", question)
        named = r"(Case |病例)\d+[:：].+" if question in ("Diagnosis", "诊断") else r"(Exercise |练习)\d+"
        if card := box.find_parent(class_="bnlib-widget"):
            named = re.escape(card.find("strong").get_text())
        assert title == question if asks else re.fullmatch(rf".*{named}(, |：){question}", title)
    assert soup.select("details:not([open])") == []


def test_a_widget_is_a_still_picture_and_nothing_waits_for_a_click(document):
    _, soup, pages = document
    widgets = soup.select(".bnlib-widget")
    assert len(widgets) == sum(len(page.select(".bnlib-widget")) for page in pages) > 0
    cards = [widget for widget in widgets if widget["data-widget"] == "card"]
    assert len(cards) == len(names())
    for card in cards:  # text that is read on paper as it is, its help among the answers
        assert len(card.select(".paper-pointer")) == 1 and not card.find_next_sibling("p", class_="paper-note")
    for widget in widgets:
        if widget["data-widget"] not in ("card", "board"):
            assert widget.find("svg") or widget.find("img")
            assert widget.find_next_sibling("p", class_="paper-note")
    assert soup.select("body button, body input, body script, .headerlink") == []


def test_cells_and_equations_are_all_there(document):
    _, soup, pages = document
    for selector in ("div.math", ".cell_output", "table:not(.screen-only *)", "figure", "figure svg", "img"):
        assert len(soup.select(selector)) == sum(len(page.select(selector)) for page in pages), selector
    assert not soup.select("figure details")  # a figure's data stay on the screen
    dropped = sum(len(page.select(".cell")) for page in pages) - len(soup.select(".cell"))
    assert 0 < dropped < len(pages)  # the first cell, the same in every notebook, is printed once


def test_nothing_is_wider_than_the_column(document, chromium, tmp_path):
    _, soup, _ = document
    path = tmp_path / "book.html"
    path.write_text(str(soup), encoding="utf-8")
    page = chromium.new_context(viewport={"width": COLUMN, "height": 900}).new_page()
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    assert page.evaluate(WHAT_STICKS_OUT, COLUMN) == []
    assert page.evaluate("document.querySelectorAll('.cell_output img').length") > 0
    page.context.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CHROMIUM": "/nowhere/chromium"}, "'/nowhere/chromium', which is no program; unset it or name a Chromium"),
        ({"CHROMIUM": "", "PATH": "/nowhere", "HOME": "/nowhere"}, "apt install chromium"),
        ({"CHROMIUM": "/bin/true"}, "a Chromium that runs here"),
    ],
)
def test_a_missing_chromium_is_said_in_a_sentence(built_book, tmp_path, environment, said):
    done = make_pdf(tmp_path, **environment)
    assert done.returncode == 1 and said in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_missing_chinese_font_is_said_in_a_sentence(built_book, chromium, tmp_path):
    latin = [path for path in Path("/usr/share/fonts").rglob("*") if re.match("DejaVu|Liberation", path.name)]
    if not latin:
        pytest.skip("no Latin font in /usr/share/fonts to be the only one")
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for path in latin:
        if path.is_file():
            (fonts / path.name).symlink_to(path)
    settings = tmp_path / "fonts.conf"
    settings.write_text(f"<fontconfig><dir>{fonts}</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>")
    done = make_pdf(tmp_path / "pdf", FONTCONFIG_FILE=str(settings))
    assert done.returncode == 1 and "fonts-noto-cjk" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
