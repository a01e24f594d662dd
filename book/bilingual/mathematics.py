"""Mathematics as MathML, written when the book is built: no script draws a formula, and none arrives late.

A page with formulas loads one style sheet, one font (a part of STIX Two Math) and two small scripts: one lets wide
formulas be scrolled by keyboard and explains symbols (bilingual/symbols.py), one copies formulas as TeX. The font comes
in a script as well: only so is it there before the first line is drawn, on a server as in a page opened from a file,
which may preload no font. With font-display a font that is late, as one in a style sheet at times is too, either makes
the page jump (swap, block) or stays away (optional). Browsers draw MathML Core since Chromium 109; Firefox and Safari
did before; older ones show the letters in a row.
"""

import base64
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from bilingual import symbols
from bilingual.languages import DEFAULT, language_of
from bilingual.mathml import TexError, convert, make, markup

_FONT = Path(__file__).parent.parent / "fonts" / "course-math.woff2"  # made by tools/make_math_font.py
_LICENCE = "course-math-OFL.txt"
FONT_SCRIPT = "course-math-font.js"
_LONG = 24  # signs in a row of text that may be wider than a phone
_TO_ITSELF = {"en": "Link to this equation", "zh": "这个公式的链接"}
_OPENING, _CLOSING = re.compile(r"[（“‘《「(]+$"), re.compile(r"^[，。；：、）？！”’》」,.;:)?!]+")
_log = logging.getLogger(__name__)


def setup(app) -> None:
    app.add_html_math_renderer("course", (_visit_inline, None), (_visit_block, None))
    app.connect("config-inited", lambda app, config: setattr(config, "html_math_renderer", "course"))
    app.connect("doctree-resolved", _hold_marks, priority=600)
    app.connect("html-page-context", _head)
    app.connect("build-finished", _write_font)


def _head(app, pagename, templatename, context, doctree) -> None:
    if "<math" not in (context.get("body") or ""):
        return
    app.add_css_file("mathematics.css")
    app.add_js_file(FONT_SCRIPT, priority=100)  # not deferred: before anything is drawn
    for name in ("mathematics.js", "copy-tex.js"):
        app.add_js_file(name, loading_method="defer")


def _write_font(app, exception) -> None:
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static"
    (folder / FONT_SCRIPT).write_text(font_script(_FONT.read_bytes()), encoding="utf-8")
    shutil.copyfile(_FONT.with_name(_LICENCE), folder / _LICENCE)


def font_script(font: bytes) -> str:
    """The font as a script, which the policy of the pages allows on http and in files alike."""
    return (
        f"// A part of STIX Two Math, SIL Open Font License 1.1: {_LICENCE}\n"
        f'(() => {{\n  const text = atob("{base64.b64encode(font).decode()}");\n'
        "  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));\n"
        '  document.fonts.add(new FontFace("Course Math", bytes));\n})();\n'
    )


def _hold_marks(app, doctree, docname) -> None:
    """Keep a formula on one line with the punctuation that touches it: browsers break there, as beside a picture."""
    for math in list(doctree.findall(nodes.math)):
        parent, place = math.parent, math.parent.index(math)
        marks = []
        for at, pattern in ((place + 1, _CLOSING), (place - 1, _OPENING)):
            text = parent[at] if 0 <= at < len(parent) else None
            mark = pattern.search(text) if isinstance(text, nodes.Text) else None
            marks.append(nodes.Text(mark[0] if mark else ""))
            if mark:
                parent[at] = nodes.Text(pattern.sub("", text))
        closing, opening = marks
        if closing or opening:
            parent[place] = nodes.inline("", "", opening, math, closing, classes=["math-with-mark"])


def _math(translator, node, display: bool):
    """The <math> element of a node with its source beside it; None, and a warning, if it can't be converted."""
    tex = node.astext().strip()
    try:
        math = convert(tex, display)
    except TexError as problem:
        _log.warning("the formula %s can't be shown: %s", tex, problem, location=node)
        return None
    symbols.mark(translator.builder.current_docname, math)
    return math


def _visit_inline(translator, node) -> None:
    math = _math(translator, node, display=False)
    if math is None:
        translator.body.append(f"<code>{translator.encode(node.astext())}</code>")
        raise nodes.SkipNode
    long = sum(len(text) for text in math.itertext()) > _LONG
    classes = "math notranslate math-scroll" if long else "math notranslate"
    attributes = {"CLASS": classes, "data-tex": node.astext().strip()}
    translator.body.append(translator.starttag(node, "span", "", **attributes) + markup(math) + "</span>")
    raise nodes.SkipNode


def _visit_block(translator, node) -> None:
    math = _math(translator, node, display=True)
    shown = f"<pre>{translator.encode(node.astext())}</pre>" if math is None else markup(math)
    start = translator.starttag(node, "div", CLASS="math notranslate", **{"data-tex": node.astext().strip()})
    translator.body.append(f'{start}<div class="math-scroll">{shown}</div>{_number(translator, node)}</div>\n')
    raise nodes.SkipNode


def _number(translator, node) -> str:
    """The number of an equation, which is a link to it."""
    number = node.get("tag") or (get_node_equation_number(translator, node) if node.get("number") else None)
    if number is None or not node["ids"]:
        return ""
    language = language_of(translator.builder.current_docname) or DEFAULT
    link = make("a", f"({number})", href=f"#{node['ids'][0]}", title=_TO_ITSELF[language])
    return f'<span class="eqno">{markup(link)}</span>'
