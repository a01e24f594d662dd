"""What is done to a printed file: page numbers are read from it, and it is told what it is."""

from io import BytesIO

from pypdf import PdfReader, PdfWriter
from pypdf.generic import BooleanObject, DictionaryObject, NameObject, TextStringObject

from paper.characters import make_searchable, plain


def pages_of_anchors(data: bytes) -> dict[str, int]:
    """The page, counted from 1, of each anchor that something in the file links to."""
    reader = PdfReader(BytesIO(data))
    found = {}
    for name, destination in reader.named_destinations.items():
        page = reader.get_destination_page_number(destination)
        if page is not None and page >= 0:
            found[name.removeprefix("/")] = page + 1
    return found


def described(data: bytes, title: str, author: str, language: str, licence: str) -> bytes:
    """The same file with title, author, licence and language, told to readers and to programs."""
    writer = PdfWriter(clone_from=BytesIO(data))
    make_searchable(writer)
    _single_titles(writer.root_object.get("/Outlines"))
    writer.add_metadata({"/Title": title, "/Author": author, "/Subject": licence, "/Creator": "make pdf"})
    root = writer.root_object
    root[NameObject("/Lang")] = TextStringObject(language)
    root[NameObject("/ViewerPreferences")] = DictionaryObject({NameObject("/DisplayDocTitle"): BooleanObject(True)})
    root[NameObject("/PageMode")] = NameObject("/UseOutlines")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _single_titles(entry) -> None:
    """Chromium writes the bookmark of a heading twice over, 目录目录, where a Chinese heading begins a page."""
    entry = entry.get_object() if entry is not None else None
    while entry is not None:
        title = plain(str(entry.get("/Title", "")))
        half = title[: len(title) // 2]
        if "/Title" in entry:
            entry[NameObject("/Title")] = TextStringObject(half if half and title == half * 2 else title)
        if "/First" in entry:
            _single_titles(entry["/First"])
        entry = entry["/Next"].get_object() if "/Next" in entry else None
