"""From matplotlib's SVG to the one that is stored: small, with its words, fit to become part of a page.

matplotlib writes a document of its own, with a style sheet for everything on a page and names that two figures share.
Here each panel becomes an <svg> of its own within the figure, names get the figure's digest, and looks stand in style
attributes, where a page can replace colours. Only what draws something is kept.
"""

import re
import warnings
from hashlib import sha256
from io import StringIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
from matplotlib.figure import Figure

from bnlib.drawing.drawing import TAGS, Data, Drawing
from bnlib.drawing.look import INK_COLOUR
from bnlib.drawing.panels import FONT
from bnlib.language import current, message

SHOWN, WIDEST = 720, 480  # pixels where a host shows the file as it is, which JupyterLab doesn't shrink: all, a panel
FONTS = "system-ui, 'Segoe UI', Roboto, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
_SVG, _LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
_BASE = f"font-family: {FONTS}; font-size: {FONT}px; fill: {INK_COLOUR}; stroke-linejoin: round; stroke-linecap: butt"
_DEFAULTS = {f"font-size: {FONT}px", "font-family: 'DejaVu Sans'", "text-anchor: start", "stroke-dashoffset: 0"}
_INKED = f"fill: {INK_COLOUR}"  # so is all text
_DIGEST = "@digest@"  # in names, until the figure is complete
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]+)')


def draw(figure: Figure, *, title: str, description: str, data: Data) -> Drawing:
    """A figure of `panels`, still within `styled`, as SVG on white ground, in the current language.

    Args:
        title: in a few words, what the figure is about.
        description: what one sees, with the numbers that matter, for whoever doesn't see it.
        data: what it was drawn from.

    Raises:
        RuntimeError: it is called outside of `styled`.
    """
    if matplotlib.rcParams["svg.hashsalt"] != "bnlib":
        raise RuntimeError("draw was called outside of styled(); expected: with styled(): ... return draw(figure, ...)")
    text = StringIO()
    with warnings.catch_warnings():  # the measuring font has no Chinese; the reader's fonts, which draw it, do
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = tidy(text.getvalue(), title, description, TAGS[current()])
    return Drawing(svg, title, description, data, current(), message("figure.data"))


def tidy(written: str, title: str, description: str, tag: str) -> str:
    """matplotlib's SVG, less what draws nothing, with its words and the tag of their language."""
    old = ElementTree.fromstring(written)
    referred = dict.fromkeys(_REFERENCE.findall(written))
    kept = {name: f"{name[0]}{number}-{_DIGEST}" for number, name in enumerate(referred)}
    _, _, width, height = map(float, old.get("viewBox").split())
    ground, *parts = (part for child in old for part in _cleaned(child, kept))
    panels = [part for part in parts if part.tag == "svg"] or [Element("svg")]
    panels[0][:0] = [part for part in parts if part not in panels]  # clip paths; all, without subfigures
    for number, panel in enumerate(panels):
        place = width * number / len(panels), 0, width / len(panels), height
        panel.attrib = {"class": "panel", **_place(*place), "viewBox": " ".join(map(_short, place)), "style": _BASE}
    shown = min(SHOWN / width, WIDEST * len(panels) / width)
    root = Element("svg", {"xmlns": _SVG, "class": "bnlib-figure", "lang": tag, "role": "img"})
    root.attrib["aria-labelledby"] = f"t-{_DIGEST} d-{_DIGEST}"
    root.attrib |= _place(0, 0, shown * width, shown * height) | {"viewBox": f"0 0 {_short(width)} {_short(height)}"}
    ElementTree.SubElement(root, "title", {"id": f"t-{_DIGEST}"}).text = title
    ElementTree.SubElement(root, "desc", {"id": f"d-{_DIGEST}"}).text = description
    root.extend([ground, *panels])
    for element in root.iter():
        element.tail = None if element.tag == "tspan" else "\n"
    text = ElementTree.tostring(root, encoding="unicode")
    return text.replace(_DIGEST, sha256(text.encode()).hexdigest()[:8])


def _place(left: float, top: float, width: float, height: float) -> dict[str, str]:
    numbers = {"x": left, "y": top, "width": width, "height": height}
    return {name: _short(value) for name, value in numbers.items() if value}


def _cleaned(old: Element, kept: dict[str, str]) -> list[Element]:
    """The element as it is kept: itself, its children where the group around them says nothing, or nothing."""
    tag, name = old.tag.removeprefix(f"{{{_SVG}}}"), old.get("id", "")
    if tag in ("title", "metadata", "style"):
        return []
    new = Element("svg" if name.startswith("panel-") else tag, _attributes(old, name, kept))
    if tag in ("text", "tspan"):
        new.text = old.text
    new.extend(part for child in old for part in _cleaned(child, kept))
    if tag in ("g", "defs") and not len(new):
        return []
    styles = {child.get("style", "") for child in new if child.tag != "defs"}
    if tag == "g" and len(new) > 1 and len(styles) == 1 and not re.search(r"(^|; )opacity", style := styles.pop()):
        _share(new, style)
    if tag == "path" and name not in kept and new.get("style") == "fill: none":
        return []
    return list(new) if new.tag == "g" and not new.attrib else [new]


def _share(group: Element, style: str) -> None:
    """What all children say, said once around them."""
    if style and "style" not in group.attrib:
        group.set("style", style)
        for child in group:
            child.attrib.pop("style", None)


def _attributes(old: Element, name: str, kept: dict[str, str]) -> dict[str, str]:
    found = {"id": kept[name]} if name in kept else {"class": name} if name.startswith("series-") else {}
    for key, value in old.attrib.items():
        if key == "style":
            default = {*_DEFAULTS, _INKED} if old.tag == f"{{{_SVG}}}text" else _DEFAULTS
            found[key] = "; ".join(part for part in value.split("; ") if part not in default)
        elif key != "id" and not value.startswith("rotate(-0 "):
            found["href" if key == _LINK else key] = value
    if "d" in found:
        found["d"] = re.sub(r"\s*([A-Za-z])\s*", r"\1", found["d"].strip())
    return {key: _shortened(value, kept) for key, value in found.items() if value}


def _shortened(value: str, kept: dict[str, str]) -> str:
    """Numbers with two digits after the point, and the figure's own names."""
    value = re.sub(r"#([\w.-]+)", lambda found: "#" + kept.get(found[1], found[1]), value)
    return re.sub(r"-?\d+\.\d+", lambda found: _short(float(found[0])), value)


def _short(value: float) -> str:
    return f"{round(value, 2) + 0.0:.10g}"
