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

from bnlib.learn import record
from bnlib.learn.exercises import load, names

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
    environment["BNLIB_PROGRESS"] = str(folder / "progress.json")
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


def displayed(client, code: str) -> tuple[dict, str, dict]:
    """What code shows, and of the widget in it the model's number and state."""
    messages = run(client, code)
    shown = [m["content"]["data"] for m in messages if m["msg_type"] in ("execute_result", "display_data")]
    assert len(shown) == 1
    state = {}
    for message in messages:
        if message["msg_type"] in ("comm_open", "comm_msg"):
            state |= message["content"]["data"]["state"]
    assert shown[0]["text/html"].startswith('<div class="bnlib-widget"')
    assert state["_model_module"] == "anywidget" and "export default" in state["_esm"]
    return shown[0], shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"], state


def send(client, model: str, state: dict) -> None:
    """What the page says when something is changed there."""
    content = {"comm_id": model, "data": {"method": "update", "state": state, "buffer_paths": []}}
    client.shell_channel.send(client.session.msg("comm_msg", content))


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_constructs_displays_and_syncs(colab, widget, language):
    made = widget()
    code = f"import bnlib.learn\nbnlib.set_language({language!r})\nw = bnlib.learn.{widget.__name__}()\nw"
    _, model, state = displayed(colab, code)
    assert {name: state[name] for name in made.limits} == {name: getattr(made, name) for name in made.limits}
    for name, limit in made.limits.items():
        value = other(getattr(made, name), limit)
        send(colab, model, {name: value})
        assert said(colab, f"w.{name} == {value!r}") == "True"  # the page's change has reached Python
        back = getattr(made, name)
        sent = [m["content"]["data"] for m in run(colab, f"w.{name} = {back!r}") if m["msg_type"] == "comm_msg"]
        assert any(part["state"].get(name) == back for part in sent)  # and Python's reaches the page


KINDS = {kind: names(kind)[0] for kind in ("code", "choice", "number", "order")}
RIGHT = {
    "choice": lambda one: sorted(one.right),
    "number": lambda one: one.value(),
    "order": lambda one: list(one.items),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("graded", [False, True])
def test_a_card_constructs_displays_and_keeps_what_the_page_says(colab, kind, graded):
    name = KINDS[kind]
    run(colab, "import bnlib.learn\nbnlib.set_language('en')\nfrom bnlib.learn import record\nrecord.clear()")
    shown, model, state = displayed(colab, f"w = bnlib.learn.Exercise({name!r}, graded={graded})\nw")
    assert state["live"] and state["exercise"]["kind"] == ("graded" if graded else kind)
    assert ("solution" in state["exercise"]) is not graded and "<details" in shown["text/html"]
    answer = RIGHT[kind](load(name)) if kind in RIGHT else None
    send(colab, model, {"hints": 2, "tries": 1, "passed": True, "answer": answer})
    assert said(colab, "(w.hints, w.tries, w.passed, w.answer)") == repr((2, 1, True, answer))
    kept = said(colab, f"bnlib.learn.progress().entries[{name!r}]")
    assert kept == repr(record.Entry(passed=True, tries=1, hints=2, answer=answer))
    sent = [m["content"]["data"] for m in run(colab, "record.clear()") if m["msg_type"] == "comm_msg"]
    assert any(part["state"].get("passed") is False for part in sent)  # and so the page forgets


def test_the_board_follows_a_check_and_forgets(colab):
    run(colab, "from bnlib.learn import record\nrecord.clear()")
    _, model, state = displayed(colab, "w = bnlib.learn.Board()\nw")
    assert len(state["exercises"]) == len(names()) and state["standing"] == {}
    number = KINDS["number"]
    code = f"bnlib.learn.check({number!r}, {load(number).value()!r})"
    sent = [m["content"]["data"]["state"] for m in run(colab, code) if m["msg_type"] == "comm_msg"]
    assert sent[-1]["standing"][number]["passed"] is True
    custom = {"comm_id": model, "data": {"method": "custom", "content": {"forget": True}}}
    colab.shell_channel.send(colab.session.msg("comm_msg", custom))
    assert said(colab, "(w.standing, bnlib.learn.progress().entries)") == "({}, {})"
