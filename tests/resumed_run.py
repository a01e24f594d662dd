"""A run of training in a process of its own, for the tests that kill it: python resumed_run.py CHECKPOINT NORM PATH.

Prints a line after every step, so that whoever kills knows where; and in the end saves weights and history beside the
checkpoint. Anything that is random is in it: dropout, an order of examples, scores, a tail batch, a cumulative average.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from training_data import few, lenet

from bnlib.training import TrainConfig, train


def model(norm: str) -> nn.Module:
    made = lenet(norm)
    made.sigmoid3 = nn.Sequential(nn.Sigmoid(), nn.Dropout(0.2))
    if norm == "batch":
        made.norm1.momentum = None
    return made


def config(norm: str, path: str) -> TrainConfig:
    return TrainConfig(epochs=3, seed=5, path=path, score_every=4 if norm in ("batch", "torch") else 0)


def main() -> None:
    checkpoint, norm, path = sys.argv[1:]
    net = model(norm)
    history = train(
        net,
        few(),
        config(norm, path),
        device="cpu",
        progress=False,
        callback=lambda moment: print(moment.kind, moment.step, flush=True),
        checkpoint=checkpoint,
        resume=True,
        checkpoint_seconds=0,
    )
    plain = [getattr(m, "moving_mean", None) for m in net.modules()]
    torch.save([history, net.state_dict(), plain], Path(checkpoint).with_suffix(".done"))


if __name__ == "__main__":
    main()
