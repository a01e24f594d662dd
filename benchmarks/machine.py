"""What a measurement was taken on, in one line."""

import os
import platform
from pathlib import Path

import torch


def machine(device: torch.device) -> str:
    """The processor or GPU, the threads, Python's and torch's versions."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        info = Path("/proc/cpuinfo")
        lines = info.read_text().splitlines() if info.exists() else []
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        name = f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores"
    return f"{name}; {torch.get_num_threads()} threads; Python {platform.python_version()}, torch {torch.__version__}"
