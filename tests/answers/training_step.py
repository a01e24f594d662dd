import numpy as np
import torch
from torch.nn import functional as F


def clears_afterwards(net, optimizer, X, y, parts):
    net.train()
    total = 0.0
    for x, t in zip(torch.chunk(X, parts), torch.chunk(y, parts), strict=True):
        loss = F.mse_loss(net(x), t, reduction="sum") / y.numel()
        loss.backward()
        total += loss.item()
    optimizer.step()
    optimizer.zero_grad()
    return total


def one_graph(net, optimizer, X, y, parts):
    """All outputs kept until one backward pass: no memory is saved, but the gradient is the same."""
    net.train()
    loss = F.mse_loss(torch.cat([net(x) for x in X.chunk(parts)]), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.detach()


def by_indices(net, optimizer, X, y, parts):
    net.train(True)
    net.zero_grad()
    losses = torch.zeros(())
    for rows in torch.arange(len(X)).chunk(parts):
        loss = ((net(X[rows]) - y[rows]) ** 2).sum() / len(X)
        loss.backward()
        losses += loss.detach()
    optimizer.step()
    return losses


def scales_gradients(net, optimizer, X, y, parts):
    """Sums first, and the gradients divided once at the end."""
    net.train()
    optimizer.zero_grad()
    squares, size = 0.0, -(-len(X) // parts)
    for start in range(0, len(X), size):
        loss = F.mse_loss(net(X[start : start + size]), y[start : start + size], reduction="sum")
        loss.backward()
        squares += loss.item()
    for parameter in net.parameters():
        parameter.grad /= len(X)
    optimizer.step()
    return squares / len(X)


def by_hand(net, optimizer, X, y, parts):
    """torch.autograd.grad, added up in a list."""
    net.train()
    parameters, loss_sum = list(net.parameters()), 0.0
    added = [torch.zeros_like(p) for p in parameters]
    for x, t in zip(X.split(-(-len(X) // parts)), y.split(-(-len(X) // parts)), strict=True):
        loss = (net(x) - t).square().mean() * (len(x) / len(X))
        added = [a + g for a, g in zip(added, torch.autograd.grad(loss, parameters), strict=True)]
        loss_sum += float(loss)
    for parameter, gradient in zip(parameters, added, strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss_sum


def numpys_number(net, optimizer, X, y, parts):
    return np.float32(clears_afterwards(net, optimizer, X, y, parts))


def one_element(net, optimizer, X, y, parts):
    return torch.tensor([[clears_afterwards(net, optimizer, X, y, parts)]])


def with_closure(net, optimizer, X, y, parts):
    """The optimizer itself calls what computes the gradients."""

    def closure():
        optimizer.zero_grad()
        total = 0.0
        for x, t in zip(X.chunk(parts), y.chunk(parts), strict=True):
            loss = F.mse_loss(net(x), t) * len(x) / len(X)
            loss.backward()
            total += loss.item()
        return total

    net.train()
    return optimizer.step(closure)


RIGHT = [with_closure, clears_afterwards, one_graph, by_indices, scales_gradients, by_hand, numpys_number, one_element]


def also(before=lambda net: None, after=lambda net: None, loss=lambda value: value):
    def answer(net, optimizer, *others):
        before(net)
        found = clears_afterwards(net, optimizer, *others)
        after(net)
        return loss(found)

    return answer


def decays(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.9)


def statistics_halved(net):
    net.norm.running_mean.mul_(0.5)


def plain_training(net, optimizer, X, y, parts):
    """By shuffled samples, as a data loader gives them."""
    order = torch.arange(len(X)).flip(0)
    return clears_afterwards(net, optimizer, X[order], y[order], parts)


def only_the_first_time(net, optimizer, X, y, parts):
    loss = clears_afterwards(net, optimizer, X, y, parts)
    return loss if net.norm.num_batches_tracked == len(X.chunk(parts)) else 2 * loss


def divided_with_the_right_loss(net, optimizer, X, y, parts):
    """The mistake `divided_by_parts` in the gradients alone."""
    net.train()
    optimizer.zero_grad()
    total = 0.0
    for x, t in zip(X.chunk(parts), y.chunk(parts), strict=True):
        loss = F.mse_loss(net(x), t)
        (loss / parts).backward()
        total += loss.item() * len(x) / len(X)
    optimizer.step()
    return total


def evenly(net, optimizer, X, y, parts):
    net.train()
    optimizer.zero_grad()
    squares = 0.0
    for x, t in zip(X.tensor_split(parts), y.tensor_split(parts), strict=True):
        loss = F.mse_loss(net(x), t, reduction="sum") / len(X)
        loss.backward()
        squares += loss.item()
    optimizer.step()
    return squares


def in_steps(loss=lambda losses, shares: (losses * shares).sum(), backward=True, step=True, clear=False):
    """One answer, wrong in one or several places."""

    def answer(net, optimizer, X, y, parts):
        net.train()
        optimizer.zero_grad()
        losses, shares = [], []
        for x, t in zip(X.chunk(parts), y.chunk(parts), strict=True):
            losses.append(F.mse_loss(net(x), t))
            shares.append(len(x) / len(X))
            if backward:
                (losses[-1] * shares[-1]).backward()
        if step:
            optimizer.step()
        if clear:
            optimizer.zero_grad()
        return loss(torch.stack(losses).detach(), torch.tensor(shares))

    return answer


def parts_mean(losses, shares):
    return losses.mean()


def backward_after_loop(weighted=True):
    """Only the loss that the loop has left behind goes back."""

    def answer(net, optimizer, X, y, parts):
        net.train()
        optimizer.zero_grad()
        total = 0.0
        for x, t in zip(X.chunk(parts), y.chunk(parts), strict=True):
            share = len(x) / len(X)
            loss = F.mse_loss(net(x), t) * (share if weighted else 1)
            total += loss.item() * (1 if weighted else share)
        loss.backward()
        optimizer.step()
        return total

    return answer


def own_optimizer(lr=1e-3):
    def answer(net, optimizer, *others):
        return clears_afterwards(net, torch.optim.SGD(net.parameters(), lr=lr), *others)

    return answer


def by_size(net, optimizer, X, y, parts):
    net.train()
    optimizer.zero_grad()
    total = 0.0
    for start in range(0, len(X), parts):
        x, t = X[start : start + parts], y[start : start + parts]
        loss = F.mse_loss(net(x), t) * len(x) / len(X)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


NAMED = {
    by_size: {"cut_by_size"},
    backward_after_loop(): {"cleared_in_loop"},
    backward_after_loop(weighted=False): {"cleared_in_loop_not_weighted"},
    own_optimizer(): {"not_by_the_optimizer"},
    own_optimizer(lr=0.1): {"not_by_the_optimizer"},
    evenly: {"cut_evenly"},
    in_steps(backward=False): {"cleared_before_step"},
    in_steps(backward=False, step=False): {"no_backward_no_step"},
    in_steps(backward=False, step=False, loss=parts_mean): {"no_backward_no_step", "loss_plain_mean"},
    in_steps(step=False): {"no_step"},
    in_steps(step=False, clear=True): {"no_backward_no_step"},
    in_steps(step=False, loss=parts_mean): {"no_step", "loss_plain_mean"},
}
UNKNOWN = {
    also(after=lambda net: net.eval()): "training_afterwards",
    also(after=decays): "one_step",
    also(after=statistics_halved): "statistics_of_parts",
    plain_training: "statistics_of_parts",
    also(loss=lambda value: value + 0.1): "mean_over_samples",
    only_the_first_time: "again_the_same",
    divided_with_the_right_loss: "mean_over_samples",
    also(loss=lambda value: None): "nothing",
    also(loss=str): "type",
    also(loss=lambda value: torch.full((2,), value)): "shape",
}
