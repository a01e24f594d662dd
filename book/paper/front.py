"""What stands before the first chapter: the title page and the contents with their page numbers."""

import re

from bs4 import BeautifulSoup


def front_matter(document, chapters, about: dict) -> list:
    return [_title_page(document, about), _contents(document, chapters)]


def authors(document, about: dict) -> str:
    """Names as CITATION.cff has them; a collective name in the language of the book."""
    names = []
    for author in about["authors"]:
        name = author.get("name") or " ".join(author[key] for key in ("given-names", "family-names") if key in author)
        names.append(document.settings.authors.get(name, name) if document.language == "zh" else name)
    return ("、" if document.language == "zh" else ", ").join(names)


def _title_page(document, about: dict):
    said = document.said
    page = document.soup.new_tag("section", attrs={"class": "paper-title"})
    title = document.soup.new_tag("h1")
    title.string = document.title
    page.append(title)
    lines = {
        "paper-authors": authors(document, about),
        "paper-edition": f"{said['edition']} · {said['version'].format(version=about['version'])}",
        "paper-about": said["about"],
    }
    for name, text in lines.items():
        line = document.soup.new_tag("p", attrs={"class": name})
        line.string = text
        page.append(line)
    if document.address:
        line = document.soup.new_tag("p", attrs={"class": "paper-address"})
        line.string = said["address"]
        link = document.soup.new_tag("a", attrs={"href": document.address})
        link.string = document.address
        line.append(link)
        page.append(line)
    licence = BeautifulSoup(
        f'<div class="paper-licence">{document.settings.footer[document.language]}</div>', "html.parser"
    )
    page.append(licence.div.extract())
    return page


def _contents(document, chapters):
    """Chapters and their sections; a number is filled in once the book has been printed."""
    said = document.said
    page = document.soup.new_tag("nav", attrs={"class": "paper-contents", "aria-label": said["contents"]})
    heading = document.soup.new_tag("h1")
    heading.string = said["contents"]
    page.append(heading)
    outer = document.soup.new_tag("ol")
    page.append(outer)
    for number, chapter in enumerate(chapters):
        entry = _entry(document, chapter.find("h1"), f"c{number}", chapter.find(class_="paper-number"))
        outer.append(entry)
        inner = document.soup.new_tag("ol")
        for at, section in enumerate(chapter.find_all("h2")):
            inner.append(_entry(document, section, f"c{number}-{at}"))
        if inner.contents:
            entry.append(inner)
    return page


def _entry(document, heading, anchor: str, label=None):
    heading["id"] = heading.get("id") or f"heading-{anchor}"
    entry = document.soup.new_tag("li")
    line = document.soup.new_tag("a", attrs={"href": f"#{heading['id']}", "class": "paper-entry"})
    text = document.soup.new_tag("span", attrs={"class": "paper-entry-text"})
    number = re.search(r"\d+", label.get_text()) if label is not None else None
    text.string = (f"{number[0]}\u2002" if number else "") + heading.get_text(" ", strip=True)
    dots = document.soup.new_tag("span", attrs={"class": "paper-dots", "aria-hidden": "true"})
    page = document.soup.new_tag("span", attrs={"class": "paper-page", "data-page-of": heading["id"]})
    page.string = "000"
    for part in (text, dots, page):
        line.append(part)
    entry.append(line)
    return entry
