"""Everything that can go wrong, tried: `check.py` runs all steps, `check.py lint ...` only those named.

A step that fails doesn't stop the later ones; the last lines say how each ended, what was skipped and why, and the
exit status is 1 if one failed.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PY = sys.executable
BROWSER = [
    "tests/test_browser.py",
    "tests/test_book_figures.py",
    "tests/test_book_mathematics.py",
    "tests/test_book_formulas.py",
    "tests/test_book_lean.py",
    "tests/test_screenshots.py",
    "tests/test_book_search.py",
    "tests/test_book_languages.py",
    "tests/test_book_questions.py",
    "tests/test_book_print.py",
    "tests/test_page_print.py",
    "tests/test_publishing.py",
    "tests/test_configure.py",
    "tests/test_another_book.py",
    *sorted(f"tests/{path.name}" for path in (ROOT / "tests").glob("test_*_browser.py")),
]
STEPS: dict[str, list[list[str]]] = {
    "data": [[PY, "-m", "bnlib", "--lang", "en", "data"]],
    "lint": [
        [PY, "-m", "ruff", "check", "."],
        [PY, "-m", "ruff", "format", "--check", "."],
        [PY, "tools/chinese.py"],
    ],
    "unit": [[PY, "-m", "pytest", "-q", *[f"--ignore={path}" for path in BROWSER]]],
    # a notebook per core, one thread each: both languages train side by side
    "notebooks": [
        [PY, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--nbval", "--nbval-cell-timeout=900", "chapters"]
    ],
    "book": [[PY, "tools/book.py", "--strict"]],
    "browser": [[PY, "-m", "pytest", "-q", *BROWSER]],
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"no step {', '.join(unknown)}; expected some of: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    results = []
    with tempfile.TemporaryDirectory() as folder:
        skips = Path(folder) / "skipped"
        environment = {**os.environ, "BNLIB_SKIPPED": str(skips), "OMP_NUM_THREADS": "1"}
        environment["BNLIB_PROGRESS"] = str(Path(folder) / "progress.json")  # the answers in notebooks are no learner's
        for name in names or STEPS:
            print(f"\n== {name}", flush=True)
            start = time.perf_counter()
            runs = [subprocess.run(command, cwd=ROOT, env=environment, check=False) for command in STEPS[name]]
            results.append((name, not any(r.returncode for r in runs), time.perf_counter() - start))
        skipped = skips.read_text(encoding="utf-8").splitlines() if skips.exists() else []
    print()
    for name, passed, seconds in results:
        print(f"{name:10} {'passed' if passed else 'FAILED'} {seconds:6.0f} s")
    for line in skipped:
        print(f"NOT TESTED: {line}")
    print(f"{sum(r[1] for r in results)} passed, {sum(not r[1] for r in results)} failed, {len(skipped)} skipped")
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
