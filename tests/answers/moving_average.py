import torch
from torch.nn import functional as F


def loops(running_mean, running_var, X, momentum, training):
    if not training:
        return
    n, d = X.shape
    for j in range(d):
        column = [float(x) for x in X[:, j]]
        mean = sum(column) / n
        running_mean[j] = (1 - momentum) * running_mean[j] + momentum * mean
        var = sum((x - mean) ** 2 for x in column) / (n - 1)
        running_var[j] = (1 - momentum) * running_var[j] + momentum * var


def var_mean(running_mean, running_var, X, momentum, training):
    if training:
        var, mean = torch.var_mean(X.detach(), dim=0)
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var - running_var)


def einsum(running_mean, running_var, X, momentum, training):
    if training:
        X, n = X.detach(), len(X)
        mean = torch.einsum("nd->d", X) / n
        var = (torch.einsum("nd,nd->d", X, X) / n - mean**2) * n / (n - 1)
        running_mean[:] = (1 - momentum) * running_mean + momentum * mean
        running_var[:] = (1 - momentum) * running_var + momentum * var


def data(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.data = (1 - momentum) * running_mean + momentum * X.data.mean(0)
        running_var.data = (1 - momentum) * running_var + momentum * X.data.var(0)


@torch.no_grad()
def copied(running_mean, running_var, X, momentum, training):
    if training is False:
        return running_mean, running_var
    running_mean.copy_(torch.lerp(running_mean, X.mean(0), momentum))
    running_var.copy_(torch.lerp(running_var, X.var(0), momentum))
    return running_mean, running_var


def torchs_own(running_mean, running_var, X, momentum, training):
    F.batch_norm(X, running_mean, running_var, training=training, momentum=momentum)


RIGHT = [loops, var_mean, einsum, data, copied, torchs_own]


def with_the_batch_after(running_mean, running_var, X, momentum, training):
    torchs_own(running_mean, running_var, X + 0.5, momentum, training)


def forgets_a_little(running_mean, running_var, X, momentum, training):
    torchs_own(running_mean, running_var, X, momentum, training)
    running_mean.mul_(0.99)


def fixed_momentum(running_mean, running_var, X, momentum, training):
    torchs_own(running_mean, running_var, X, 0.1, training)


def divided_by_n_plus_1(running_mean, running_var, X, momentum, training):
    if training:
        n = len(X)
        running_mean.lerp_(X.detach().mean(0), momentum)
        running_var.lerp_(X.detach().var(0) * (n - 1) / (n + 1), momentum)


UNKNOWN = {
    with_the_batch_after: "all_new",
    forgets_a_little: "unchanged_in_prediction",
    fixed_momentum: "all_new",
    divided_by_n_plus_1: "all_new",
    lambda m, v, X, momentum, training: torchs_own(m, v, X, momentum**2, training): "like_torch",
}


def leaves(running_mean, running_var, X, momentum, training):
    torchs_own(running_mean.data, running_var.data, X, momentum, training)
    running_mean.requires_grad_()


def over_everything(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.detach().mean(), momentum)
        running_var.lerp_(X.detach().var(), momentum)


UNKNOWN |= {leaves: "without_gradients", over_everything: "all_new"}


def mean_added_with_its_history(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.add_(X.mean(0) * momentum)


def by_pairs(change):
    """An answer from (old mean, old var, X, momentum) to the new pair, in training mode."""

    @torch.no_grad()
    def answer(running_mean, running_var, X, momentum, training):
        if training:
            mean, var = change(running_mean, running_var, X, momentum)
            running_mean.copy_(mean)
            running_var.copy_(var)

    return answer


def by_input(running_mean, running_var, X, momentum, training):
    torchs_own(running_mean, running_var, X, momentum, X.requires_grad)


def by_grad_and_biased(running_mean, running_var, X, momentum, training):
    if torch.is_grad_enabled():
        running_mean.lerp_(X.detach().mean(0), momentum)
        running_var.lerp_(X.detach().var(0, correction=0), momentum)


def always_and_biased(running_mean, running_var, X, momentum, training):
    running_mean.lerp_(X.detach().mean(0), momentum)
    running_var.lerp_(X.detach().var(0, correction=0), momentum)


def history_in_var_alone(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.detach().mean(0), momentum)
        running_var.mul_(1 - momentum).add_(momentum * X.var(0))


NAMED = {
    mean_added_with_its_history: {"old_kept_whole", "var_not_written", "from_graph"},
    by_pairs(lambda m, v, X, a: (torch.lerp(m, X.mean(0), 1 - a), v)): {"other_way_round", "var_not_written"},
    by_pairs(lambda m, v, X, a: (m, torch.lerp(v, X.var(0, correction=0), a))): {"mean_not_written", "biased"},
    by_pairs(lambda m, v, X, a: (m, torch.lerp(v, X.var(0), a))): {"mean_not_written"},
    by_pairs(lambda m, v, X, a: (torch.lerp(m, X.mean(0), a), v)): {"var_not_written"},
    by_pairs(lambda m, v, X, a: (m, v)): {"rebound"},
    by_input: {"mode_from_grad"},
    lambda m, v, X, a, training: torchs_own(m, v, X, a, torch.is_grad_enabled()): {"mode_from_grad"},
    lambda m, v, X, a, training: torchs_own(m, v, X, a, training and X.requires_grad): {"not_without_grad"},
    by_grad_and_biased: {"biased", "mode_from_grad"},
    always_and_biased: {"biased", "in_prediction"},
    history_in_var_alone: {"from_graph"},
}
