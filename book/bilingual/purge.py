"""A theme's style sheet without the rules that no page of this book can ever match.

A rule stays when every class, id, element and attribute that its selector names (outside of :not(), :is() and the
like) occurs in a page, or is a word of a script that a page loads: what a script adds later is spelled there. Custom
properties stay when something asks for them, animations when something runs them.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import tinycss2

_GROUPS = {"media", "supports", "layer", "container"}  # at-rules that hold rules
_ALWAYS = {"html", "body", "root", "*"}


@dataclass(frozen=True)
class Used:
    """What pages and scripts mention: names for selectors, properties (--x) that they ask for themselves."""

    names: frozenset[str]
    properties: frozenset[str]


class _Names(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set(_ALWAYS)

    def handle_starttag(self, tag, attributes):
        self.found.add(tag)
        for name, value in attributes:
            self.found.add(name)
            if name in ("class", "id"):
                self.found.update((value or "").split())


def used(pages: list[str], scripts: list[str]) -> Used:
    """Collect what the texts of pages (HTML) and scripts mention."""
    parser = _Names()
    for page in pages:
        parser.feed(page)
    words = {word for script in scripts for word in re.findall(r"[A-Za-z_][\w-]*", script)}
    words |= {"data-" + re.sub("[A-Z]", lambda c: "-" + c[0].lower(), word) for word in words}  # dataset.barWide
    properties = {name for text in [*pages, *scripts] for name in re.findall(r"--[\w-]+", text)}
    return Used(frozenset(parser.found | words), frozenset(properties))


@dataclass
class Rule:
    """Selectors and (name, value) pairs."""

    head: str
    declarations: list[tuple[str, str]]

    def text(self) -> str:
        body = ";".join(f"{name}:{value or ' '}" for name, value in self.declarations)
        return f"{self.head}{{{body}}}" if body else ""


@dataclass
class Group:
    """An at-rule that holds rules, as @media does."""

    head: str
    rules: list

    def text(self) -> str:
        body = "".join(rule.text() for rule in self.rules)
        return f"{self.head}{{{body}}}" if body else ""


@dataclass
class Plain:
    """Whatever is copied as it stands: @font-face, @page, @keyframes, nested rules."""

    words: str

    def text(self) -> str:
        return self.words


def read(css: str, mentioned: Used) -> list:
    """The rules of a style sheet that can match something."""
    return _rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), mentioned.names)


def every_rule(rules: list):
    """The rules with declarations, those inside of groups too."""
    for rule in rules:
        if isinstance(rule, Rule):
            yield rule
        elif isinstance(rule, Group):
            yield from every_rule(rule.rules)


def write(rules: list, mentioned: Used) -> str:
    """The style sheet's text, one rule a line, less the custom properties and animations that nothing uses."""
    while True:
        text = "\n".join(filter(None, (rule.text() for rule in rules)))
        asked = mentioned.properties | set(re.findall(r"var\(\s*(--[\w-]+)", text))
        idle = False
        for rule in every_rule(rules):
            kept = [pair for pair in rule.declarations if not pair[0].startswith("--") or pair[0] in asked]
            idle = idle or len(kept) < len(rule.declarations)
            rule.declarations = kept
        if not idle:
            return _without_idle_animations(rules)


def _without_idle_animations(rules: list) -> str:
    pairs = [pair for rule in every_rule(rules) for pair in rule.declarations]
    running = set(re.findall(r"[\w-]+", " ".join(value for name, value in pairs if "animation" in name)))
    texts = (rule.text() for rule in rules)
    return "\n".join(text for text in texts if text and not _idle(text, running))


def _idle(text: str, running: set[str]) -> bool:
    frames = re.match(r"@(?:-webkit-)?keyframes ([\w-]+)", text)
    return bool(frames) and frames[1] not in running


def _rules(nodes: list, names: frozenset[str]) -> list:
    return list(filter(None, (_rule(node, names) for node in nodes)))


def _rule(node, names: frozenset[str]) -> Rule | Group | Plain | None:
    if node.type == "error":
        raise ValueError(f"line {node.source_line}: {node.message}")
    if node.type == "at-rule":
        return _at_rule(node, names)
    head = ",".join(_compact(tokens) for tokens in _split(node.prelude) if _can_match(tokens, names))
    if not head:
        return None
    content = tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
    if any(part.type in ("qualified-rule", "at-rule") for part in content):
        return Plain(f"{head}{{{_compact(node.content)}}}")
    declarations = [part for part in content if part.type == "declaration"]  # a browser skips what it can't read, too
    return Rule(head, [(part.name, _compact(part.value) + "!important" * part.important) for part in declarations])


def _at_rule(node, names: frozenset[str]) -> Group | Plain | None:
    head = f"@{node.at_keyword} {_compact(node.prelude)}".strip()
    if node.lower_at_keyword == "charset":
        return None
    if node.content is None:
        return Plain(f"{head};")
    if node.lower_at_keyword not in _GROUPS:
        return Plain(f"{head}{{{_compact(node.content)}}}")
    return Group(head, _rules(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True), names))


def _split(tokens: list) -> list[list]:
    """The selectors of a list, at its outer commas."""
    parts = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _can_match(tokens: list, names: frozenset[str]) -> bool:
    before = ""
    for token in tokens:
        if token.type == "hash" and token.value not in names:
            return False
        if token.type == "ident" and before != ":" and token.value not in names:  # a class or an element
            return False
        if token.type == "[] block" and token.content and token.content[0].value not in names:
            return False
        before = token.value if token.type == "literal" else ""
    return True


def _compact(tokens: list) -> str:
    """The text of tokens without comments, each run of spaces as one."""
    return re.sub(r"\s+", " ", tinycss2.serialize([token for token in tokens if token.type != "comment"])).strip()
