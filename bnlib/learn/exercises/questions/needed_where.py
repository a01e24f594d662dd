"""Question: in which layers is the normalization needed? (the lecture's exercise; recorded in normalized_layers)"""

from bnlib.learn.exercises.questions._recorded import mean
from bnlib.learn.question import Choice

PLACES = ("first", "second", "third", "fourth")


def facts() -> dict[str, float]:
    found = {name: mean("normalized_layers", "train_accuracy", places=name) for name in (*PLACES, "none", "all")}
    upper = {
        f"upper_{column}": mean("normalized_layers", name, places="upper two")
        for column, name in (("train", "train_accuracy"), ("moving", "test_accuracy"), ("recalibrated", "recalibrated"))
    }
    return {**found, **upper}


EXERCISE = Choice(name="needed_where", chapter=4, options=PLACES, right=frozenset({"fourth"}), facts=facts)
