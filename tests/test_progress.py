"""The progress bar: there in a terminal and in a notebook, silent in a pipe, with the numbers of each epoch."""

import os
import subprocess
import sys
import termios

from bnlib.training import EpochRow
from bnlib.training.progress import Progress

SHOW = """
from bnlib.training import EpochRow
from bnlib.training.progress import Progress
with Progress(None, epochs=2, examples=1000) as bar:
    bar.begin(2)
    bar.advance(1000)
    bar.end(EpochRow(2, 0.25, 0.9, 0.8, 1.0))
"""


def run_epoch(shown):
    with Progress(shown, epochs=2, examples=1000) as bar:
        bar.begin(2)
        bar.advance(1000)
        bar.end(EpochRow(2, 0.25, 0.9, 0.8, 1.0))


def test_silent_where_nobody_watches(capfd):
    run_epoch(None)
    run_epoch(False)
    assert capfd.readouterr() == ("", "")


def test_shown_when_asked_for(capfd):
    run_epoch(True)
    out, err = capfd.readouterr()
    assert out == "" and "epoch 2/2" in err and "50%" in err and "loss 0.250, train 0.900, test 0.800" in err


def test_shown_in_a_terminal():
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 120))
    with subprocess.Popen([sys.executable, "-c", SHOW], stderr=slave) as process:
        os.close(slave)
        written = b""
        while chunk := read(master):
            written += chunk
    os.close(master)
    assert process.returncode == 0 and b"loss 0.250, train 0.900, test 0.800" in written


def read(master):
    try:
        return os.read(master, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_shown_in_a_notebook():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    said = []
    try:
        code = "from bnlib.training.progress import is_watched\nprint(is_watched())"
        reply = client.execute_interactive(
            code, timeout=60, output_hook=lambda message: said.append(message["content"])
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok" and "True\n" in [content.get("text") for content in said]
