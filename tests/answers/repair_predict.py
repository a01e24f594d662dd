from copy import deepcopy

import torch

from bnlib.training.scoring import in_prediction_mode


def a_copy(net, X):
    with torch.no_grad():
        return deepcopy(net).eval()(X)


def by_context(net, X):
    with in_prediction_mode(net), torch.no_grad():
        return net(X)


@torch.inference_mode()
def restored_by_name(net, X):
    modes = {name: module.training for name, module in net.named_modules()}
    try:
        return net.eval()(X).clone()
    finally:
        for name, module in net.named_modules():
            module.training = modes[name]


def children_first(net, X):
    modes = [module.training for module in net.modules()]
    for module in net.modules():
        module.training = False
    scores = net(X).detach()
    for module, mode in zip(net.modules(), modes, strict=True):
        module.training = mode
    return scores


def by_hand(net, X):
    norm = net[0]
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return ((X - norm.running_mean) * scale + norm.bias).detach()


RIGHT = [a_copy, by_context, restored_by_name, children_first, by_hand]


def centred(net, X):
    scores = a_copy(net, X)
    return scores - scores.mean(dim=0)


def leaves_dropout_on(net, X):
    scores = by_context(net, X)
    net[1].training = not net[1].training
    return scores


def touches_the_mean(net, X):
    scores = a_copy(net, X)
    net[0].running_mean.mul_(0.5).add_(1)
    return scores


UNKNOWN = {
    centred: "alone",
    lambda net, X: a_copy(net, X).clamp(max=0.5): "by_the_buffers",
    touches_the_mean: "statistics_untouched",
    leaves_dropout_on: "modes_as_before",
    lambda net, X: a_copy(net, X).argmax(dim=1): "shape",
    lambda net, X: a_copy: "type",
}


def with_its_graph(net, X):
    return net(X)


def mode_put_back(net, X):
    before = net.training
    with torch.no_grad():
        scores = net(X)
    net.train(before)
    return scores


def by_a_copy(net, X):
    with torch.no_grad():
        return deepcopy(net)(X)


UNKNOWN |= dict.fromkeys((with_its_graph, mode_put_back), "alone")
NAMED = {torch.no_grad()(with_its_graph): {"unchanged"}, by_a_copy: {"statistics_put_back"}}


def without_what_was_learned(net, X):
    norm = net[0]
    return (X - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps)


def without_beta(net, X):
    return by_hand(net, X) - net[0].bias.detach()


def without_eps(net, X):
    norm = net[0]
    return ((X - norm.running_mean) / norm.running_var.sqrt() * norm.weight + norm.bias).detach()


def eps_outside_the_root(net, X):
    norm = net[0]
    return ((X - norm.running_mean) / (norm.running_var.sqrt() + norm.eps) * norm.weight + norm.bias).detach()


BY_HAND = (without_what_was_learned, without_beta, without_eps, eps_outside_the_root)
UNKNOWN |= dict.fromkeys(BY_HAND, "by_the_buffers")
