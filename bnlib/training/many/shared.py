"""A data set in memory that several processes see: written once, mapped by each, gone with the last of them.

On Linux and macOS it is a file that has no name any more, which the children inherit open; on Windows a piece of the
page file with a name. Neither stays behind after kill -9, and neither needs the room in /dev/shm that containers lack.
"""

import mmap
import sys
import tempfile
import uuid
from math import prod

import torch
from torch import Tensor

from bnlib.training.fashion_mnist import FashionMNIST

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")
ALIGNED = 64  # bytes, as torch's own memory: what a kernel computes may depend on it in the last bit


class SharedData:
    """A data set copied to where children find it; a context that gives the memory back.

    handles: for subprocess' pass_fds.
    where: what a child needs for `attach`, as json.dumps takes it.
    """

    def __init__(self, data: FashionMNIST) -> None:
        tensors = {name: getattr(data, name).cpu().contiguous() for name in TENSORS}
        layout, size = {}, 0
        for name, tensor in tensors.items():
            layout[name] = (size, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
            size += -(-max(1, tensor.nbytes) // ALIGNED) * ALIGNED
        self.where = {"name": data.name, "layout": layout, "size": size}
        self.handles: tuple[int, ...] = ()
        if sys.platform == "win32":
            self.where["tag"] = f"bnlib-{uuid.uuid4()}"
            self._memory = mmap.mmap(-1, size, tagname=self.where["tag"])
        else:
            self._memory = tempfile.TemporaryFile()
            self._memory.truncate(size)
            self.handles = (self._memory.fileno(),)
            self.where["handle"] = self.handles[0]
        try:
            for name, tensor in tensors.items():
                self._memory.seek(layout[name][0])
                self._memory.write(tensor.numpy().tobytes() if tensor.numel() == 0 else tensor.numpy().data.cast("B"))
            self._memory.flush()
        except OSError as error:  # full: 220 MB for the whole data set
            error.filename = tempfile.gettempdir()
            raise

    def __enter__(self) -> "SharedData":
        return self

    def __exit__(self, *exception: object) -> None:
        self._memory.close()


def attach(where: dict) -> FashionMNIST:
    """The data set that another process shares; writing to its tensors changes this process' copy alone."""
    if sys.platform == "win32":
        memory = mmap.mmap(-1, where["size"], tagname=where["tag"])
    else:
        memory = mmap.mmap(where["handle"], where["size"], access=mmap.ACCESS_COPY)
    return FashionMNIST(where["name"], *(_tensor(memory, *where["layout"][name]) for name in TENSORS))


def _tensor(memory: mmap.mmap, offset: int, dtype: str, shape: list[int]) -> Tensor:
    dtype, count = getattr(torch, dtype), prod(shape)
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype, count=count, offset=offset).view(shape)
