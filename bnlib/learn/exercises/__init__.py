"""The exercises, one file each: the file is the registry. Those in code stand here, the others in questions/.

A new exercise NAME in code takes two steps.

1. bnlib/learn/exercises/NAME.py with one `EXERCISE = CodeExercise(name="NAME", ...)`: see `bnlib.learn.exercise`, and
   normalize.py beside this file as the model. `ask` returns all that tells answers apart, under names that a learner
   reads as code, in the order in which they should be shown; the first inputs are by hand and fit in a printed line,
   with an eps and a momentum so large that each mistake shows; at least five mistakes. A file whose name begins with
   an underscore is no exercise: it holds what does not fit into one.
2. A table [exercise_NAME] in bnlib/language/en.toml and zh.toml: title, task, hint_1, hint_2, hint_3, solution_text, a
   sentence mistake_X for each mistake and a sentence property_X for each property. Backticks mark code.

An exercise to repair has a name that begins with repair_, and a broken program of at most 12 lines as its `start`: a
function or a class that needs nothing but torch and nn, under the name by which `call` calls it. Its source is what
the learner starts from, so it carries no comments, which have a language. It is the first of the mistakes, under the
name "unchanged", whose sentence tells the symptom on the smallest input and leaves the repair to the hints.

The right answer is the solution that is shown: it, too, needs nothing but torch and nn, which the chapter imports.

tests/test_exercises.py then checks it: each mistake is diagnosed as itself and no two look alike, the right answer
passes, and each word exists. Add to the table RIGHT of tests/answers/NAME.py other styles of right answers, and to
UNKNOWN a wrong answer that is not among the mistakes. NAMED holds mistakes in other styles, several at once, or half of
one. A sentence says what was seen, which is true of all answers that get it, and gives a cause in the code as an
example only; where it says more than one thing seen, `telling` says what it needs, and where it says that something is
right, `sound` does.

A new question takes the same two, with an EXERCISE = Choice(...), Number(...) or Order(...) in questions/NAME.py: see
`bnlib.learn.question`, which says what words it needs. tests/test_question.py then checks it.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

from bnlib.learn.exercise import CodeExercise
from bnlib.learn.question import Question

KINDS = ("code", "choice", "number", "order")


@cache
def names(*kinds: str) -> tuple[str, ...]:
    """The exercises there are, by name.

    Args:
        kinds: of KINDS, those that are wanted; all without any.

    Raises:
        ValueError: for another kind.
    """
    if set(kinds) - set(KINDS):
        raise ValueError(f"names got {', '.join(map(repr, kinds))}; expected kinds of {', '.join(map(repr, KINDS))}.")
    found = sorted(_places())
    return tuple(name for name in found if not kinds or load(name).kind in kinds)


def load(name: str) -> CodeExercise | Question:
    """The exercise of that name.

    Raises:
        KeyError: if there is none.
    """
    return import_module(_places()[name]).EXERCISE


@cache
def _places() -> dict[str, str]:
    """The module of each exercise: here those in code, in the folder questions the others."""
    here = Path(__file__).parent
    files = [file for folder in (here, here / "questions") for file in folder.glob("*.py")]
    inside = {file: file.relative_to(here).with_suffix("").parts for file in files if not file.stem.startswith("_")}
    return {file.stem: ".".join((__name__, *parts)) for file, parts in inside.items()}
