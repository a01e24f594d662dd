"""How a public name is called: its signature as Python, from the syntax tree alone."""

import ast
import re

from bilingual.reference.source import Library, Name

WIDE = 88  # a longer signature has a parameter a line
_FIELDS = ("dataclass", "NamedTuple")


def signature(library: Library, name: Name) -> str:
    """`bnlib.norm.batch_norm(input, ...) -> Tensor`, or the value of a constant."""
    if name.kind == "constant":
        value = _value(name.node.value)
        return f"{name.full} = {value}" if len(value) < WIDE else name.full
    if name.kind == "function":
        return called(name.full, parameters(name.node.args), name.node.returns)
    return "class " + called(name.full, constructor(library, name), None)


def called(full: str, given: list[str], returns: ast.expr | None) -> str:
    end = f" -> {_annotation(returns)}" if returns is not None and not _is_none(returns) else ""
    line = f"{full}({', '.join(given)}){end}"
    if len(line) <= WIDE or not given:
        return line
    return f"{full}(\n" + "".join(f"    {one},\n" for one in given) + f"){end}"


def parameters(args: ast.arguments, skip: int = 0) -> list[str]:
    """Each parameter as it is written, `*` and `/` among them, without the first `skip` ones."""
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
    said = [_one(arg, default) for arg, default in zip(plain, defaults, strict=True)]
    if args.posonlyargs:
        said.insert(len(args.posonlyargs), "/")
    said = said[skip:]
    if args.vararg:
        said.append("*" + _one(args.vararg, None))
    elif args.kwonlyargs:
        said.append("*")
    said += [_one(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return said + (["**" + _one(args.kwarg, None)] if args.kwarg else [])


def constructor(library: Library, name: Name) -> list[str]:
    """What a class takes: the parameters of its `__init__` or of a base's of ours, or the fields of its data."""
    node, bases = name.node, list(map(ast.unparse, getattr(name.node, "bases", [])))
    decorators = list(map(ast.unparse, getattr(node, "decorator_list", [])))
    if any(word.startswith(_FIELDS) for word in decorators + bases):
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        return [_field(item) for item in fields]
    for owner in (node, *filter(None, (library.class_of(name.home, base) for base in bases))):
        for item in getattr(owner, "body", []):
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return parameters(item.args, skip=1)
    return []


def parameter_names(library: Library, name: Name) -> set[str]:
    """The words that a name's docstring may explain."""
    said = parameters(name.node.args) if name.kind == "function" else constructor(library, name)
    return {one.split(":")[0].split("=")[0].strip(" *") for one in said} - {"", "/"}


def bases(name: Name) -> list[str]:
    """What a class inherits from, as it is written, without what is private to the library."""
    written = map(ast.unparse, getattr(name.node, "bases", []))
    return [base for base in written if base == "_BatchNorm" or not base.startswith("_") and base != "OwnForward"]


def members(name: Name) -> list[tuple[str, str, str]]:
    """(name, how it is written, docstring) of a class's public methods and properties that say what they do."""
    found = []
    for item in getattr(name.node, "body", []):
        said = isinstance(item, ast.FunctionDef) and item.name[0] != "_" and ast.get_docstring(item)
        if not said:
            continue
        kinds = set(map(ast.unparse, item.decorator_list))
        if kinds & {"property", "cached_property"}:
            returns = f": {_annotation(item.returns)}" if item.returns else ""
            found.append((item.name, item.name + returns, said))
        else:
            given = parameters(item.args, skip=0 if "staticmethod" in kinds else 1)
            written = called(item.name, given, item.returns)
            found.append((item.name, f"{name.short}.{written}" if "classmethod" in kinds else written, said))
    return found


def _one(arg: ast.arg, default: ast.expr | None) -> str:
    said = arg.arg if arg.annotation is None else f"{arg.arg}: {_annotation(arg.annotation)}"
    if default is None:
        return said
    return f"{said} = {_value(default)}" if arg.annotation is not None else f"{said}={_value(default)}"


def _field(item: ast.AnnAssign) -> str:
    said = f"{item.target.id}: {_annotation(item.annotation)}"
    if item.value is None:
        return said
    made = isinstance(item.value, ast.Call) and ast.unparse(item.value.func) == "field"
    return f"{said} = ..." if made else f"{said} = {_value(item.value)}"


def _value(node: ast.expr) -> str:
    """A value as the library writes it: 1e-5 and "auto", where Python's own form is 1e-05 and 'auto'."""
    said = re.sub(r"(e-?)0+(?=\d)", r"\1", ast.unparse(node)) if isinstance(node, ast.Constant) else ast.unparse(node)
    return said if '"' in said else said.replace("'", '"')


def _annotation(node: ast.expr) -> str:
    """A type as it is meant: without the quotation marks of one that is named before it exists."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else _value(node)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
