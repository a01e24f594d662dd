"""One document out of the built pages of a language, in the order of the table of contents.

The pages keep their own style sheets, so whatever the book draws is drawn here too; paper.css comes last. Anchors get
names of their own per page, links between pages become links inside the document, and what only works on a screen goes.
"""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bilingual.languages import CODES
from bilingual.mathematics import FONT_SCRIPT
from bilingual.settings import Settings
from bs4 import BeautifulSoup

from paper.answers import gather
from paper.front import front_matter
from paper.words import WORDS

HERE = Path(__file__).parent
_SCREEN_ONLY = ".headerlink, .copybtn, button, script, noscript, .toggle-button, .bnlib-widget-link, .screen-only"
_NAMES_OF_IDS = ("aria-labelledby", "aria-describedby", "aria-controls", "headers", "for")


def _short(name: str) -> str:
    """The name of a page in the names of its anchors."""
    return name.replace("/", "-")


def page_names(root: Path, language: str) -> list[str]:
    """The pages of a language in the order of _toc.yml, without suffix: the chapters, glossary and references.

    The reference of the library is made to be looked things up in on a screen, and is not printed.
    """
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))

    def files(entries):
        for entry in entries:
            if "file" in entry:
                yield re.sub(r"\.(ipynb|md)$", "", entry["file"])
            yield from files(entry.get("chapters", []) + entry.get("sections", []))

    return [name for name in files(contents["parts"]) if name.startswith(f"chapters/{language}/")]


class Document:
    """The printed book of one language, as HTML: `text()`."""

    def __init__(self, built: Path, names: list[str], language: str, own: Settings, address: str = "") -> None:
        self.built, self.names, self.language, self.address = built, names, language, address
        self.said, self.settings = WORDS[language], own
        self.seen_cells: set[str] = set()
        self.anchors: dict[tuple[str, str], str] = {}  # (page, id) -> id in the document
        first = self._read(names[0])
        self.title = first.find("article").find("h1").get_text().removesuffix("#").strip()
        self.soup = BeautifulSoup("<!DOCTYPE html><html></html>", "html.parser")
        self.soup.html.attrs = {"lang": CODES[language], "data-theme": "light", "data-mode": "light"}
        self._head()

    def text(self, about: dict) -> str:
        """The document; `about` is what CITATION.cff says of the book."""
        pages = {name: self._read(name).find("article") for name in self.names}
        for name, article in pages.items():
            self._note_anchors(name, article)
        body = self.soup.new_tag("body", attrs={"class": "paper"})
        self.soup.html.append(body)
        chapters = [self._chapter(name, article) for name, article in pages.items()]
        folded = [number for number, chapter in enumerate(chapters, start=1) if chapter.find("details")]
        if folded:  # after the last chapter that has answers, before glossary and references
            chapters.insert(folded[-1], gather(self.soup, chapters, self.said, self.language))
        for part in front_matter(self, chapters, about):
            body.append(part)
        content = self.soup.new_tag("div", attrs={"class": "bd-content"})
        body.append(content)
        for chapter in chapters:
            content.append(chapter)
        self.soup.head.append(self._running_heads(chapters))
        return str(self.soup)

    def _read(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.built / f"{name}.html").read_text(encoding="utf-8"), "html.parser")

    def _file(self, name: str, address: str) -> str:
        """A file that a page loads, as an address that holds anywhere."""
        if urlsplit(address).scheme:
            return address
        return ((self.built / name).parent / unquote(urlsplit(address).path)).resolve().as_uri()

    def _head(self) -> None:
        """Title, the style sheets of all pages, and the scripts that set mathematics, unless it came set."""
        head = self.soup.new_tag("head")
        self.soup.html.insert(0, head)
        head.append(self.soup.new_tag("meta", attrs={"charset": "utf-8"}))
        title = self.soup.new_tag("title")
        title.string = self.title
        head.append(title)
        known = set()
        for name in self.names:
            for tag in self._read(name).head.select("link[rel=stylesheet], style, script"):
                for key in ("href", "src"):
                    if tag.get(key):
                        tag[key] = self._file(name, tag[key])
                if str(tag) not in known and (tag.name != "script" or FONT_SCRIPT in str(tag)):
                    known.add(str(tag))
                    head.append(tag.extract())
        own = self.soup.new_tag("link", attrs={"rel": "stylesheet", "href": (HERE / "paper.css").as_uri()})
        head.append(own)

    def _running_heads(self, chapters):
        """A kind of page for each chapter, with its title at the top."""
        style = self.soup.new_tag("style")
        rules = []
        for number, chapter in enumerate(chapters):
            chapter["style"] = f"page: chapter{number}"
            title = chapter["data-title"].replace("\\", "\\\\").replace('"', '\\"')
            rules.append(f'@page chapter{number} {{ @top-right {{ content: "{title}"; }} }}')
        style.string = "\n".join(rules)
        return style

    def _note_anchors(self, name: str, article) -> None:
        short = _short(name)
        for tag in article.find_all(id=True):
            self.anchors.setdefault((name, tag["id"]), f"{short}-{len(self.anchors)}")

    def _chapter(self, name: str, article):
        """An article with everything that only works on a screen taken out, as a chapter of the document."""
        for tag in article.select(_SCREEN_ONLY):
            tag.decompose()
        self._drop_repeated_cells(article)
        for widget in article.select(".bnlib-widget:has(svg)"):
            note = self.soup.new_tag("p", attrs={"class": "paper-note"})
            note.string = self.said["still"]
            widget.insert_after(note)
        for tag in article.find_all(True):
            self._settle(name, tag)
        number = re.match(r"(\d+)_", posixpath.basename(name))
        heading = article.find("h1")
        heading["id"] = f"chapter-{_short(name)}"
        if name == self.names[0]:
            heading.string = self.said["introduction"]
        if number and int(number[1]):
            label = self.soup.new_tag("p", attrs={"class": "paper-number"})
            label.string = self.said["chapter"].format(number=int(number[1]))
            heading.insert_before(label)
        title = heading.get_text(" ", strip=True)
        chapter = self.soup.new_tag("section", attrs={"class": "paper-chapter", "data-title": title})
        chapter.append(article.extract())
        return chapter

    def _drop_repeated_cells(self, article) -> None:
        """A code cell without output that stood in an earlier chapter, word for word."""
        for cell in article.select("div.cell"):
            source = cell.get_text().strip()
            if cell.select_one(".cell_output") is None and source in self.seen_cells:
                cell.decompose()
            self.seen_cells.add(source)

    def _settle(self, name: str, tag) -> None:
        """Names, links and files of one element, as they hold in the document."""
        if tag.get("id"):
            tag["id"] = self.anchors[name, tag["id"]]
        for key, value in list(tag.attrs.items()):
            if key in _NAMES_OF_IDS:
                words = value if isinstance(value, list) else value.split()
                tag[key] = " ".join(self.anchors.get((name, word), word) for word in words)
            elif isinstance(value, str) and "url(#" in value:
                tag[key] = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{self.anchors.get((name, m[1]), m[1])})", value)
        for key in ("src", "data", "poster"):
            if tag.get(key) and not tag[key].startswith("data:"):
                tag[key] = self._file(name, tag[key])
        for key in ("href", "xlink:href"):
            if tag.get(key):
                self._link(name, tag, key)

    def _link(self, name: str, tag, key: str) -> None:
        """A link inside the book leads to its place in the document; what is not printed, to the web edition."""
        parts = urlsplit(tag[key])
        if parts.scheme:
            return
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else ""
        page = page.removesuffix(".html") or name
        if page in self.names:
            anchor = self.anchors.get((page, unquote(parts.fragment)))
            tag[key] = f"#{anchor or f'chapter-{_short(page)}'}"
        elif self.address:
            tag[key] = posixpath.normpath(posixpath.join(posixpath.dirname(name), tag[key]))
            tag[key] = self.address + tag[key]
        elif tag.name == "a":
            tag.unwrap()
