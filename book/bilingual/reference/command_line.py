"""The commands of `python -m` and the library's name with all their options, in the page's language.

The library's own parser is asked, in a process of its own: it needs the standard library alone, and its words come
from its own messages, so the page says what --help says.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from bilingual import settings
from bilingual.languages import language_of

_ASK = """
import json, sys
from importlib import import_module

def named(full):
    module, _, name = full.rpartition(".")
    return getattr(import_module(module), name)

named(sys.argv[2])(sys.argv[3])

def told(one):
    words = ", ".join(one.option_strings) or one.metavar or one.dest
    value = " ".join(filter(None, [one.metavar or (one.choices and "|".join(one.choices)), "..." * (one.nargs == "+")]))
    return [f"{words} {value}".strip() if one.option_strings else words + " ..." * (one.nargs == "+"), one.help]

top = named(sys.argv[1])()
(commands,) = [one for one in top._actions if isinstance(one.choices, dict)]
plain = [told(one) for one in top._actions if one is not commands]
rest = {name: [one.description, [told(o) for o in one._actions]] for name, one in commands.choices.items()}
print(json.dumps([top.description, plain, rest]))
"""
_SAID = {"en": "Options of every command", "zh": "每个命令都有的选项"}


def setup(app) -> None:
    app.add_directive("command-line", CommandLine)


@cache
def commands(root: Path, library: settings.LibrarySettings, language: str) -> tuple[str, list, dict]:
    """What the program says of itself, its own options, and of each command the same: [(option, help), ...]."""
    order = [sys.executable, "-B", "-c", _ASK, library.parser, library.set_language, language]
    asked = subprocess.run(order, cwd=root, capture_output=True, encoding="utf-8", check=False)
    if asked.returncode:
        raise ExtensionError(f"{library.parser} in {root} doesn't tell its options:\n{asked.stderr[-1000:]}")
    return tuple(json.loads(asked.stdout))


class CommandLine(SphinxDirective):
    """A section for each command, with its options."""

    def run(self) -> list[nodes.Node]:
        root, language = Path(self.env.app.srcdir), language_of(self.env.docname)
        library = settings.of(self.env.app).library
        about, plain, rest = commands(root, library, language)
        for path in (root / library.package).rglob("*"):
            if path.suffix in (".py", ".toml"):
                self.env.note_dependency(str(path))
        shared = {option for option, _ in plain}
        made = [nodes.paragraph("", about), nodes.paragraph("", _SAID[language], classes=["api-title"])]
        made.append(_options(plain))
        for name, (said, options) in rest.items():
            own = [option for option in options if option[0] not in shared]
            usage = f"python -m {library.package} {name}" + "".join(
                f" {word}" for word, _ in own if not word.startswith("-")
            )
            usage += " [options]" if any(word.startswith("-") for word, _ in own) else ""
            inside = [nodes.literal_block(usage, usage, language="text"), nodes.paragraph("", said)]
            title = nodes.title("", "", nodes.literal(text=name))
            inside += [_options(own)] if own else []
            made.append(nodes.section("", title, *inside, ids=[f"command-{name}"], names=[name]))
        for node in made:
            node["support_smartquotes"] = False  # -- is what one types
        return made


def _options(options: list[tuple[str, str]]) -> nodes.definition_list:
    made = nodes.definition_list(classes=["api-entries"])
    for option, said in options:
        term = nodes.term("", "", nodes.literal(text=option))
        made += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", said)))
    return made
