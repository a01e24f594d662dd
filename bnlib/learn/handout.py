"""Two versions of a notebook for a class: the solutions of graded tasks stand in the teacher's alone."""

import re
from collections.abc import Iterator, Sequence

from bnlib.language import message, speaking
from bnlib.learn.card import Exercise
from bnlib.learn.card_data import called, source
from bnlib.learn.exercise import CodeExercise
from bnlib.learn.exercises import load
from bnlib.learn.notebook import code_cells, language_set, text
from bnlib.learn.question import Choice, Number, Question

Cell = dict[str, object]
Notebook = dict[str, object]  # of nbformat 4, as json reads it

_CARD = re.compile(r"""\s*(?:\w+\.)*Exercise\(\s*["'](\w+)["']\s*\)\s*""")
_CHECK = re.compile(r"""(?m)^(?:\w+\.)*check\(\s*["'](\w+)["']""")


def tasks(notebook: Notebook, graded: Sequence[str]) -> tuple[str, ...]:
    """The graded tasks that a notebook has cards of, in its order."""
    return tuple(name for name in map(_carded, notebook["cells"]) if name in graded)


def student(notebook: Notebook, graded: Sequence[str]) -> Notebook:
    """The students' version: cards of graded tasks without a solution, each with a cell for the answer.

    Args:
        notebook: with cards `Exercise("NAME")` and cells that end in `check("NAME", ...)`; it is left as it is.
        graded: names of exercises.
    """
    return _version(notebook, graded, "student", _asking)


def teacher(notebook: Notebook, graded: Sequence[str]) -> Notebook:
    """The teacher's version: all as in the source, and in the answers' cells of graded tasks the worked solutions.

    Args:
        notebook, graded: as for `student`.
    """
    return _version(notebook, graded, "teacher", _solving)


def _version(notebook: Notebook, graded: Sequence[str], kind: str, change) -> Notebook:
    found = tasks(notebook, graded)
    if not found:
        return notebook
    code = "\n".join(source for _, source in code_cells(notebook))
    answered = {check[1] for check in _CHECK.finditer(code)}
    with speaking(language_set(code) or "en"):
        told = message(f"handout.{kind}", titles="\n".join(f"- {message(f'exercise_{name}.title')}" for name in found))
        cells = [made for cell in notebook["cells"] for made in _made(cell, found, answered, change)]
    note = {"cell_type": "markdown", "id": "handout", "metadata": {}, "source": told}
    cells = [cells[0], note, *cells[1:]]
    if notebook["nbformat_minor"] < 5:  # as Colab saves: its cells have no ids
        cells = [{key: value for key, value in cell.items() if key != "id"} for cell in cells]
    return {**notebook, "cells": cells}


def _made(cell: Cell, graded: Sequence[str], answered: set[str], change) -> Iterator[Cell]:
    """A cell as a version has it; behind a card without a cell for its answer, such a cell."""
    if (name := _carded(cell)) in graded:
        yield change(cell, load(name), card=True)
        if name not in answered:
            blank = {"cell_type": "code", "id": f"answer-{name.replace('_', '-')}", "metadata": {}}
            asked = {**blank, "source": f'check("{name}", ...)', "outputs": [], "execution_count": None}
            yield change(asked, load(name), card=False)
    elif (name := _checked(cell)) in graded:
        yield change(cell, load(name), card=False)
    else:
        yield cell


def _asking(cell: Cell, exercise: CodeExercise | Question, card: bool) -> Cell:
    if not card:
        return cell
    html = Exercise(exercise.name, graded=True).stored_html()
    outputs = [_with_html(output, html) for output in cell["outputs"]]
    return {**cell, "source": text(cell).rstrip().removesuffix(")").rstrip() + ", graded=True)", "outputs": outputs}


def _with_html(output: dict, html: str) -> dict:
    """An output, in which the card is replaced; a question's figure stays."""
    shown = output.get("data", {}).get("text/html", "")
    if 'class="bnlib-widget"' not in "".join(shown):
        return output
    return {**output, "data": {**output["data"], "text/html": html}}


def _solving(cell: Cell, exercise: CodeExercise | Question, card: bool) -> Cell:
    if card:
        return cell
    if isinstance(exercise, Question):
        solved = f'check("{exercise.name}", {_answer(exercise)!r})'
    else:
        solved = f'{source(exercise, exercise.right)}\n\n\ncheck("{exercise.name}", {called(exercise)})'
    return {**cell, "source": solved, "outputs": [], "execution_count": None}


def _answer(question: Question) -> str | list[str] | float:
    """The right answer, a number rounded as far as it stays right."""
    if isinstance(question, Choice):
        right = [name for name in question.options if name in question.right]
        return right if len(right) > 1 else right[0]
    if isinstance(question, Number):
        rounded = (float(f"{question.value():.{digits}g}") for digits in range(1, 18))
        return next(value for value in rounded if question.judge(value).kind == "passed")
    return list(question.items)


def _carded(cell: Cell) -> str | None:
    found = _CARD.fullmatch(text(cell)) if cell["cell_type"] == "code" else None
    return found[1] if found else None


def _checked(cell: Cell) -> str | None:
    found = _CHECK.search(text(cell)) if cell["cell_type"] == "code" else None
    return found[1] if found else None
