"""What an exercise in code is: a task, small inputs, the right answer, and the wrong ones that are known by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

import torch
from torch import Generator, Tensor

Inputs = dict[str, object]  # tensors and numbers, by the name that the learner reads
Seen = dict[str, object]  # what an answer did with inputs, by name: tensors, numbers, truth values, words
Ask = Callable[[Inputs], Seen]


@dataclass(frozen=True)
class Property:
    """A law that every right answer obeys.

    name: of its sentence, property_NAME. broken: (ask, inputs) -> None, or what contradicts it, as code to show:
    "normalized.mean(0) = [0.2, 0]". What ask returns has the names, types and shapes of the right answer.
    """

    name: str
    broken: Callable[[Ask, Inputs], str | None]


@dataclass(frozen=True)
class CodeExercise:
    """A function or a class to write, or to repair. Its words are those of the table [exercise_NAME].

    Args:
        name: of the exercise, of its file and of its words.
        call: what the answer is, for the reader: "normalize(X, eps)".
        ask: (answer, inputs) -> what it did, under the same names whatever the answer; the only place where an answer
            is called. It passes the inputs themselves, or copies of what an answer is meant to change, and checks by
            `need` what it works on further.
        inputs: each makes inputs anew from a random generator, or by hand; the smallest first, as they are printed.
        right: a right answer, in the style of the course: it is what the solution shows.
        mistakes: name -> a wrong answer that learners write, with the sentence mistake_NAME.
        properties: laws for what is wrong in a way nobody has named yet.
        start: of an exercise to repair, the broken program; the learner is shown its source. None where there is
            everything to write.
        telling: mistake -> what must be seen just as with it, all of that, before it is named beside others. For
            sentences that say more than one thing shows. Without an entry one thing is enough; in an exercise to repair
            it takes all that the mistake does, since answers have much of the broken program in common with it.
        sound: mistake -> what must be seen to be right before it is named beside others. For sentences that say so.
        fitted: mistake -> (what was seen, with its inputs, the smallest first) -> the same mistake with a number of the
            answer's own, such as its momentum, or None. It is named where that does the same on all inputs.
        chapter: of the course, that it belongs to.
    """

    name: str
    call: str
    ask: Callable[[Callable, Inputs], Seen]
    inputs: tuple[Callable[[Generator], Inputs], ...]
    right: Callable
    mistakes: Mapping[str, Callable]
    properties: tuple[Property, ...]
    start: Callable | None = None
    telling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sound: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fitted: Mapping[str, Callable[[list[tuple[Inputs, Seen]]], Callable | None]] = field(default_factory=dict)
    chapter: int = 0

    kind: ClassVar[str] = "code"


class Unfit(Exception):  # noqa: N818 - a finding about an answer, for the checker alone
    """Raised in `ask` where an answer gave something that can't be worked on.

    kind: the general sentence for it. values: the fields of the sentence.
    """

    def __init__(self, kind: str, **values: str) -> None:
        super().__init__(kind, values)
        self.kind, self.values = kind, values


def need(name: str, value: object, kind: type) -> object:
    """The value, if it is of that type.

    Raises:
        Unfit: if not.
    """
    if not isinstance(value, kind):
        raise Unfit("type", name=name, got=type(value).__name__, expected=kind.__name__)
    return value


def need_shape(name: str, value: object, shape: torch.Size) -> Tensor:
    """The value, if it is a tensor of that shape.

    Raises:
        Unfit: if not.
    """
    tensor = need(name, value, Tensor)
    if tensor.shape != shape:
        raise Unfit("shape", name=name, got=str(tuple(tensor.shape)), expected=str(tuple(shape)))
    return tensor


def need_attribute(name: str, owner: object, attribute: str) -> object:
    """The attribute of what the reader calls by that name.

    Raises:
        Unfit: if there is none.
    """
    if not hasattr(owner, attribute):
        raise Unfit("missing", name=f"{name}.{attribute}")
    return getattr(owner, attribute)


def need_items(name: str, value: object, most: int) -> list:
    """The first items of a list, a tuple or whatever else a loop can take; a generator without end is left alone.

    Raises:
        Unfit: if it can't be looped over.
    """
    if value is None:
        raise Unfit("nothing", name=name)
    return list(islice(need(name, value, Iterable), most))


def gradient(scalar: Tensor, X: Tensor) -> Tensor:
    """The gradient with respect to X; zeros where an answer has cut the graph between the two."""
    if not scalar.requires_grad:
        return torch.zeros_like(X)
    return torch.autograd.grad(scalar, X, allow_unused=True, materialize_grads=True)[0]


def by_hand(**values: object) -> Callable[[Generator], Inputs]:
    """A maker of the same inputs each time; nested lists become tensors of float32."""

    def make(generator: Generator) -> Inputs:
        return {name: torch.tensor(value) if isinstance(value, list) else value for name, value in values.items()}

    return make


def batch(*shape: int, generator: Generator, spread: float = 2.0) -> Tensor:
    """Random numbers whose channels (axis 1) have means and standard deviations of their own."""
    own = (1, shape[1], *(1 for _ in shape[2:]))
    mean = 3 * torch.randn(own, generator=generator)
    std = 0.5 + spread * torch.rand(own, generator=generator)
    return mean + std * torch.randn(shape, generator=generator)
