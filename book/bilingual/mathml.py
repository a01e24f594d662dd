"""TeX's mathematics as MathML: `convert(tex, display)` gives the tree of a <math> element.

latex2mathml reads the TeX. What it gives draws well, but says less than it could: here it becomes MathML Core without
style attributes, with a structure that a screen reader can follow. What stands between a pair of brackets is one row,
so that an exponent behind it belongs to the whole; a name such as BN is one identifier, followed by the invisible sign
of function application; a minus that has no left operand is a prefix. What it passes over in silence, such as a command
that it doesn't know, is an error here, never a red word on the page.
"""

import re
from html import unescape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

APPLY = "\u2061"  # invisible: the function before it is applied to what follows
_SIGNS = frozenset("−+±∓")
_AFTER = frozenset("!…⋯%)]}|‖")  # operators that end an operand
_PAIRS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⌊": "⌋", "⌈": "⌉"}
_BARS = frozenset("|‖")
_ROWS = frozenset(("math", "mrow", "mtd", "msqrt", "menclose", "mstyle"))  # hold any number of children
_CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3, "munderover": 3}
_KEPT = frozenset(("accent", "width", "form", "stretchy", "lspace", "rspace", "displaystyle", "mathvariant", "class"))
_UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_FLAT = frozenset(("mi", "mn", "mo", "mrow", "msub"))  # lower than the sign of a root
_LARGE = frozenset("∑∏⋃⋂")
_ACCENTS = {"^": "ˆ", "~": "˜", "¯": "¯"}
_BOLD = {"0": 0x1D7CE, "A": 0x1D400, "a": 0x1D41A, "α": 0x1D6C2}
_SLANTED_BOLD = {"0": 0x1D7CE, "A": 0x1D468, "a": 0x1D482, "α": 0x1D736}
_MISTAKEN = {"∂": "mi", "⟂": "mo", "±": "mo", "∓": "mo"}  # what latex2mathml takes for the other kind
_LAST = {"0": "9", "A": "Z", "a": "z", "α": "ω"}


class TexError(ValueError):
    """A formula that can't be converted; the message says what stands in the way."""


def convert(tex: str, display: bool = False) -> Element:
    """The <math> element of a formula; its \\tag, if it has one, is taken off before."""
    if not tex.strip():
        raise TexError("it is empty")
    plain = re.sub(r"\\[{}]", "", tex)
    if plain.count("{") != plain.count("}"):
        raise TexError(f"it has {plain.count('{')} opening and {plain.count('}')} closing braces")
    tex = re.sub(r"\\(begin|end)\{(aligned|split|align)\}", r"\\\1{align*}", tex)
    if "&" in tex and "\\begin" not in tex:
        tex = rf"\begin{{align*}}{tex}\end{{align*}}"
    try:
        found = convert_to_element(tex, display="block" if display else "inline")
    except Exception as problem:  # its exceptions have no common base
        raise TexError(f"latex2mathml says {type(problem).__name__} {problem}".rstrip()) from problem
    math = make("math", "", *unwrapped(_tidy(found)[0]), **({"display": "block"} if display else {}))
    if display:
        _limits(math)
    return math


def make(tag: str, text: str = "", *children: Element, **attributes: str) -> Element:
    made = Element(tag, attributes)
    made.text = text or None
    made.extend(children)
    return made


def markup(element: Element) -> str:
    return tostring(element, encoding="unicode")


def row(children: list[Element]) -> Element:
    return children[0] if len(children) == 1 else make("mrow", "", *children)


def unwrapped(element: Element) -> list[Element]:
    """The items of a row; what stands between brackets stays together."""
    bracketed = len(element) > 0 and element[0].get("stretchy") is not None
    return list(element) if element.tag == "mrow" and not bracketed else [element]


def _tidy(element: Element) -> Element:
    """The same with the structure of its meaning, from the leaves up."""
    if not len(element):
        return _leaf(element)
    wanted = _CHILDREN.get(element.tag, len(element))
    if len(element) != wanted:
        raise TexError(f"{element.tag} has {len(element)} parts; expected {wanted}")
    children = [_tidy(child) for child in element]
    kept = {name: value for name, value in element.attrib.items() if name in _KEPT}
    if element.tag == "mtable":
        kept["class"] = "tex-aligned" if element.get("displaystyle") else "tex-table"
    if element.tag == "mover":
        children[1] = _accent(children[1])
    if element.tag not in _ROWS:
        return make(element.tag, "", *children, **kept)
    items = [child for child in children if child.tag != "mi" or child.text]  # an empty one stands before a =
    if element.tag == "mrow" and element[0].get("fence") == "true":
        return _between_fences(items)
    items = _signs(_applied(_fenced(_named(items))))
    if element.tag == "mrow":
        return row(items)
    items = items if element.tag == "math" else unwrapped(row(items))
    if element.tag == "msqrt" and {part.tag for item in items for part in item.iter()} <= _FLAT:
        items.append(make("mspace", "", height="0.78em", depth="0.25em"))  # or the sign would hang below the line
    return make(element.tag, "", *items, **kept)


def _limits(element: Element) -> None:
    """Set the limits of sums below and above, inside of \\left and \\right too, as TeX does in a display."""
    for child in element:
        if child.tag in _UNDER and child[0].text in _LARGE:
            child.tag = _UNDER[child.tag]
        elif child.tag in ("mrow", "mtable", "mtr", "mtd"):
            _limits(child)


def _leaf(element: Element) -> Element:
    text, variant = unescape(element.text or ""), element.get("mathvariant", "")
    if "\\" in text:
        raise TexError(f"{text} is not known to latex2mathml")
    if element.tag == "mi" and re.search("[\u2e80-\uffff]", text):
        raise TexError(f"{text} stands where a symbol was expected; words go into \\text{{}}")
    if variant.startswith("bold"):
        return make(element.tag, "".join(_bold(letter, variant) for letter in text))
    if variant not in ("", "normal"):
        raise TexError(f"there is no {variant} {text}")
    if text in _MISTAKEN:
        return make(_MISTAKEN[text], text)
    if element.tag == "mo" and text.isalpha() and text.isascii():
        return make("mi", text)
    attributes = {name: value for name, value in element.attrib.items() if name in _KEPT}
    if text == "/":
        attributes.update(lspace="0em", rspace="0em")
    return make(element.tag, text, **attributes)


def _bold(letter: str, variant: str) -> str:
    first = {"bold": _BOLD, "bold-italic": _SLANTED_BOLD}.get(variant, {})
    start = next((start for start in first if start <= letter <= _LAST[start]), None)
    if start is None:
        raise TexError(f"there is no {variant} {letter}")
    return chr(first[start] + ord(letter) - ord(start))


def _accent(sign: Element) -> Element:
    return make("mo", _ACCENTS[sign.text], stretchy="false") if sign.text in _ACCENTS else sign


def _named(items: list[Element]) -> list[Element]:
    """Upright letters in a row, as those of \\mathrm{BN}, as one name."""
    upright = [item.tag == "mi" and item.get("mathvariant") == "normal" and item.text.isalpha() for item in items]
    if len(items) > 1 and all(upright):
        return [make("mi", "".join(item.text for item in items))]
    return items


def _fenced(items: list[Element]) -> list[Element]:
    """Each pair of brackets or bars with what is between them as one element, exponent and index behind it."""
    stack: list[tuple[str, list[Element]]] = [("", [])]
    for item in items:
        sign = _bracket(item)
        opened = stack[-1][0]
        if sign is not None and (sign == _PAIRS.get(opened) or sign in _BARS and sign == opened):
            _, inside = stack.pop()
            pair = _between(opened, inside, sign)
            stack[-1][1].append(pair if item.tag == "mo" else make(item.tag, "", pair, *item[1:]))
        elif item.tag == "mo" and (sign in _PAIRS or sign in _BARS):
            stack.append((sign, []))
        elif sign in _PAIRS.values():
            raise TexError(f"{sign} comes without its partner")
        else:
            stack[-1][1].append(item)
    if len(stack) > 1:
        raise TexError(f"{stack[-1][0]} has no partner")
    return stack[0][1]


def _bracket(item: Element) -> str | None:
    """The bracket or bar that an item is, or that its exponent or index is set on; none of \\left and \\right."""
    if item.tag in ("msub", "msup", "msubsup"):
        item = item[0]
    plain = item.tag == "mo" and item.get("stretchy") != "true"
    return item.text if plain and item.text in {*_PAIRS, *_PAIRS.values(), *_BARS} else None


def _between(opening: str, inside: list[Element], closing: str) -> Element:
    """A half-open interval is not known here: it would be a row whose brackets are of two kinds."""
    first = make("mo", opening, form="prefix", stretchy="false")
    last = make("mo", closing, form="postfix", stretchy="false")
    return make("mrow", "", first, row(_signs(_applied(inside))), last)


def _between_fences(items: list[Element]) -> Element:
    """What \\left and \\right, or a table's brackets, hold; one of the two may be missing."""
    ends = [item for item in (items[0], items[-1]) if item.tag == "mo" and item.get("form")]
    inside = row(_signs(_applied(_fenced([item for item in items if item not in ends]))))
    before, after = ([end for end in ends if end.text and end.get("form") == form] for form in ("prefix", "postfix"))
    return make("mrow", "", *before, inside, *after)


def _applied(items: list[Element]) -> list[Element]:
    """A function's name, the sign of application, what it is applied to."""
    made = []
    for item, after in zip(items, [*items[1:], None], strict=True):
        made.append(item)
        base = item[0] if item.tag in ("msub", "msup", "munder", "msubsup") else item
        is_name = base.tag == "mi" and len(base.text or "") > 1
        if is_name and after is not None and (after.tag != "mo" or after.text == "(") and after.tag != "mspace":
            made.append(make("mo", APPLY))
            if not (after.tag == "mrow" and after[0].get("form") == "prefix"):
                made.append(make("mspace", "", width="0.1667em"))
    return made


def _signs(items: list[Element]) -> list[Element]:
    """A sign that has no left operand becomes a prefix."""
    before = None
    for item in items:
        if item.tag == "mo" and item.text in _SIGNS and (before is None or _ends_nothing(before)):
            item.set("form", "prefix")
        before = before if item.tag == "mspace" else item
    return items


def _ends_nothing(before: Element) -> bool:
    return before.tag == "mo" and before.text not in _AFTER
