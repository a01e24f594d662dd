"""Notebooks that attack whoever grades them: name -> cells, most of them with a right answer at the end.

{port}, {folder} and {pid} stand for a server that listens on the grader's machine, the class's folder, the grader.
"""

RIGHT = """
import bnlib, torch
def normalize(X, eps):
    return (X - X.mean(0)) / torch.sqrt(X.var(0, correction=0) + eps)
bnlib.learn.check("normalize", normalize)
"""
WRONG = """
import bnlib, torch
def normalize(X, eps):
    return (X - X.mean(0)) / torch.sqrt(X.var(0) + eps)
bnlib.learn.check("normalize", normalize)
"""

UNSHARE = """
import ctypes
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
    raise OSError(ctypes.get_errno(), "no")
"""

# one notebook of single steps, each refused by an exception of the kind named
REFUSED = [
    ("open('/etc/bnlib-attack', 'w')", "OSError FileNotFoundError"),
    ("open('/bnlib-attack', 'w')", "OSError"),
    ("open('/usr/bnlib-attack', 'w')", "OSError"),
    ("open('/dev/bnlib-attack', 'w')", "OSError"),
    ("import bnlib; open(bnlib.__file__, 'a')", "OSError PermissionError"),
    ("import os; os.chmod('/usr', 0o777)", "OSError"),
    ("import os; os.symlink('/etc', '/usr/attack')", "OSError"),
    ("import os; os.listdir({folder!r})", "FileNotFoundError"),
    ("open({folder!r} + '/ann.ipynb')", "FileNotFoundError"),
    ("open('/etc/passwd')", "FileNotFoundError"),
    ("open('/proc/sys/kernel/core_pattern', 'w')", "OSError"),
    ("open('/proc/sysrq-trigger', 'w')", "OSError PermissionError FileNotFoundError"),
    ("open('/proc/1/mem', 'r+b')", "OSError PermissionError"),
    ("import os; os.mkfifo('/usr/fifo')", "OSError"),
    ("import os; os.mknod('/scratch/device', 0o60600, os.makedev(254, 0))", "PermissionError"),
    ("import socket; socket.create_connection(('127.0.0.1', {port}), 1)", "PermissionError"),
    ("import socket; socket.socket(socket.AF_UNIX)", "PermissionError"),
    ("import socket; socket.socketpair()", "PermissionError"),
    ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=1)", "URLError"),
    ("import os; os.kill({pid}, 9)", "ProcessLookupError"),
    ("import os; os.fork()", "PermissionError"),
    ("while True: __import__('os').fork()", "PermissionError"),
    ("import subprocess; subprocess.run(['/bin/sh', '-c', 'true'])", "PermissionError"),
    ("import os; os.execv('/bin/true', ['true'])", "PermissionError"),
    ("import multiprocessing as m; m.Process(target=print).start()", "PermissionError"),
    (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1,), daemon=True).start()",
        "RuntimeError",
    ),
    ("x = bytearray(4 << 30)", "MemoryError"),
    ("x = []\nwhile True: x.append(bytearray(1 << 24))", "MemoryError"),
    ("x = None; import torch; torch.ones(1 << 30)", "RuntimeError"),
    ("f = open('/scratch/large', 'wb')\nwhile True: f.write(bytes(1 << 20))", "OSError"),
    ("for i in range(1000): open(f'/scratch/{{i}}', 'wb').write(bytes(1 << 20))", "OSError"),
    ("import os\ntry:\n    while True: last = os.dup(2)\nfinally: os.closerange(10, last + 1)", "OSError"),
    ("import os; os.memfd_create('x')", "PermissionError"),
    ("import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))", "ValueError"),
    ("import os; os.setuid(0)", "OSError PermissionError"),
    (UNSHARE, "PermissionError"),
    ("import os; assert not [n for n in os.environ if 'SECRET' in n.upper()], os.environ\nraise KeyError", "KeyError"),
    ("import os; assert len([n for n in os.listdir('/proc') if n.isdecimal()]) <= 3\nraise KeyError", "KeyError"),
    ("raise SystemExit(3)", "SystemExit"),
    ("def deep(): deep()\ndeep()", "RecursionError"),
    ("not python(", "SyntaxError"),
]

EVERYWHERE = """
import os, json
line = json.dumps({"id": "0", "outcome": {"seen": {}, "failure": None, "changed": []}, "trouble": ""}) + chr(10)
for number in range(64):
    try:
        os.set_blocking(number, False)
        os.write(number, line.encode() * 10)
    except OSError:
        pass
"""

FLOOD = """
import os
while True:
    for number in range(3, 64):
        try:
            os.write(number, bytes(1 << 20))
        except OSError:
            pass
"""

CATCHING = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""

SHOUTING = """
import os
print("x" * (1 << 26))
os.write(1, bytes(1 << 26))
os.write(2, bytes(1 << 26))
"""

LYING = """
import bnlib.learn.outcome as outcome
outcome.look.__code__ = (lambda e, a, inputs, s=5: {told}).__code__
"""

ZEROS = """
import bnlib, torch
bnlib.learn.check("normalize", lambda X, eps: torch.zeros_like(X))
"""
FORGING = """
import bnlib.learn.outcome as outcome
real = outcome.look
outcome.look = lambda exercise, answer, inputs, seconds=5: real(exercise, exercise.right, inputs, seconds)
"""
FORGING_EXERCISE = """
from bnlib.learn import exercises
bnlib_exercises, exercises.load = exercises.load, lambda name: None
"""
USING_REPORTS = """
import bnlib, torch
from torch.nn import functional as F
def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)
for name in ("convolution_axes", "normalize"):
    report = bnlib.learn.check(name, right)
    assert report.passed and report.exercise == name and report.lang == "en"
    print(report, report.heading, report.sentences[0], report._repr_html_().strip(), report.kind.upper())
    print(report.diagnosis, report.also, report.line, report.input, report.got, report.expected, dict(report.labels))
assert bnlib.learn.check("normalize", right, seed=3).passed
"""

# name -> (cells, what becomes of normalize: "passed", the kind of a finding, or None; the troubles that are told)
NOTEBOOKS = {
    "ann": ([RIGHT], "passed", []),
    "bob": ([WRONG], "mistake", []),
    "ends": (["import os; os._exit(0)", RIGHT], "passed", ["crashed"]),
    "ends_asked": (["import os", RIGHT.replace("return", "os._exit(0)")], None, ["crashed"]),
    "breaks": (["import ctypes; ctypes.string_at(0)", RIGHT], "passed", ["crashed"]),
    "kills_itself": (["import os; os.kill(os.getpid(), 9)", RIGHT], "passed", ["killed"]),
    "endless": (["while True: pass", RIGHT], "passed", ["late"]),
    "endless_asked": ([RIGHT.replace("return", "while True: pass\n    return")], "late", []),
    "stubborn": (
        ["import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", RIGHT],
        "passed",
        ["late"],
    ),
    "catches_all": ([CATCHING, RIGHT], "passed", ["late"]),
    "raises_often": (["1 / 0"] * 30 + [RIGHT], "passed", ["cell_raised"] * 20 + ["more"]),
    "loud": ([SHOUTING, RIGHT], "passed", []),
    "floods": ([FLOOD, RIGHT], "passed", ["flood"]),
    "talks_out_of_turn": ([EVERYWHERE, RIGHT], "passed", ["junk"]),
    "closes_all": (["import os; os.closerange(0, 100)", RIGHT], "passed", ["crashed"]),
    "tells_of_success": (
        [RIGHT, LYING.format(told='Outcome({}, Failure("passed"))')],
        None,
        ["junk", "changes_checker"],
    ),
    "tells_of_mistakes": (
        [RIGHT, LYING.format(told='Outcome({}, Failure("mistake", {}, "<b>"))')],
        None,
        ["junk", "changes_checker"],
    ),
    "tells_nothing": ([RIGHT, LYING.format(told="Outcome({})")], None, ["junk", "changes_checker"]),
    "tells_much": (
        [RIGHT, LYING.format(told='Outcome({"normalized": torch.zeros(1 << 18)})')],
        None,
        ["junk", "changes_checker"],
    ),
    "tells_words": ([RIGHT, LYING.format(told='Outcome({"normalized": "<script>"})')], "type", ["changes_checker"]),
    "tells_other_names": (
        [RIGHT, LYING.format(told='Outcome({"normalized": inputs["X"], "<i>": 1.0})')],
        "property",
        ["changes_checker"],
    ),
    "raises_markup": ([RIGHT.replace("return", "raise ValueError('<script>alert(1)</script>')")], "raises", []),
    "patches_check": (["import bnlib.learn\nbnlib.learn.check = lambda *_: None", RIGHT], None, ["changes_checker"]),
    "patches_worker": (
        ["import sys\nfor name in list(sys.modules): sys.modules[name] = None", "1 + 1"],
        None,
        ["changes_checker"],
    ),
    "no_function": (["import bnlib; bnlib.learn.check('normalize', 3)"], "not_callable", []),
    "forges": ([FORGING, ZEROS], "property", ["changes_checker"]),
    "forges_exercise": ([FORGING_EXERCISE, ZEROS], "property", ["changes_checker"]),
    "another_device": (["import torch\ntorch.set_default_device('meta')", RIGHT], "passed", []),
    "complex": ([RIGHT.replace("+ eps)", "+ eps) + 0j")], "type", []),
    "misspelt": (["import bnlib; bnlib.learn.check('normalise', 3)", RIGHT], "passed", ["cell_raised"]),
    "waits": (["import asyncio\nawait asyncio.sleep(0.01)\nx = 2", "assert x == 2", RIGHT], "passed", []),
    "waits_forever": (["import asyncio\nawait asyncio.sleep(60)", "await asyncio.sleep(0)", RIGHT], "passed", ["late"]),
    "asks_the_shell": (["x = !ls\ny = %pwd\nassert (x, y) == ([], None)", RIGHT], "passed", []),
    "uses_the_report": ([USING_REPORTS], "passed", []),
    "zoe": (["%matplotlib inline\n!ls\n1 + 1", "%%bash\nls", "%%time\n" + RIGHT], "passed", []),
}
