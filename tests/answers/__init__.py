"""Answers to the exercises that are not in the library: for each exercise a file of its name.

RIGHT: right answers in other styles, at least three. UNKNOWN: a wrong answer that is none of the exercise's mistakes ->
the property it breaks, or another kind of finding. NAMED, where there is one: an answer -> the mistakes to name.
"""
