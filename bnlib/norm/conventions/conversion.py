"""From one framework to another: its momentum, its running variance, a layer's tensors."""

from torch import Tensor

from bnlib.norm.conventions.rows import Convention, State, row_of, vectors_of


def convert_momentum(momentum: float, source: Convention | str, target: Convention | str) -> float:
    """The same moving average in another framework's meaning: 1 - momentum where they weigh different values."""
    same = row_of(source).momentum_weighs == row_of(target).momentum_weighs
    return momentum if same else 1 - momentum


def variance_factor(source: Convention | str, target: Convention | str, values: int) -> float:
    """What the target keeps of a batch's variance, over what the source keeps: m / (m - 1), (m - 1) / m, or 1.

    Exact for one step of m = `values` values per channel. So where every step is seen, the target's running variance
    U follows from the source's B exactly, with a the weight of the old value:

        U_t = a U_(t-1) + factor_t (B_t - a B_(t-1))

    Raises:
        ValueError: fewer than 2 values, where one of them is unbiased.
    """
    kept = row_of(source).running_var, row_of(target).running_var
    if kept[0] == kept[1]:
        return 1.0
    if values < 2:
        raise ValueError(f"An unbiased variance needs at least 2 values per channel; got values={values}.")
    return values / (values - 1) if kept[1] == "unbiased" else (values - 1) / values


def convert(
    state: State,
    source: Convention | str,
    target: Convention | str,
    values: int | None = None,
    initial_share: float = 0.0,
) -> dict[str, Tensor]:
    """A layer's tensors under another framework's names.

    Scale, shift and running mean mean the same everywhere. The running variance doesn't: it is an average of terms
    that each carry a factor m / (m - 1) for PyTorch and none for the others, and the terms and their m are not stored.
    - values=None leaves it as it is. Then the target predicts what the source predicts, exactly, if it is given the
      source's eps (Keras' is 100 times the others'). That is what one wants of finished weights.
    - values=m gives what the target would have kept on the same data. This is exact if all steps had m values per
      channel, and a share s of the initial variance v is still in the average: var <- s v + factor (var - s v).
    - Steps of unequal m can't be converted afterwards; `variance_factor` has the formula for each step.

    Args:
        state: the source's names, as in `train_step`; a counter of steps may be there, and is left behind.
        values: m, the values per channel of each training step.
        initial_share: s = a**steps, with a the weight of the old value; (1 - momentum) ** num_batches_tracked in
            PyTorch.

    Returns:
        New tensors (C,), without history, under the target's names. For the lecture's and d2l's layers view them as
        (1, C) or (1, C, 1, 1); a torch layer loads them and keeps its own counter.

    Raises:
        ValueError: an unknown framework, names that are not the source's, or fewer than 2 values.
    """
    given, wanted = row_of(source), row_of(target)
    scale, shift, mean, var = (v.detach().flatten().clone() for v in vectors_of(given, state))
    if values is not None:
        rest = initial_share * given.initial[3]
        var = rest + variance_factor(given, wanted, values) * (var - rest)
    return dict(zip(wanted.names, (scale, shift, mean, var), strict=True))
