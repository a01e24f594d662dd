"""An experiment whose processes grow with each part, for test_lab_parts."""

import time
from dataclasses import dataclass

KEPT: list[bytes] = []


@dataclass(frozen=True)
class Config:
    """size: bytes that a part leaves behind; seconds: how long it takes."""

    parts: int = 8
    size: int = 200 << 20
    seconds: float = 1.1  # joblib looks at a process's size once a second


FULL = Config()


def parts(config):
    return [{"number": number} for number in range(config.parts)]


def measure(part, data, config):
    KEPT.append(b"1" * config.size)
    time.sleep(config.seconds)
    return [{"kept": len(KEPT)}]
