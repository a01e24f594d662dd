"""A class of attacking notebooks, really graded: each may harm its own row, and nothing else."""

import csv
import io
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from attacks import CATCHING, NOTEBOOKS, REFUSED, RIGHT

import bnlib
from bnlib.learn.exercises import names
from bnlib.learn.grading import Limits, NotIsolated, grades, page, sandboxed, session, table
from bnlib.learn.grading.sandbox import WAYS, Sandbox
from bnlib.learn.grading.view import SCRATCH

CODE = names("code")
LIMITS = Limits(memory=512 << 20, cpu=60, wall=60.0, cell=3.0, ask=4.0, file=4 << 20, scratch=16 << 20)
SOME = ("ann", "bob", "ends_asked", "kills_itself", "floods", "raises_markup", "forges", "waits", "zoe")


def write(path, cells):
    code = [nbformat.v4.new_code_cell(source) for source in cells]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)


def processes():
    """Number -> parent and state of each process on this machine."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(path.parent.name)] = (int(fields[1]), fields[0])
    return found


@cache
def refusal(way):
    """Why this machine does not isolate in that way; empty if it does."""
    try:
        with sandboxed(LIMITS, (), (way,)):
            return ""
    except NotIsolated as refused:
        return str(refused)


@pytest.fixture(scope="module", params=WAYS)
def way(request):
    if refusal(request.param):
        pytest.skip(f"this machine does not isolate by {request.param}: {refusal(request.param)}")
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("class")


@pytest.fixture(scope="module")
def sandbox(way, folder):
    """A sandbox that hides the class's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_SECRET", "of the grader's")
        with sandboxed(LIMITS, (folder,), (way,)) as sandbox:
            yield sandbox


@pytest.fixture(scope="module")
def server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture(scope="module")
def graded(sandbox, way, folder):
    """The whole class by the way that is taken here, a part of it by the other one."""
    for path in folder.iterdir():
        path.unlink()
    taken = next(name for name in WAYS if not refusal(name))
    for name in NOTEBOOKS if way == taken else SOME:
        write(folder / f"{name}.ipynb", NOTEBOOKS[name][0])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = {grade.learner: grade for grade in grades(folder, sandbox, CODE)}
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    return done


def test_an_attack_harms_its_own_row_alone(graded):
    expected = {name: NOTEBOOKS[name][1:] for name in graded}
    found = {name: grade.findings.get("normalize") for name, grade in graded.items()}
    came = {name: (found[name] and found[name].kind, [t.why for t in graded[name].troubles]) for name in graded}
    assert came == expected


def test_everybody_has_a_row_and_a_page(graded):
    rows = {row["learner"]: row for row in csv.DictReader(io.StringIO(table(list(graded.values()), CODE)))}
    assert rows.keys() == graded.keys()
    assert rows["ann"]["normalize"] == rows["zoe"]["normalize"] == "1" and rows["ann"]["trouble"] == ""
    assert rows["bob"]["normalize"] == "0" and rows["bob"]["diagnosis"] == "normalize: unbiased"
    assert (
        rows["ends_asked"]["normalize"] == ""
        and rows["ends_asked"]["trouble"] == "normalize: not judged; when the answer was called: its process ended"
    )
    for grade in graded.values():
        assert "<script" not in page(grade, CODE) and "<i>" not in page(grade, CODE)
    assert "&lt;script&gt;alert(1)" in page(graded["raises_markup"], CODE)


def test_each_step_out_is_refused(sandbox, folder, server, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "TOLD", len(REFUSED))
    known = {"port": server.getsockname()[1], "folder": str(folder), "pid": os.getpid()}
    write(folder / "ann.ipynb", [RIGHT])
    write(tmp_path / "steps.ipynb", [*(step.format(**known) for step, _ in REFUSED), RIGHT])
    (grade,) = grades(tmp_path, sandbox, CODE)
    assert [str(trouble) for trouble in grade.troubles if trouble.where != "in_cell"] == []
    raised = {trouble.place["number"]: trouble.values.get("error", trouble.why) for trouble in grade.troubles}
    wrong = [(step, raised.get(i)) for i, (step, kinds) in enumerate(REFUSED, 1) if raised.get(i) not in kinds.split()]
    assert wrong == []
    assert grade.findings["normalize"].kind == "passed"
    with pytest.raises(BlockingIOError):
        server.accept()
    places = [Path(place) / "bnlib-attack" for place in ("/etc", "/", "/usr", "/dev")]
    assert not [place for place in places if place.exists()]


def test_no_process_outlives_its_worker(sandbox):
    channel = sandbox.start()
    family, before = {channel._process.pid}, 0
    while len(family) > before:
        before = len(family)
        family |= {number for number, (parent, _) in processes().items() if parent in family}
    assert len(family) >= 3
    channel.close()
    end = time.monotonic() + 5
    while [number for number in family if processes().get(number, (0, "Z"))[1] != "Z"]:
        assert time.monotonic() < end


def test_the_class_is_hidden_though_it_lies_where_workers_look(way):
    inside = Path(torch.__file__).parent / "include"
    assert any(inside.iterdir())
    with sandboxed(LIMITS, (inside,), (way,)) as sandbox:
        channel = sandbox.start()
        source = f"import os; assert os.listdir({str(inside)!r}) == []; os.listdir({str(inside.parent)!r}).index('')"
        said = channel.ask({"do": "cell", "number": 1, "source": source}, 5)
        channel.close()
    assert (said["error"], said["message"]) == ("ValueError", "'' is not in list")


def test_all_workers_of_a_notebook_share_its_time(sandbox, tmp_path, monkeypatch):
    """Each cell that never ends costs a worker; together they take no longer than the notebook may."""
    write(tmp_path / "slow.ipynb", [CATCHING] * 10 + [RIGHT])
    short, start, times = replace(sandbox, limits=replace(LIMITS, wall=8.0)), Sandbox.start, []

    def timed(way):
        began = time.monotonic()
        channel = start(way)
        times.append(time.monotonic() - began)
        return channel

    monkeypatch.setattr(Sandbox, "start", timed)
    began = time.monotonic()
    (grade,) = grades(tmp_path, short, CODE)
    assert len(times) == session.WORKERS
    assert time.monotonic() - began - sum(times) < 8 + (LIMITS.cell + session._GRACE) / 2
    assert {trouble.why for trouble in grade.troubles} == {"late"} and grade.findings == {}


def test_where_the_kernel_has_no_namespaces_nothing_is_run(tmp_path):
    forbid = ["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && "$@"', "sh"]
    if subprocess.run([*forbid, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody forbid namespaces")
    write(tmp_path / "class" / "ann.ipynb", [RIGHT])
    command = [*forbid, sys.executable, "-m", "bnlib", "--lang", "en", "grade", str(tmp_path / "class")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Nothing was graded: strangers' code can't be kept apart on this machine (")
    assert "namespaces: " in done.stderr and "unshare" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["class"]


def test_without_walls_nothing_is_run(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    write(tmp_path / "ann.ipynb", [RIGHT])
    with pytest.raises(NotIsolated, match="bwrap is not installed") as refused, sandboxed(LIMITS, (), ("bubblewrap",)):
        pytest.fail("it must not come to this")
    assert str(refused.value).endswith("as well.") and "\n" not in str(refused.value)


HOLES = {
    "--unshare-user --unshare-all": ("--unshare-user --unshare-ipc --unshare-pid --unshare-uts", "the network can be"),
    "--unshare-all": ("--unshare-ipc --unshare-net --unshare-uts", "other processes can be seen"),
    "--remount-ro / --": ("--", "files outside of the scratch folder can be written"),
    f"--size {LIMITS.scratch}": ("", "the scratch folder has no limit"),
    f"--tmpfs {SCRATCH} --remount-ro /": (
        f"--tmpfs {SCRATCH} --remount-ro {SCRATCH} --remount-ro /",
        "can't be written",
    ),
    "--chdir": ("--setenv A_SECRET 1 --chdir", "the environment can be seen"),
    "--perms 0700": ("--bind /tmp /tmp --perms 0700", "other files can be read"),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_wall_with_a_hole_is_not_trusted(hole, monkeypatch):
    """The proof pulls at the locks for real: take one away, and it says which."""
    if refusal("bubblewrap"):
        pytest.skip(f"this machine does not isolate by bubblewrap: {refusal('bubblewrap')}")
    whole, (instead, named) = WAYS["bubblewrap"], HOLES[hole]

    def broken(sandbox):
        words = " ".join(whole(sandbox))
        assert hole in words
        return words.replace(hole, instead).split()

    monkeypatch.setitem(WAYS, "bubblewrap", broken)
    with pytest.raises(NotIsolated, match=named), sandboxed(LIMITS, (), ("bubblewrap",)):
        pytest.fail("it must not come to this")


def test_elsewhere_than_on_linux_nothing_is_run(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    bnlib.set_language("zh")
    try:
        with pytest.raises(NotIsolated, match="而本机的系统是darwin"), sandboxed(LIMITS):
            pytest.fail("it must not come to this")
    finally:
        bnlib.set_language("en")
