"""Several processes that train one model together: who holds which part of a batch, and what they add up.

Every process draws the same order of the examples and takes its part of each batch. DistributedDataParallel averages
the gradients of the processes; so each scales the sum of its losses by size / n, with n the size of the whole batch,
and the average is the gradient of the mean loss over the whole batch, however unequal the parts are.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bnlib.training.device import choose_device


@dataclass(frozen=True)
class World:
    """This process among those that train together; alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> "World":
        """The default process group of torch.distributed, if one is initialized."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def leads(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def part(self, batch: Tensor) -> Tensor:
        """This process's share of a batch: parts differ by at most one example, and may be empty."""
        return batch if self.size == 1 else batch.tensor_split(self.size)[self.rank]

    def total(self, numbers: Tensor) -> Tensor:
        """The sum over all processes, written over `numbers`."""
        if self.size > 1:
            dist.all_reduce(numbers)
        return numbers

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, with gradients averaged over all processes where there are several."""
        return model if self.size == 1 else DistributedDataParallel(model)


@contextmanager
def together(device: str | torch.device | None = None) -> Iterator[torch.device | str | None]:
    """Join the processes that torchrun started, for as long as the context lasts; alone, change nothing.

    Args:
        device: as in `choose_device`; "cpu" talks over gloo, CUDA over NCCL.

    Yields:
        The device for this process: on CUDA, the GPU of its rank on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
    finally:
        dist.destroy_process_group()
