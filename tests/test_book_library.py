"""The pages of the library: every public name in both languages, read from the source as it is when it runs."""

import csv
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module

import pytest
from browser_fixtures import LANGUAGES, ROOT

sys.path.insert(0, str(ROOT / "book"))
from bilingual.reference import docstrings, signatures  # noqa: E402
from bilingual.reference.index import Index  # noqa: E402
from bilingual.reference.pages import check_arguments  # noqa: E402
from bilingual.reference.source import Library  # noqa: E402
from bilingual.settings import settings  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402

HAN = re.compile(r"[\u4e00-\u9fff]")
PAGES = settings(ROOT).library.pages
MODULES = [module for modules in PAGES.values() for module in modules]
INDEX = Index(Library(ROOT, "bnlib"), PAGES)
NAMES = sorted(INDEX.said)


def said(tag) -> str:
    return " ".join(tag.get_text().split())


def test_the_source_and_the_imported_library_offer_the_same_names():
    for module in MODULES:
        if module == "bnlib.d2l":  # importing it asks for d2l
            continue
        loaded, read = import_module(module), INDEX.library.module(module).public
        assert sorted(getattr(loaded, "__all__", read)) == sorted(read) != []
        for short in read:
            assert hasattr(loaded, short)
    assert "bnlib.norm.batch_norm" in NAMES and "bnlib.training.train" in NAMES


@pytest.mark.parametrize("full", [full for full in NAMES if not full.startswith(("bnlib.d2l", "bnlib.learn"))])
def test_the_signature_read_is_the_one_that_runs(full):
    module, _, short = full.rpartition(".")
    loaded = getattr(import_module(module), short)
    name = INDEX.library.find(module, short)
    if name.kind == "constant":
        return
    given = signatures.parameter_names(INDEX.library, name)
    if inspect.isclass(loaded) and not given:  # torch's or Exception's constructor, which is not ours to explain
        own = inspect.signature(loaded.__init__) if "__init__" in vars(loaded) else None
        assert (own is None or list(own.parameters) == ["self"]) and not hasattr(loaded, "__dataclass_fields__")
        return
    assert given == set(inspect.signature(loaded).parameters)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_public_name_is_explained(read, language):
    for full in NAMES:
        page, anchor = INDEX.places[full]
        section = read(f"api/{language}/{page}").find("section", id=anchor)
        assert section, full
        assert said(section.find(re.compile("h[23]"))).rstrip("# ") == full.rsplit(".", 1)[1]
        assert full.rsplit(".", 1)[1] in said(section.select_one("div.highlight-python"))
        text = section.select_one("div.api-text")
        assert text["lang"] == "en" and said(text).startswith(INDEX.said[full].split("\n")[0].replace("`", "")[:40])
        if language == "zh":
            assert HAN.search(said(section.select_one("p.api-sentence")))
    overview = {link["href"].split("#")[1] for link in read(f"api/{language}/index").select("dl.api-contents a")}
    public = {INDEX.places[f"bnlib.{short}"][1] for short in INDEX.library.module("bnlib").public}
    assert public <= overview


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_place_named_is_where_the_name_is_defined(read, language):
    for full in NAMES:
        page, anchor = INDEX.places[full]
        link = read(f"api/{language}/{page}").find("section", id=anchor).select(".api-place a")[-1]
        path, line = re.search(r"(bnlib/\S+\.py)\D+(\d+)", said(link)).groups()
        text = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert re.search(rf"\b{full.rsplit('.', 1)[1]}\b", text), full
        assert link["href"].endswith(("bn-course.zip", f"{path}#L{line}"))


def test_the_chinese_sentences_belong_to_names_that_exist():
    with (ROOT / "book" / "reference_zh.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names) and set(names) <= {*NAMES, *MODULES}
    assert all(row["summary"].endswith("。") and HAN.search(row["summary"]) for row in rows)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["train", "sweep", "evaluate", "predict", "export", "data", "lab"])
def test_every_option_of_a_command_is_listed(read, language, command):
    asked = [sys.executable, "-m", "bnlib", "--lang", language, command, "--help"]
    shown = subprocess.run(asked, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    section = read(f"api/{language}/command").find(id=f"command-{command}")
    listed = {said(code).split()[0] for code in section.select("dl.api-entries > dt code")}
    assert {word for word in re.findall(r"--[a-z-]+", shown) if word not in ("--lang", "--help")} - {
        "--nproc-per-node"  # torchrun's, in a sentence
    } == {word for word in listed if word.startswith("--")}


def test_the_pages_need_no_torch(tmp_path):
    """Everything that the pages read, in a Python in which importing torch or numpy fails, its child processes too."""
    refuse = (
        "import sys\nfor name in ('torch', 'numpy', 'pandas', 'matplotlib', 'anywidget'): sys.modules[name] = None\n"
    )
    (tmp_path / "sitecustomize.py").write_text(refuse, encoding="utf-8")
    code = (
        "from pathlib import Path\n"
        "from bilingual.reference import docstrings, signatures, command_line, pages\n"
        "from bilingual.reference.index import Index\nfrom bilingual.reference.source import Library\n"
        "from bilingual.settings import settings\n"
        "root = Path('.').resolve(); named = settings(root).library\n"
        "library = Library(root, named.package); index = Index(library, named.pages)\n"
        "for full in index.said:\n"
        "    name = library.find(*full.rsplit('.', 1))\n"
        "    signatures.signature(library, name); docstrings.read(name.docstring, name.place)\n"
        "print(len(index.said), *(len(command_line.commands(root, named, code)[2]) for code in ('en', 'zh')))\n"
        "try:\n    import torch\nexcept ImportError: print('no torch')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "book")])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout.split("\n")[:2] == [f"{len(NAMES)} 9 9", "no torch"], done.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def f(x):\n    return x\n", r"bnlib\.f \(bnlib/__init__\.py, line 1\) says nothing about itself"),
        ('def f(x):\n    """No full stop"""\n', r"bnlib\.f .* begins with 'No full stop'; expected one sentence"),
        ('def f(x):\n    """One.\n    Two.\n    """\n', r"bnlib\.f .* an empty line after it"),
        ('def f(x):\n    """One.\n\n    Arguments:\n        x: it.\n    """\n', r"bnlib\.f .* section 'Arguments:'"),
        ('def f(x):\n    """One.\n\n    Args:\n        y: it.\n    """\n', r"bnlib\.f .* explains y under Args:"),
        ('def f(x):\n    """One `x.\n    """\n', r"bnlib\.f .* backtick without its partner"),
        ('def f(x):\n    """One.\n\n    Args:\n    """\n', r"bnlib\.f .* nothing under 'Args:'"),
        ('__all__ = ["g"]\ndef f(x):\n    """One."""\n', r"bnlib\.g is in bnlib\.__all__"),
    ],
)
def test_a_docstring_that_is_missing_or_breaks_the_style_is_named(tmp_path, text, complaint):
    (tmp_path / "bnlib").mkdir()
    (tmp_path / "bnlib" / "__init__.py").write_text(text, encoding="utf-8")
    library = Library(tmp_path, "bnlib")
    with pytest.raises(ExtensionError, match=complaint):
        for name in library.names("bnlib"):
            parts = docstrings.read(name.docstring, name.place)
            check_arguments(library, name, parts)
