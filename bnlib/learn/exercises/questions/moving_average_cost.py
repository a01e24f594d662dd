"""Question: what do the moving averages cost at learning rate 1.0? (chapter 04; recorded in moving_statistics)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure
from bnlib.learn.question import Number

EPOCH = 6


def points(moving: int, recalibrated: int) -> float:
    """From the median accuracy by moving averages in one epoch to the recalibrated one in another."""
    medians = lab.load("moving_statistics").groupby("epoch")[["moving", "recalibrated"]].median()
    return 100 * float(medians["recalibrated"][recalibrated] - medians["moving"][moving])


LAST = lab.provenance("moving_statistics")["config"]["epochs"]

EXERCISE = Number(
    name="moving_average_cost",
    chapter=4,
    value=lambda: points(EPOCH, EPOCH),
    tolerance=0.8,
    low=0.0,
    high=30.0,
    step=0.1,
    mistakes={
        "same_weights": lambda: 0.0,
        "last_epoch": lambda: points(LAST, LAST),
        "against_the_end": lambda: points(EPOCH, LAST),
    },
    figure=figure("moving_statistics", "moving_against_recalibrated"),
    facts=lambda: {"last": points(LAST, LAST)},
)
