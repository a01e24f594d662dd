"""Build the book into _build/html from the stored outputs: `book.py [--strict]` (warnings are errors)."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(words: list[str]) -> int:
    strict = ["-W", "-n", "--keep-going"] if "--strict" in words else []
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "--quiet", *strict]
    built = subprocess.run(command, cwd=ROOT, check=False)
    if built.returncode != 0:
        shutil.rmtree(ROOT / "_build" / ".doctrees", ignore_errors=True)  # or the next build would not warn again
        print("The book was not built; the lines above say why.", file=sys.stderr)
        return 1
    page = ROOT / "_build" / "html" / "index.html"
    print(f"The book is built. Open {page.relative_to(ROOT)} in a browser, or serve it with: make serve")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
