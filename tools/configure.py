"""Write the repository's address everywhere it is needed, or take it away again.

python tools/configure.py owner/name         (make configure REPO=owner/name)
python tools/configure.py none               (make configure REPO=none)

A place is a field (`url:` in _config.yml, `REPOSITORY =` in the notebooks' first cells) or the lines between two
markers, "configure: begin" and "configure: end", which are empty while the address is unknown.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book"))

from bilingual.addresses import binder, colab, site  # noqa: E402

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
BLOCK = re.compile(r"(?ms)(^[^\n]*configure: begin[^\n]*\n)(.*?)(^[^\n]*configure: end)")
NOTEBOOK = "chapters/{}/02_formulas.ipynb"  # the one that a README opens


def main(words: list[str]) -> int:
    repo = words[0] if len(words) == 1 else ""
    if repo != "none" and not NAME.fullmatch(repo):
        got = f"{repo!r}" if repo else "nothing"
        print(
            f"configure got {got}; expected owner/name as on GitHub, or none to forget it: "
            "make configure REPO=owner/name",
            file=sys.stderr,
        )
        return 2
    repo = "" if repo == "none" else repo
    planned = {path: _rewritten(path, write(repo)) for path, write in _places().items()}
    changed = [path for path, text in planned.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:  # all or nothing: a place without its field has ended the run before
        path.write_text(planned[path], encoding="utf-8")
    what = repo or "no repository"
    print(f"{what}: {len(changed)} files changed" + "".join(f"\n  {path.relative_to(ROOT)}" for path in changed))
    return 0


def _places() -> dict[Path, Callable]:
    """Each file that holds the address, and what to write there: a substitution, or the lines of its block."""
    places = {ROOT / "_config.yml": _field_of_config}
    places |= dict.fromkeys(sorted((ROOT / "chapters").glob("*/*.ipynb")), _field_of_notebook)
    places |= {ROOT / "CITATION.cff": _citation, ROOT / "pyproject.toml": _project}
    places |= {ROOT / "README.md": _readme("en"), ROOT / "README.zh.md": _readme("zh")}
    return places | {ROOT / "chapters" / code / "local.md": _clone(code) for code in ("en", "zh")}


def _rewritten(path: Path, written) -> str:
    """The text of a file with the address in its one place, the same elsewhere."""
    before = path.read_text(encoding="utf-8")
    if isinstance(written, str):
        after, count = BLOCK.subn(lambda block: block[1] + written + block[3], before)
    else:
        pattern, replacement = written
        after, count = re.subn(pattern, lambda found: found[1] + replacement, before)
    if count != 1:
        raise SystemExit(
            f"{path.relative_to(ROOT)} has {count} places for the repository's address, expected one; nothing was "
            "written. Restore its field or its markers (configure: begin, configure: end)."
        )
    return after


def _field_of_config(repo: str):
    address = f"https://github.com/{repo}" if repo else ""
    return r'(?m)^(repository:\n(?:  .*\n)*?  url: *)"[^"]*"', f'"{address}"'


def _field_of_notebook(repo: str):
    return r'("REPOSITORY = )\\"[^"\\]*\\"', json.dumps(f'"{repo}"')[1:-1]


def _citation(repo: str) -> str:
    return f'repository-code: "https://github.com/{repo}"\nurl: "{site(repo)}"\n' if repo else ""


def _project(repo: str) -> str:
    addresses = f'Homepage = "{site(repo)}"\nRepository = "https://github.com/{repo}"\n'
    return f"[project.urls]\n{addresses}" if repo else ""


def _readme(language: str):
    said = {
        "en": ("Read online", "Open a chapter in Colab", "or on Binder", ", ", "."),
        "zh": ("在线阅读", "在Colab中打开一章", "或在Binder中打开", "，", "。"),
    }[language]

    def lines(repo: str) -> str:
        if not repo:
            return ""
        notebook = NOTEBOOK.format(language)
        online = f"[{said[0]}]({site(repo)}chapters/{language}/index.html)"
        live = [f"[{said[1]}]({colab(repo, 'main', notebook)})", f"[{said[2]}]({binder(repo, 'main', notebook)})"]
        return f"\n{said[3].join([online, *live])}{said[4]}\n\n"

    return lines


def _clone(language: str):
    said = {
        "en": "On Linux and macOS with `git` and `make`, this fetches all chapters and opens them:",
        "zh": "在Linux和macOS上，有`git`和`make`的话，下面几行命令会取来所有章节并打开：",
    }[language]

    def lines(repo: str) -> str:
        if not repo:
            return ""
        commands = [f"git clone https://github.com/{repo} course", "cd course", "make lab"]
        return "\n".join(["", said, "", "```bash", *commands, "```", "", ""])

    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
