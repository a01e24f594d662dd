"""The Chinese text of a print, as a reader would search for it.

A font draws 方 and the radical ⽅ (U+2F45) with one shape, and Chromium writes down the first character of a shape: a
search of the file for 方差 would find nothing. Here every such entry of the file's tables (ToUnicode) is set right.
"""

import re
import unicodedata

from pypdf.generic import NameObject, StreamObject

# radicals with the shape of a whole character that Unicode doesn't call the same (CJK Radicals Supplement)
_SUPPLEMENT = dict(
    zip(
        "⺁⺓⺝⺟⺠⻄⻅⻆⻉⻋⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰⻳",
        "厂幺月母民西见角贝车长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙龟",
        strict=True,
    )
)
_BLOCK = re.compile(rb"\d+ beginbf(char|range)\n(.*?)endbf(?:char|range)", re.S)
_TRIPLE = re.compile(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>")
_PAIR = re.compile(rb"<(\w+)>\s*<(\w+)>")


def plain(text: str) -> str:
    """Text with each radical replaced by the character it stands for."""
    return "".join(_plain_letter(letter) for letter in text)


def _plain_letter(letter: str) -> str:
    if "\u2e80" <= letter <= "\u2fdf":
        return _SUPPLEMENT.get(letter) or unicodedata.normalize("NFKC", letter)
    return letter


def make_searchable(writer) -> None:
    """Set right every table from glyphs to characters in a file."""
    seen = set()
    for page in writer.pages:
        for font in (page["/Resources"].get("/Font") or {}).values():
            font = font.get_object()
            table = font.get("/ToUnicode")
            if table is None or id(font) in seen:
                continue
            seen.add(id(font))
            stream = StreamObject()
            stream.set_data(corrected(table.get_object().get_data()))
            font[NameObject("/ToUnicode")] = writer._add_object(stream.flate_encode())


def corrected(table: bytes) -> bytes:
    """A ToUnicode table with its ranges written out and its radicals replaced."""
    return _BLOCK.sub(lambda block: _lines(list(_entries(block[1] == b"range", block[2]))), table)


def _entries(is_range: bool, lines: bytes):
    """(glyph, character) as they stand in a block, both as hexadecimal digits."""
    if not is_range:
        yield from _PAIR.findall(lines)
        return
    for first, last, text in _TRIPLE.findall(lines):
        start = int(text, 16)
        for offset in range(int(last, 16) - int(first, 16) + 1):
            yield b"%0*X" % (len(first), int(first, 16) + offset), b"%0*X" % (len(text), start + offset)


def _lines(entries) -> bytes:
    """Blocks of at most a hundred entries, which is the most that the format allows."""
    written = []
    for at in range(0, len(entries), 100):
        part = entries[at : at + 100]
        written.append(b"%d beginbfchar\n" % len(part))
        for glyph, text in part:
            said = plain(bytes.fromhex(text.decode()).decode("utf-16-be")).encode("utf-16-be").hex().upper()
            written.append(b"<%s> <%s>\n" % (glyph, said.encode()))
        written.append(b"endbfchar\n")
    return b"".join(written)[: -len(b"\n")]
