"""Write the repository's address into the book's configuration and the notebooks' first cells.

python tools/configure.py owner/name         (make configure REPO=owner/name)
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/[A-Za-z0-9._-]{1,100}")


def main(words: list[str]) -> int:
    repo = words[0] if len(words) == 1 else ""
    if not NAME.fullmatch(repo):
        got = f"{repo!r}" if repo else "nothing"
        print(f"configure got {got}; expected owner/name as on GitHub: make configure REPO=owner/name", file=sys.stderr)
        return 2
    changed = [path for path in _files() if _rewrite(path, repo)]
    print(f"{repo}: {len(changed)} files changed" + "".join(f"\n  {path.relative_to(ROOT)}" for path in changed))
    return 0


def _files() -> list[Path]:
    return [ROOT / "_config.yml", *sorted((ROOT / "chapters").glob("*/*.ipynb"))]


def _rewrite(path: Path, repo: str) -> bool:
    """Replace the address in one file, byte for byte the same elsewhere; whether anything changed."""
    before = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        line = json.dumps(f'REPOSITORY = "{repo}"', ensure_ascii=False)[1:-1]
        after, count = re.subn(r'REPOSITORY = \\"[^"\\]*\\"', lambda _: line, before, count=1)
    else:
        address = f"https://github.com/{repo}"
        after, count = re.subn(r'(?m)^(repository:\n(?:  .*\n)*?  url: *)"[^"]*"', rf'\g<1>"{address}"', before)
    if count != 1:
        raise SystemExit(f"{path.relative_to(ROOT)} has no field for the repository's address; it was left as it is.")
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
