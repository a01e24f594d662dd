"""The theme's icons without its icon font or icon script: each one used is a small picture inside the style sheet.

The theme writes icons as characters of the font Font Awesome (156 kB) and, once more, as drawings that a script of
1.5 MB puts in their place. Here each character that a style sheet still asks for becomes the drawing of that icon, as a
mask through which the colour of the text shows. This needs no request and no font, and works on pages opened from
files, where a browser refuses a mask that lies in a file of its own.
"""

import re
from pathlib import Path

from bilingual.purge import Rule

_DRAWING = re.compile(r':\[(\d+),(\d+),\[[^\]]*\],"([0-9a-f]+)","([^"]+)"\]')
_CHARACTER = re.compile(r"""^["'](?:\\([0-9a-fA-F]{4,6})\s?|([\ue000-\uf8ff]))["']$""")
_NAMED = re.compile(r"^var\((--(?:pst-icon|pst-breadcrumb)[\w-]*)\)$")
_FONT = re.compile(r"Font ?Awesome|Font Awesome|--fa-font|Awesome\\ ", re.IGNORECASE)
_MASK = [
    ("display", "inline-block"),
    ("width", "1em"),
    ("height", "1em"),
    ("background-color", "currentColor"),
    ("-webkit-mask", "var(--icon) center/contain no-repeat"),
    ("mask", "var(--icon) center/contain no-repeat"),
    ("print-color-adjust", "exact"),
]


def drawings(script: Path) -> dict[str, str]:
    """The theme's drawings, by the character's number in hexadecimal: the solid ones, which come last in the script."""
    found = _DRAWING.findall(script.read_text(encoding="utf-8"))
    return {number: _picture(width, height, path) for width, height, number, path in found}


def _picture(width: str, height: str, path: str) -> str:
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}'><path d='{path}'/></svg>"
    return 'url("data:image/svg+xml,' + re.sub("[<>#]", lambda sign: f"%{ord(sign[0]):X}", svg) + '")'


def draw(rule: Rule, pictures: dict[str, str]) -> None:
    """Let a rule that shows an icon's character show its picture instead."""
    changed = []
    for name, value in rule.declarations:
        character, named = _CHARACTER.match(value), _NAMED.match(value)
        number = (character[1] or f"{ord(character[2]):x}").lower() if character else None
        if number in pictures and name == "content":
            changed += [("content", '""'), ("--icon", pictures[number])]
        elif number in pictures:  # a custom property that names an icon
            changed.append((name, pictures[number]))
        elif name == "content" and named:
            changed += [("content", '""'), ("--icon", value)]
        elif name in ("font", "font-family") and _FONT.search(value) and re.search(r":(after|before)\b", rule.head):
            changed += _MASK
        else:
            changed.append((name, value))
    rule.declarations = changed


def is_font(rule: str) -> bool:
    """Whether a rule only brings the icon font."""
    return rule.startswith("@font-face") and bool(_FONT.search(rule))
