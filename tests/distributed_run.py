"""A run of training by several processes, for torchrun: distributed_run.py FOLDER NORM SYNCHRONIZED(0|1) [LAST STEP].

It goes on from the folder's checkpoint. In the last step, where one is given, all processes are killed.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from training_data import few, lenet, part

from bnlib.norm import SyncBatchNorm
from bnlib.training import Moment, TrainConfig, train
from bnlib.training.distributed import World, together

CONFIG = TrainConfig(epochs=2, batch_size=199, seed=2)  # 600 examples: unequal parts, a tail of 3


def main() -> None:
    folder, norm, synchronized, last = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "1", sys.argv[4:]

    def die(moment: Moment) -> None:
        if last and moment.step == int(last[0]):
            os.kill(os.getpid(), signal.SIGKILL)

    with together("cpu"):
        model, data = lenet(norm), few()
        if synchronized:
            model = SyncBatchNorm.convert_sync_batchnorm(model)
        elif norm != "none":
            data = part(data, 597, 200)  # one example has no variance of its own, so no tail
        keep = {"checkpoint": folder / "run.pt", "resume": True, "checkpoint_seconds": 0}
        history = train(model, data, CONFIG, device="cpu", progress=False, callback=die, **keep)
        torch.save([history, model.state_dict()], folder / f"{World.here().rank}.done")


if __name__ == "__main__":
    main()
