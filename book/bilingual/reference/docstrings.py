"""Docstrings of the library's style as parts of a page: sentence, formula, text, lists, and named sections.

The style: one sentence in one line; then paragraphs, formulas (indented), lists (`- `), lines such as `lr: the learning
rate.`, and sections that begin with a word of SECTIONS and a colon. What is written otherwise stops the build.
"""

import re
from dataclasses import dataclass, field

from docutils import nodes
from sphinx.errors import ExtensionError

SECTIONS = ("Args", "Attributes", "Traits", "Returns", "Raises", "Source", "Sources")
_HEAD = re.compile(rf"({'|'.join(SECTIONS)}):(?: +(.*))?$")
_ENTRY = re.compile(r"([A-Za-z_]\w*(?:, \w+)*): +(\S.*)$")
_LABEL = re.compile(r"[A-Z]\w+:$")
_INLINE = re.compile(r"`([^`]+)`|(https?://[^\s,;)]*[^\s,;).])")


@dataclass(frozen=True)
class Part:
    """One part of a docstring: paragraph, formula, list, entries, or a section of such parts."""

    kind: str
    text: str = ""  # of a paragraph or formula; a section's word
    entries: list[tuple[str, str]] = field(default_factory=list)  # of a list: ("", text); else (names, text)
    parts: list["Part"] = field(default_factory=list)


def read(text: str, place: str) -> list[Part]:
    """The parts of a docstring, its sentence first; ExtensionError with the place where the style is broken."""
    lines = text.strip("\n").split("\n")
    first = lines[0].strip()
    if not re.search(r"[.:]$", first) or (len(lines) > 1 and lines[1].strip()):
        raise ExtensionError(
            f"the docstring of {place} begins with {first!r}; expected one sentence in one line that ends with a full "
            "stop, and an empty line after it"
        )
    if text.count("`") % 2:
        raise ExtensionError(f"the docstring of {place} has a backtick without its partner; expected `name`")
    return [Part("paragraph", first), *_parts(lines[1:], place)]


def _parts(lines: list[str], place: str) -> list[Part]:
    found, at = [], 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if not line.strip():
            pass
        elif head := _HEAD.match(line):
            end = _below(lines, at, indented=True) if not head[2] else _below(lines, at)
            inside = [head[2]] if head[2] else []
            body = [row[4:] if row.startswith("    ") else row for row in lines[at + 1 : end]]
            found.append(Part("section", head[1], parts=_parts(inside + body, place)))
            if not found[-1].parts:
                raise ExtensionError(f"the docstring of {place} has nothing under {line!r}; indent it by four spaces")
        elif _LABEL.match(line):
            words = ", ".join(SECTIONS)
            raise ExtensionError(f"the docstring of {place} has a section {line!r}; expected one of {words}")
        elif line.startswith("    "):
            end = _below(lines, at, indented=True)
            found.append(Part("formula", "\n".join(row[4:] for row in lines[at:end]).rstrip()))
        elif line.startswith(" "):
            raise ExtensionError(f"the docstring of {place} indents {line.strip()!r} by other than four spaces")
        elif line.startswith("- "):
            end = _item_end(lines, at, r"- ")
            found.append(_list("list", lines[at:end], lambda row: ("", row[2:]) if row.startswith("- ") else None))
        elif _ENTRY.match(line) and _all_entries(lines, at):
            end = _item_end(lines, at, _ENTRY)
            found.append(_list("entries", lines[at:end], lambda row: m.groups() if (m := _ENTRY.match(row)) else None))
        else:
            while end < len(lines) and lines[end].strip() and not lines[end].startswith(("- ", "    ")):
                end += 1
            found.append(Part("paragraph", " ".join(row.strip() for row in lines[at:end])))
        at = end
    return found


def _below(lines: list[str], at: int, indented: bool = False) -> int:
    """Where what begins in this line ends: at an empty line, or at the first line that isn't indented."""
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ") if indented else lines[end]):
        end += 1
    return end


def _all_entries(lines: list[str], at: int) -> bool:
    """Whether every line up to the next empty one is `name: text` or belongs, indented, to such a line."""
    return all(_ENTRY.match(row) or row.startswith("    ") for row in lines[at : _below(lines, at)])


def _item_end(lines: list[str], at: int, head) -> int:
    end = at + 1
    while end < len(lines) and lines[end].strip() and (re.match(head, lines[end]) or lines[end].startswith("  ")):
        end += 1
    return end


def _list(kind: str, lines: list[str], head) -> Part:
    entries = []
    for line in lines:
        if start := head(line):
            entries.append(start)
        else:
            name, said = entries[-1]
            entries[-1] = (name, f"{said} {line.strip()}")
    return Part(kind, entries=entries)


def inline(text: str, link) -> list[nodes.Node]:
    """Text with `code`, linked where link(code) gives a reference to put it in, and addresses as links."""
    made, at = [], 0
    for found in _INLINE.finditer(text):
        made.append(nodes.Text(text[at : found.start()]))
        if found[1]:
            code = nodes.literal(text=found[1])
            target = link(found[1])
            made.append(code if target is None else target)
            if target is not None:
                target.append(code)
        else:
            made.append(nodes.reference("", found[2], refuri=found[2]))
        at = found.end()
    return [*made, nodes.Text(text[at:])]


def render(part: Part, link, title) -> list[nodes.Node]:
    """A part as nodes; title(word) gives the heading of a section."""
    if part.kind == "section":
        inside = [node for inner in part.parts for node in render(inner, link, title)]
        return [title(part.text), nodes.container("", *inside, classes=["api-section", "language-en"])]
    if part.kind == "formula":
        return [nodes.literal_block(part.text, part.text, language="text", classes=["api-formula"])]
    if part.kind == "list":
        items = [nodes.list_item("", nodes.paragraph("", "", *inline(said, link))) for _, said in part.entries]
        return [nodes.bullet_list("", *items)]
    if part.kind == "entries":
        return [_definitions(part.entries, link)]
    return [nodes.paragraph("", "", *inline(part.text, link))]


def _definitions(entries: list[tuple[str, str]], link) -> nodes.definition_list:
    made = nodes.definition_list(classes=["api-entries"])
    for names, said in entries:
        words = [nodes.literal(text=word) for word in names.split(", ")]
        term = nodes.term("", "", words[0])
        for word in words[1:]:
            term += [nodes.Text(", "), word]
        made += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "", *inline(said, link))))
    return made
