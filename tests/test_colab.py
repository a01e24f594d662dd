"""The widgets under ipywidgets 7.7.1, which Colab has: in a real kernel they construct, display, and sync both ways.

What Colab runs beside it (Python 3.12) is whatever Python the tests run on; the workflow test.yml has a job for 3.12,
and on Python 3.12.1 with torch 2.13.0 they passed on 2026-11-28.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from test_widgets import WIDGETS, other

PINNED = ("ipywidgets==7.7.1", "widgetsnbextension==3.6.10", "jupyterlab_widgets==1.1.11", "ipython_genutils==0.2.0")
TIMEOUT = 120


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A client of a kernel in which `import ipywidgets` finds 7.7.1, and all else is as in the tests."""
    folder = tmp_path_factory.mktemp("ipywidgets7")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={folder}", *PINNED]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(root)])}
    manager, client = start_new_kernel(env=environment)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code: str) -> list[dict]:
    """Run code and return the messages that it sent to the front end; an error is the test's."""
    asked, messages = client.execute(code), []
    while True:
        message = client.get_iopub_msg(timeout=TIMEOUT)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return messages
        assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        messages.append(message)


def said(client, expression: str) -> str:
    messages = run(client, f"print(repr({expression}))")
    return "".join(m["content"]["text"] for m in messages if m["content"].get("name") == "stdout").strip()


def test_the_version_is_colabs(colab):
    run(colab, "import ipywidgets, bnlib.learn, sys")
    assert said(colab, "ipywidgets.__version__") == "'7.7.1'"
    assert said(colab, "sys.version_info[:2]") == repr(sys.version_info[:2])  # that of the tests, no other one


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_constructs_displays_and_syncs(colab, widget, language):
    made = widget()
    messages = run(
        colab, f"import bnlib.learn\nbnlib.set_language({language!r})\nw = bnlib.learn.{widget.__name__}()\nw"
    )
    shown = [m["content"]["data"] for m in messages if m["msg_type"] in ("execute_result", "display_data")]
    assert len(shown) == 1
    assert shown[0]["text/html"].startswith('<div class="bnlib-widget"')
    model = shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"]
    opened = [m["content"]["data"]["state"] for m in messages if m["msg_type"] == "comm_open"]
    state = {name: value for part in opened for name, value in part.items()}
    updates = [m["content"]["data"]["state"] for m in messages if m["msg_type"] == "comm_msg"]
    for update in updates:
        state.update(update)
    assert state["_model_module"] == "anywidget" and "export default" in state["_esm"]
    assert {name: state[name] for name in made.limits} == {name: getattr(made, name) for name in made.limits}
    for name, limit in made.limits.items():
        value = other(getattr(made, name), limit)
        content = {"comm_id": model, "data": {"method": "update", "state": {name: value}, "buffer_paths": []}}
        colab.shell_channel.send(colab.session.msg("comm_msg", content))
        assert said(colab, f"w.{name} == {value!r}") == "True"  # the page's change has reached Python
        back = getattr(made, name)
        sent = [m["content"]["data"] for m in run(colab, f"w.{name} = {back!r}") if m["msg_type"] == "comm_msg"]
        assert any(part["state"].get(name) == back for part in sent)  # and Python's reaches the page
