"""The commands behind the make targets, run as commands, on copies of the tree where they write."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"


def run(*words, cwd=ROOT, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(w) for w in words], cwd=cwd, capture_output=True, text=True, check=False, **options)


def one_sentence(text: str) -> str:
    assert "Traceback" not in text and len(text.strip().splitlines()) == 1, text
    return text


class TestServe:
    def serve(self, *words):
        return run(sys.executable, TOOLS / "serve.py", *words, timeout=30)

    @pytest.mark.parametrize("port", ["nine", "0", "70000", "-1"])
    def test_no_port(self, port):
        done = self.serve(port)
        assert done.returncode == 1 and "expected a number from 1 to 65535" in one_sentence(done.stderr)

    def test_busy_port(self, tmp_path):
        copy = tmp_path / "tools" / "serve.py"
        copy.parent.mkdir()
        shutil.copy(TOOLS / "serve.py", copy)
        (tmp_path / "_build" / "html").mkdir(parents=True)
        (tmp_path / "_build" / "html" / "index.html").write_text("a page")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run(sys.executable, copy, port, timeout=30)
        assert done.returncode == 1
        assert f"Port {port} can't be used" in one_sentence(done.stderr) and "make serve PORT=" in done.stderr

    def test_no_book_yet(self, tmp_path):
        copy = tmp_path / "tools" / "serve.py"
        copy.parent.mkdir()
        shutil.copy(TOOLS / "serve.py", copy)
        done = run(sys.executable, copy, 8000, timeout=30)
        assert done.returncode == 1 and "build it first with: make book" in one_sentence(done.stderr)


class TestNotebooks:
    def write(self, folder: Path, *sources: str) -> Path:
        cells = [nbformat.v4.new_code_cell(text) for text in sources]
        for i, cell in enumerate(cells):
            cell.id = f"cell-{i}"
        path = folder / "small.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    def execute(self, path):
        return run(sys.executable, TOOLS / "notebooks.py", path, timeout=120)

    def test_second_run_writes_the_same_bytes_without_widgets_and_stderr(self, tmp_path):
        path = self.write(
            tmp_path,
            "import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)",
            "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
            "import bnlib.learn\nbnlib.learn.NormalizeBatch()",
        )
        assert self.execute(path).returncode == 0
        first = path.read_bytes()
        assert self.execute(path).returncode == 0 and path.read_bytes() == first
        cells = json.loads(first)["cells"]
        assert [cell["id"] for cell in cells] == ["cell-0", "cell-1", "cell-2"]
        assert "".join(cells[0]["outputs"][0]["text"]) == "1\n3\n" and len(cells[0]["outputs"]) == 1
        assert cells[1]["outputs"] == []
        assert set(cells[2]["outputs"][0]["data"]) == {"text/html", "text/plain"}

    def test_a_failing_cell_is_named_and_the_file_left_alone(self, tmp_path):
        path = self.write(tmp_path, "print(1)", "1 / 0")
        before = path.read_bytes()
        done = self.execute(path)
        assert done.returncode == 1 and "cell cell-1: ZeroDivisionError" in done.stderr
        assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["small.ipynb"]

    def test_a_kernel_that_dies_is_named_too(self, tmp_path):
        path = self.write(tmp_path, "print(1)", "import os\nos._exit(3)")
        before = path.read_bytes()
        done = self.execute(path)
        assert done.returncode == 1 and "cell cell-1: DeadKernelError" in done.stderr
        assert "Traceback" not in done.stderr and path.read_bytes() == before

    def test_no_such_notebook(self, tmp_path):
        done = self.execute(tmp_path / "none.ipynb")
        assert done.returncode == 2 and "no notebook" in one_sentence(done.stderr)


class TestEnvironment:
    def test_wrong_word(self):
        done = run(sys.executable, TOOLS / "environment.py", "everything")
        assert done.returncode == 1 and "usage:" in one_sentence(done.stderr)

    def test_no_fitting_python_is_said_in_one_sentence(self, tmp_path):
        """A real command that answers with an old version, in a tree that has no .venv."""
        for name in ("tools", "book"):
            shutil.copytree(ROOT / name, tmp_path / name)
        old = tmp_path / "old-python"
        old.write_text("#!/bin/sh\necho 3.8.18\n")
        old.chmod(0o755)
        environment = {**os.environ, "PYTHON": str(old)}
        done = run(sys.executable, tmp_path / "tools" / "environment.py", "book", env=environment)
        assert done.returncode == 1
        assert "needs Python 3.11, 3.12 or 3.13" in one_sentence(done.stderr) and "3.8.18" in done.stderr
        assert not (tmp_path / ".venv").exists()


def test_chinese_check_finds_what_it_should(tmp_path):
    for name in ("tools", "book", "bnlib/language", "chapters/zh"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "README.zh.md", tmp_path / "README.zh.md")
    check = tmp_path / "tools" / "chinese.py"
    clean = run(sys.executable, check)
    assert clean.returncode == 0, clean.stdout
    with (tmp_path / "README.zh.md").open("a", encoding="utf-8") as file:
        file.write("\n您好,这是 BN层的平均值。\n")
    found = run(sys.executable, check)
    assert found.returncode == 1
    for finding in ("您 should be 你", "a space between Chinese and Latin", "平均值 should be 均值", "should read"):
        assert finding in found.stdout
