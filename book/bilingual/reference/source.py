"""The library's public names, read from its source without importing it: signature, docstring, place, bases.

A module's public names are those of its `__all__`; where it has none, whatever it defines without an underscore. A
name that a package only passes on is followed to the file that defines it.
"""

import ast
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sphinx.errors import ExtensionError


@dataclass(frozen=True)
class Name:
    """One public name: where it is offered, what defines it, and what can be said of it."""

    full: str  # bnlib.norm.batch_norm, as it is offered
    home: str  # bnlib.norm.functional, the module that defines it
    path: str  # bnlib/norm/functional.py
    node: ast.AST = field(repr=False)
    comment: str = field(default="", repr=False)  # of a constant, which has no docstring

    @property
    def short(self) -> str:
        return self.full.rsplit(".", 1)[1]

    @property
    def place(self) -> str:
        return f"{self.full} ({self.path}, line {self.line})"

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def kind(self) -> str:
        kinds = {ast.ClassDef: "class", ast.FunctionDef: "function", ast.AsyncFunctionDef: "function"}
        return kinds.get(type(self.node), "constant")

    @property
    def docstring(self) -> str:
        said = self.comment if self.kind == "constant" else ast.get_docstring(self.node) or ""
        if not said.strip():
            remedy = "a comment in the line above" if self.kind == "constant" else "a docstring that begins with one"
            raise ExtensionError(f"{self.place} says nothing about itself; expected one sentence: give it {remedy}")
        return said


@dataclass(frozen=True)
class Module:
    """A module's text: its syntax tree, what it passes on, what it defines."""

    name: str
    path: str  # relative to the library's parent folder
    source: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name here -> module that it comes from."""
        found = [node for node in self.tree.body if isinstance(node, ast.ImportFrom)]
        return {alias.asname or alias.name: node.module for node in found for alias in node.names}

    @cached_property
    def definitions(self) -> dict[str, ast.AST]:
        found = {}
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
        return found

    @property
    def public(self) -> list[str]:
        if "__all__" in self.definitions:
            listed = self.definitions["__all__"].value.elts
            return [name for item in listed for name in self._listed(item)]
        called = (ast.FunctionDef, ast.ClassDef)
        return [name for name, node in self.definitions.items() if isinstance(node, called) and name[0] != "_"]

    def _listed(self, item: ast.expr) -> list[str]:
        """One entry of `__all__`: a name, or `*names` for all that a list, tuple or dictionary above holds."""
        if not isinstance(item, ast.Starred):
            return [ast.literal_eval(item)]
        return list(ast.literal_eval(self.definitions[item.value.id].value))

    @property
    def docstring(self) -> str:
        said = ast.get_docstring(self.tree)
        if not said:
            raise ExtensionError(f"{self.path} says nothing about itself; begin it with a docstring")
        return said

    def comment(self, node: ast.AST) -> str:
        """The comment in the lines above a constant."""
        lines, above = self.source.splitlines(), []
        for line in reversed(lines[: node.lineno - 1]):
            if not line.startswith("# "):
                break
            above.insert(0, line.removeprefix("# "))
        return "\n".join(above)


class Library:
    """The modules of the package in a folder, read when asked for."""

    def __init__(self, root: Path, package: str) -> None:
        self.root, self.package = root, package
        self._read: dict[str, Module] = {}

    def module(self, name: str) -> Module:
        if name not in self._read:
            folder = self.root.joinpath(*name.split("."))
            found = [path for path in (folder / "__init__.py", folder.with_suffix(".py")) if path.is_file()]
            if not found:
                raise ExtensionError(f"{self.root} holds no module {name}; the pages of the library name one that is")
            path = found[0].relative_to(self.root).as_posix()
            self._read[name] = Module(name, path, found[0].read_text(encoding="utf-8"))
        return self._read[name]

    def find(self, module: str, short: str) -> Name:
        """What defines the name that a module offers."""
        home = self.module(module)
        seen = []
        while short not in home.definitions:
            seen.append(home.name)
            origin = home.imports.get(short, "")
            if not origin.startswith(self.package) or origin in seen:
                raise ExtensionError(f"{module}.{short} is in {module}.__all__, but {home.path} doesn't define it")
            home = self.module(origin)
        node = home.definitions[short]
        return Name(f"{module}.{short}", home.name, home.path, node, home.comment(node))

    def names(self, module: str) -> list[Name]:
        return [self.find(module, short) for short in self.module(module).public]

    def class_of(self, home: str, short: str) -> ast.ClassDef | None:
        """A class by its name in a module, if it is the library's own."""
        module = self.module(home)
        if isinstance(module.definitions.get(short), ast.ClassDef):
            return module.definitions[short]
        origin = module.imports.get(short, "")
        return self.class_of(origin, short) if origin.startswith(self.package) else None
