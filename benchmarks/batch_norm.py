"""Batch normalization side by side: the formulas as written, compiled, torch's kernel, and plain autograd.

    python benchmarks/batch_norm.py [--device cpu] [--rounds 31]

For each shape all forms run in turn, round after round, so that whatever else the machine does hits all of them
alike. Printed are medians: milliseconds, their ratio to torch's kernel ("native"), and their ratio to copying a
tensor of the input's size into another that exists already, which is what the memory allows. "kept" counts the
tensors of the input's size that wait for the backward pass, the input itself included.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from machine import machine  # noqa: E402

from bnlib.norm import batch_norm  # noqa: E402 - of this checkout, installed or not

SHAPES = [(256, 6, 24, 24), (256, 64, 32, 32), (1024, 256), (32, 256, 56, 56)]
FORMS = ("native", "compiled", "explicit", "autograd")
Step = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=31, help="measurements of each number (default: 31)")
    args = parser.parse_args()
    device = torch.device(args.device)
    print(machine(device), f"medians of {args.rounds} interleaved rounds", sep="; ")
    print(f"{'':42}{'forward':^34}{'forward + backward':^34}")
    print(f"{'':42}" + f"{'ms':>10}{'x native':>12}{'x copy':>12}" * 2 + f"{'kept':>8}")
    for dtype, layout in _variants(device):
        for shape in SHAPES if layout is torch.contiguous_format else SHAPES[:2] + SHAPES[3:]:
            _compare(shape, dtype, layout, device, args.rounds)


def _variants(device: torch.device) -> list[tuple[torch.dtype, torch.memory_format]]:
    variants = [(torch.float32, torch.contiguous_format)]
    if device.type == "cuda":
        variants += [(torch.float32, torch.channels_last), (torch.bfloat16, torch.contiguous_format)]
        variants += [(torch.bfloat16, torch.channels_last)]
    return variants


def _compare(shape: tuple[int, ...], dtype: torch.dtype, layout: torch.memory_format, device, rounds: int) -> None:
    torch._dynamo.reset()  # every shape compiled for itself, not as one of many
    generator = torch.Generator().manual_seed(0)
    x, upstream = (torch.randn(shape, generator=generator).to(device, dtype, memory_format=layout) for _ in range(2))
    x.requires_grad_()
    weight, bias = (torch.rand(shape[1], generator=generator).to(device).requires_grad_() for _ in range(2))
    running = torch.zeros(shape[1], device=device), torch.ones(shape[1], device=device)

    def call(form: str) -> Tensor:
        if form == "autograd":
            return _by_autograd(x, *running, weight, bias)
        return batch_norm(x, *running, weight, bias, training=True, impl=form)

    def forward(form: str) -> None:
        with torch.no_grad():
            call(form)

    def both(form: str) -> None:
        torch.autograd.grad(call(form), (x, weight, bias), upstream)

    target = torch.empty_like(x)
    steps: dict[tuple[str, str], Step] = {("copy", ""): lambda: target.copy_(x.detach())}
    for form in FORMS:
        steps[form, "forward"] = lambda form=form: forward(form)
        steps[form, "both"] = lambda form=form: both(form)
    took = _medians(steps, rounds, device)
    name = f"{shape} {str(dtype).removeprefix('torch.')}" + (" nhwc" if layout is torch.channels_last else "")
    for form in FORMS:
        columns = "".join(
            f"{took[form, part] * 1e3:10.3f}{took[form, part] / took['native', part]:12.2f}"
            f"{took[form, part] / took['copy', '']:12.1f}"
            for part in ("forward", "both")
        )
        print(f"{name:32}{form:10}{columns}{_kept(lambda form=form: call(form), x):8}", flush=True)


def _by_autograd(x, running_mean, running_var, weight, bias, momentum=0.1, eps=1e-5) -> Tensor:
    """What one writes without a backward pass of one's own."""
    axes, shape = (0, *range(2, x.dim())), (1, -1, *(1,) * (x.dim() - 2))
    mean = x.mean(axes, keepdim=True)
    var = ((x - mean) ** 2).mean(axes, keepdim=True)
    m = x.numel() // x.shape[1]
    with torch.no_grad():
        running_mean.lerp_(mean.flatten().to(running_mean.dtype), momentum)
        running_var.lerp_(var.flatten().to(running_var.dtype) * (m / (m - 1)), momentum)
    return weight.view(shape) * ((x - mean) / torch.sqrt(var + eps)) + bias.view(shape)


def _medians(steps: dict[tuple[str, str], Step], rounds: int, device: torch.device) -> dict[tuple[str, str], float]:
    """Seconds of each step: median over rounds, each of which runs every step, long enough to be timed."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    repeats = {}
    for name, step in steps.items():
        for _ in range(3):
            step()  # compiles, allocates
        wait()
        repeats[name] = max(1, round(0.005 / max(_seconds(step, 3, wait), 1e-7)))
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(_seconds(step, repeats[name], wait))
    return {name: statistics.median(values) for name, values in times.items()}


def _seconds(step: Step, repeats: int, wait: Callable[[], None]) -> float:
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    wait()
    return (time.perf_counter() - start) / repeats


def _kept(call: Callable[[], Tensor], x: Tensor) -> int:
    """How many tensors of the size of x (by storage) autograd keeps for the backward pass."""
    kept = set()

    def note(tensor: Tensor) -> Tensor:
        if tensor.numel() >= x.numel():
            kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = call()
    del output
    return len(kept)


if __name__ == "__main__":
    main()
