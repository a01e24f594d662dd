"""A formula as a few signs of plain text, for the sentences that a search shows: m − 1, σ_B², 10⁻⁵, √(v + ε)."""

from xml.etree.ElementTree import Element

from bilingual.mathml import TexError, convert

_LONG = 30  # signs; a longer one is no part of a sentence
_RAISED = str.maketrans("0123456789−+n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ")
_LETTERS = str.maketrans("ϵϕ", "εφ")  # as a reader types them
_SPACED = frozenset("=≈≠<>≤≥←→+−·×∈∝≪≫")


def plain(tex: str) -> str:
    """The formula in one line, or "…" if it has fractions of sums, rows or limits, or is long."""
    try:
        text = _row(list(convert(tex)))
    except (TexError, _TooMuch):
        return "…"
    return text if len(text) <= _LONG else "…"


class _TooMuch(Exception):
    """A part of a formula that one line of text can't show."""


def _row(items: list[Element]) -> str:
    texts = []
    for number, item in enumerate(items):
        text = _text(item)
        between = item.tag == "mo" and text in _SPACED and 0 < number < len(items) - 1
        texts.append(f" {text} " if between else text + "\u2009" * (text == ","))
    return "".join(texts)


def _text(item: Element) -> str:
    parts = list(item)
    if item.tag in ("mi", "mn", "mo", "mtext"):
        return (item.text or "").replace("\u2061", "").translate(_LETTERS)
    if item.tag in ("mrow", "mspace"):
        return _row(parts)
    if item.tag == "msqrt":
        inside = _row(parts)
        return f"√{inside}" if len(inside) == 1 else f"√({inside})"
    if item.tag in ("msub", "msup", "msubsup"):
        return _scripts(item.tag, [_text(part) for part in parts])
    if item.tag == "mover" and _text(parts[1]) == "ˆ":
        return _text(parts[0]) + "\u0302"
    if item.tag == "mfrac" and all(part.tag in ("mi", "mn", "msub") for part in parts):
        return "/".join(map(_text, parts))
    raise _TooMuch(item.tag)


def _scripts(tag: str, texts: list[str]) -> str:
    written = texts[0]
    if tag != "msup":
        if len(texts[1]) > 1:
            raise _TooMuch(tag)
        written += f"_{texts[1]}"
    if tag != "msub":
        raised = texts[-1].translate(_RAISED)
        if set(raised) & set(texts[-1]):  # not all of it can be raised
            raise _TooMuch(tag)
        written += raised
    return written
