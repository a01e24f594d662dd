"""Question: which numbers share their statistics in group normalization? (the lecture's other normalizations)"""

from bnlib.learn.question import Choice

EXERCISE = Choice(
    name="group_members",
    chapter=2,
    options=("other_image", "other_position", "same_group", "next_group"),
    right=frozenset({"other_position", "same_group"}),
)
