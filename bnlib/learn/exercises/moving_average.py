"""Exercise: update the moving averages of a layer (chapter 02, training against prediction)."""

import torch
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand
from bnlib.learn.show import unequal

WHEN = ("after X1", "after X2, no_grad", "after training=False", "after training=False, no_grad")
FIRST, SECOND, PREDICTED, PREDICTED_AGAIN = WHEN
MEANS, VARIANCES = ([f"{name} ({when})" for when in WHEN] for name in ("running_mean", "running_var"))
GRAPH = ("running statistics require grad", "running statistics have a grad_fn")


def ask(answer, inputs: Inputs):
    """Two batches in training mode, then one twice in prediction mode: in both modes with gradients, then without.

    The answer may write into copies of the buffers.
    """
    mean, var = inputs["running_mean"].clone(), inputs["running_var"].clone()
    X1, other = (X.detach().requires_grad_() for X in (inputs["X1"], inputs["X2"] + 1))
    answer(mean, var, X1, inputs["momentum"], True)
    seen = kept(mean, var, FIRST)
    seen |= dict(zip(GRAPH, (mean.requires_grad or var.requires_grad, bool(mean.grad_fn or var.grad_fn)), strict=True))
    with torch.no_grad():
        answer(mean, var, inputs["X2"], inputs["momentum"], True)
    seen |= kept(mean, var, SECOND)
    answer(mean, var, other, inputs["momentum"], False)
    seen |= kept(mean, var, PREDICTED)
    with torch.no_grad():
        answer(mean, var, other.detach(), inputs["momentum"], False)
    return seen | kept(mean, var, PREDICTED_AGAIN)


def kept(mean, var, when: str):
    return {f"running_mean ({when})": mean.detach().clone(), f"running_var ({when})": var.detach().clone()}


def drawn(n: int, d: int):
    def make(generator):
        X = batch(2 * n, d, generator=generator)
        mean, var = torch.randn(d, generator=generator), 1 + torch.rand(d, generator=generator)
        return {"running_mean": mean, "running_var": var, "X1": X[:n].clone(), "X2": X[n:].clone(), "momentum": 0.2}

    return make


@torch.no_grad()
def right(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.mul_(1 - momentum).add_(momentum * X.mean(dim=0))
        running_var.mul_(1 - momentum).add_(momentum * X.var(dim=0, correction=1))


@torch.no_grad()
def biased(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.mean(dim=0), momentum)
        running_var.lerp_(X.var(dim=0, correction=0), momentum)


@torch.no_grad()
def deviation(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.mean(dim=0), momentum)
        running_var.lerp_(X.std(dim=0), momentum)


def rebound(running_mean, running_var, X, momentum, training):
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * X.mean(dim=0)
        running_var = (1 - momentum) * running_var + momentum * X.var(dim=0)
    return running_mean, running_var


def mean_not_written(running_mean, running_var, X, momentum, training):
    right(running_mean.clone(), running_var, X, momentum, training)


def var_not_written(running_mean, running_var, X, momentum, training):
    right(running_mean, running_var.clone(), X, momentum, training)


def mode_from_grad(running_mean, running_var, X, momentum, training):
    right(running_mean, running_var, X, momentum, torch.is_grad_enabled())


def not_without_grad(running_mean, running_var, X, momentum, training):
    right(running_mean, running_var, X, momentum, training and torch.is_grad_enabled())


def from_graph(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.mul_(1 - momentum).add_(momentum * X.mean(dim=0))
        running_var.mul_(1 - momentum).add_(momentum * X.var(dim=0))


@torch.no_grad()
def starts_at_first_batch(running_mean, running_var, X, momentum, training):
    if training:
        first = bool((running_mean == 0).all() and (running_var == 1).all())
        right(running_mean, running_var, X, 1.0 if first else momentum, True)


@torch.no_grad()
def old_kept_whole(running_mean, running_var, X, momentum, training):
    if training:
        running_mean += momentum * X.mean(dim=0)
        running_var += momentum * X.var(dim=0)


MISTAKES = {
    "other_way_round": lambda m, v, X, momentum, training: right(m, v, X, 1 - momentum, training),
    "in_prediction": lambda m, v, X, momentum, training: right(m, v, X, momentum, True),
    "only_in_prediction": lambda m, v, X, momentum, training: right(m, v, X, momentum, not training),
    "mode_from_grad": mode_from_grad,
    "not_without_grad": not_without_grad,
    "biased": biased,
    "deviation": deviation,
    "rebound": rebound,
    "mean_not_written": mean_not_written,
    "var_not_written": var_not_written,
    "from_graph": from_graph,
    "starts_at_first_batch": starts_at_first_batch,
    "old_kept_whole": old_kept_whole,
    "last_batch_only": lambda m, v, X, momentum, training: right(m, v, X, 1.0, training),
}
TELLING = {
    "only_in_prediction": (*MEANS, *VARIANCES[:2]),
    "mode_from_grad": tuple(MEANS[1:]),
    "not_without_grad": tuple(MEANS[1:]),
    "rebound": (*MEANS, *VARIANCES),
    "mean_not_written": tuple(MEANS),
    "var_not_written": tuple(VARIANCES),
    "from_graph": GRAPH,
}


def both(seen, when: str, mean, var) -> str | None:
    """None if both running statistics are as given, else the first that is not."""
    pairs = ((f"running_mean ({when})", mean), (f"running_var ({when})", var))
    return next((broken for name, value in pairs if (broken := unequal(name, seen[name], value))), None)


def unchanged_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    return both(seen, PREDICTED, seen[MEANS[1]], seen[VARIANCES[1]])


def all_new(ask: Ask, inputs: Inputs) -> str | None:
    seen, X = ask({**inputs, "momentum": 1.0}), inputs["X1"]
    broken = both(seen, FIRST, X.mean(0), X.var(0))
    return broken and f"momentum = 1: {broken}"


def all_old(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask({**inputs, "momentum": 0.0})
    broken = both(seen, SECOND, inputs["running_mean"], inputs["running_var"])
    return broken and f"momentum = 0: {broken}"


def without_gradients(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(GRAPH[0], ask(inputs)[GRAPH[0]], False)


def like_torch(ask: Ask, inputs: Inputs) -> str | None:
    mean, var = inputs["running_mean"].clone(), inputs["running_var"].clone()
    F.batch_norm(inputs["X1"], mean, var, training=True, momentum=inputs["momentum"])
    return both(ask(inputs), FIRST, mean, var)


EXERCISE = CodeExercise(
    name="moving_average",
    chapter=2,
    call="update(running_mean, running_var, X, momentum, training)",
    ask=ask,
    inputs=(
        by_hand(running_mean=[0.0], running_var=[1.0], X1=[[1.0], [3.0]], X2=[[4.0], [10.0]], momentum=0.25),
        by_hand(running_mean=[5.0], running_var=[2.0], X1=[[1.0], [3.0]], X2=[[4.0], [10.0]], momentum=0.25),
        by_hand(
            running_mean=[5.0, -1.0],
            running_var=[2.0, 4.0],
            X1=[[1.0, 0.0], [3.0, 8.0]],
            X2=[[4.0, 2.0], [10.0, -2.0]],
            momentum=0.25,
        ),
        drawn(4, 3),
        drawn(8, 2),
    ),
    right=right,
    mistakes=MISTAKES,
    telling=TELLING,
    properties=(
        Property("unchanged_in_prediction", unchanged_in_prediction),
        Property("all_new", all_new),
        Property("all_old", all_old),
        Property("like_torch", like_torch),
        Property("without_gradients", without_gradients),
    ),
)
