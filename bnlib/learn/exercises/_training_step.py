"""The right training step in parts and the wrong ones of the exercise training_step: each differs in a single place."""

import torch
from torch import nn
from torch.nn import functional as F


def right(net, optimizer, X, y, parts):
    net.train()
    optimizer.zero_grad()
    mean_loss = 0.0
    for x, t in zip(X.chunk(parts), y.chunk(parts), strict=True):
        loss = nn.functional.mse_loss(net(x), t) * len(x) / len(X)
        loss.backward()
        mean_loss += loss.item()
    optimizer.step()
    return mean_loss


class Steps:
    """The same step, each line a method of its own, for the wrong ones to change."""

    def __call__(self, net, optimizer, X, y, parts):
        self.set_mode(net)
        self.clear_before(optimizer)
        losses, shares = [], []
        for x, t in zip(self.cut(X, parts), self.cut(y, parts), strict=True):
            self.clear_in_loop(optimizer)
            loss = F.mse_loss(net(x), t)
            (loss * self.weight(len(x), len(X), parts)).backward()
            losses.append(self.noted(net, x, t, loss))
            shares.append(len(x) / len(X))
            self.step_in_loop(optimizer)
        self.step_after(optimizer)
        return self.mean_loss(torch.stack(losses), torch.tensor(shares)).item()

    def set_mode(self, net):
        net.train()

    def cut(self, whole, parts):
        return whole.chunk(parts)

    def clear_before(self, optimizer):
        optimizer.zero_grad()

    def clear_in_loop(self, optimizer):
        pass

    def weight(self, part, whole, parts):
        return part / whole

    def noted(self, net, x, t, loss):
        return loss.detach()

    def step_in_loop(self, optimizer):
        pass

    def step_after(self, optimizer):
        optimizer.step()

    def mean_loss(self, losses, shares):
        return (losses * shares).sum()


class ClearedInLoop(Steps):
    def clear_in_loop(self, optimizer):
        optimizer.zero_grad()


class ClearedInLoopNotWeighted(ClearedInLoop):
    def weight(self, part, whole, parts):
        return 1


class NeverCleared(Steps):
    def clear_before(self, optimizer):
        pass


class ClearedBeforeStep(Steps):
    def step_after(self, optimizer):
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()


class NotWeighted(Steps):
    def weight(self, part, whole, parts):
        return 1

    def mean_loss(self, losses, shares):
        return losses.mean()


class DividedByParts(Steps):
    def weight(self, part, whole, parts):
        return 1 / parts

    def mean_loss(self, losses, shares):
        return losses.mean()


class SumOverSamples(Steps):
    def weight(self, part, whole, parts):
        return part


class StepInEach(Steps):
    """A step for every part, by its own gradient."""

    def clear_in_loop(self, optimizer):
        optimizer.zero_grad()

    def weight(self, part, whole, parts):
        return 1

    def step_in_loop(self, optimizer):
        optimizer.step()

    def step_after(self, optimizer):
        pass


class StepInEachOfTheSum(StepInEach):
    """A step for every part, by what has been added up so far."""

    def clear_in_loop(self, optimizer):
        pass

    def weight(self, part, whole, parts):
        return part / whole


class CutEvenly(Steps):
    def cut(self, whole, parts):
        return whole.tensor_split(parts)


class CutBySize(Steps):
    def cut(self, whole, parts):
        return whole.split(parts)


class NoStep(Steps):
    def step_after(self, optimizer):
        pass


class NoBackward(NoStep):
    """Neither a gradient nor a step."""

    def weight(self, part, whole, parts):
        return 0.0


class NotByTheOptimizer(Steps):
    """The parameters move, and the optimizer knows nothing of it."""

    def step_after(self, optimizer):
        torch.optim.SGD(optimizer.param_groups[0]["params"], lr=optimizer.param_groups[0]["lr"]).step()


class ModeNotSet(Steps):
    def set_mode(self, net):
        pass


class InEval(Steps):
    def set_mode(self, net):
        net.eval()


class Frozen(Steps):
    def set_mode(self, net):
        net.train()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


class ForwardTwice(Steps):
    def noted(self, net, x, t, loss):
        return F.mse_loss(net(x), t).detach()


class LossOfLast(Steps):
    def mean_loss(self, losses, shares):
        return losses[-1]


class LossPlainMean(Steps):
    def mean_loss(self, losses, shares):
        return losses.mean()


class LossSummed(Steps):
    def mean_loss(self, losses, shares):
        return losses.sum()


MISTAKES = {  # the losses first: where one of two mistakes is in the loss alone, it is told as such
    "loss_of_last": LossOfLast(),
    "loss_plain_mean": LossPlainMean(),
    "loss_summed": LossSummed(),
    "cleared_in_loop": ClearedInLoop(),
    "cleared_in_loop_not_weighted": ClearedInLoopNotWeighted(),
    "never_cleared": NeverCleared(),
    "cleared_before_step": ClearedBeforeStep(),
    "not_weighted": NotWeighted(),
    "divided_by_parts": DividedByParts(),
    "sum_over_samples": SumOverSamples(),
    "step_in_each": StepInEach(),
    "step_in_each_of_the_sum": StepInEachOfTheSum(),
    "not_by_the_optimizer": NotByTheOptimizer(),
    "no_step": NoStep(),
    "no_backward_no_step": NoBackward(),
    "cut_evenly": CutEvenly(),
    "cut_by_size": CutBySize(),
    "whole_batch": lambda net, optimizer, X, y, parts: right(net, optimizer, X, y, 1),
    "mode_not_set": ModeNotSet(),
    "in_eval": InEval(),
    "frozen": Frozen(),
    "forward_twice": ForwardTwice(),
}

UNASKED = "parameters change without optimizer.step()"
STATISTICS = tuple(f"norm.running_mean (step {step})" for step in (1, 2))  # how often and by what they were updated
BY_GRADIENT = (
    "not_weighted",
    "divided_by_parts",
    "sum_over_samples",
    "cleared_in_loop",
    "cleared_in_loop_not_weighted",
)
TELLING = {
    **dict.fromkeys(BY_GRADIENT, ("linear.weight.grad (step 1)",)),
    "cleared_before_step": ("norm.weight.grad (step 1)", "linear.weight.grad (step 1)"),
    **dict.fromkeys(("step_in_each", "step_in_each_of_the_sum", "no_step"), ("optimizer.step() calls (step 1)",)),
    "not_by_the_optimizer": ("optimizer.step() calls (step 1)", f"{UNASKED} (step 1)"),
    "no_backward_no_step": (
        "optimizer.step() calls (step 1)",
        "norm.weight.grad (step 1)",
        "linear.weight.grad (step 1)",
    ),
    **dict.fromkeys(("cut_evenly", "whole_batch", "frozen", "forward_twice"), STATISTICS),
    **dict.fromkeys(("mode_not_set", "in_eval"), ("net.training (step 1)", *STATISTICS)),
}
SOUND = dict.fromkeys(
    ("no_step", "no_backward_no_step", "cleared_before_step"), tuple(f"{UNASKED} (step {step})" for step in (1, 2))
)
