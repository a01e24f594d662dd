"""Run notebooks in place and store their outputs, so that a second run of the same code writes the same bytes.

    python tools/notebooks.py [NOTEBOOK ...]        all below chapters/ if none is named

No times, no widget state, no progress bars are stored, cell ids stay, executions count from 1. A cell that fails is
named with its error; its notebook is then left as it was.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parent.parent
LIVE = "nbval-ignore-output"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names] or sorted((ROOT / "chapters").glob("*/*.ipynb"))
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        print(
            f"no notebook {', '.join(missing)}; expected paths such as chapters/en/02_formulas.ipynb", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BNLIB_PROGRESS"] = str(Path(folder) / "progress.json")  # the answers in it are no learner's
        failed = [path for path in paths if not run(path)]
    return 1 if failed else 0


def run(path: Path) -> bool:
    """Execute one notebook from its own folder and replace the file; on an error print it and change nothing."""
    notebook = nbformat.read(path, as_version=4)
    reached = []
    client = NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: reached.append(cell.id),
    )
    print(f"running {path}", flush=True)
    try:
        client.execute()
    except CellExecutionError as error:
        print(f"{path}, cell {reached[-1]}: {error.ename}: {error.evalue}\n{error.traceback}", file=sys.stderr)
        return False
    except (CellTimeoutError, DeadKernelError) as error:
        print(f"{path}, cell {reached[-1]}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _kept(cell.outputs)
            cell.metadata.pop("execution", None)
    nbformat.validate(notebook)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    os.replace(draft, path)
    return True


def _kept(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The outputs a reader of the file sees: without live widgets, whose kernel is gone, and without stderr."""
    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            print(output.text, file=sys.stderr)  # shown to whoever runs it, not stored
            continue
        if "data" in output:
            if output.data.pop("application/vnd.jupyter.widget-view+json", None) and "text/html" not in output.data:
                continue  # a progress bar: nothing of it stays
        if output.output_type == "stream" and kept and kept[-1].output_type == "stream":
            kept[-1].text += output.text  # how a kernel cuts its stream into messages is chance
        else:
            kept.append(output)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
