"""Where the data comes from, with real files, real servers on this machine, real processes and Debian's
archive.

A regression here is silent elsewhere: wrong bytes would train a model just as well, only on something else.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bnlib.training.cache import Part, cache_folder, store
from bnlib.training.download import MirrorFailed, download
from bnlib.training.idx import FILES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, CorruptFile, unpack
from bnlib.training.sources import DataUnavailableError, Sources, default_sources, find

NAMES = [f"{file.name}.gz" for file in FILES]
NOWHERE = Sources(installed=None, mirrors=(), apt=False, timeout=1.0)


class Mirror:
    """A server for files on 127.0.0.1 that can misbehave, and remembers what it was asked for.

    status: instead of every file. hang: say nothing until closed. cuts: after how many bytes of its body each
    of the first connections ends. ranges: whether Range is honoured. held: wait for
    `go` after the first 64 KiB.
    """

    def __init__(self, files, *, status=200, hang=False, cuts=(), ranges=True, held=False):
        self.files, self.status, self.hang, self.ranges = files, status, hang, ranges
        self.cuts, self.asked, self.closing = list(cuts), [], threading.Event()
        self.some_sent, self.go = threading.Event(), threading.Event()
        if not held:
            self.go.set()

    def __enter__(self):
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *arguments):
                pass  # the tests' output is for the tests

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/data/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.closing.set()
        self.go.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        name, asked = request.path.removeprefix("/data/"), request.headers.get("Range")
        self.asked.append((name, asked))
        if self.hang:
            self.closing.wait(30)
            return
        if self.status != 200 or name not in self.files:
            request.send_error(self.status if self.status != 200 else 404)
            return
        body, start = self.files[name], 0
        if asked and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(body):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        self.send(request, body[start:])

    def send(self, request, body):
        if self.cuts:
            body = body[: self.cuts.pop(0)]
        for i in range(0, len(body), 1 << 16):
            try:
                request.wfile.write(body[i : i + (1 << 16)])
            except ConnectionError:  # the other side was killed, which is what one test is about
                return
            self.some_sent.set()
            self.go.wait(30)


@pytest.fixture(scope="module")
def real():
    """The real files as packed bytes, by name; without them there is nothing to test with."""
    found = find(default_sources(), lambda sentence: None)
    return {f"{file.name}.gz": piece.packed for file, piece in found.items()}


@pytest.fixture(scope="module")
def good_folder(real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for name, packed in real.items():
        (folder / name).write_bytes(packed)
    return folder


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def told():
    return []


def link(good, folder, **changed):
    """A folder of links to the good files, with some replaced by other bytes or, for None, left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        key = name.split("-ubyte")[0].replace("-", "_")
        if key not in changed:
            (folder / name).symlink_to(good / name)
        elif changed[key] is not None:
            (folder / name).write_bytes(changed[key])
    return folder


def flipped(packed):
    """One bit of the content changed."""
    at = len(packed) // 2
    return packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]


# --- one file, verified


@pytest.mark.parametrize(
    "damage, said",
    [
        (flipped, "is not used"),
        (lambda packed: packed[:-5000], "cut short"),
        (lambda packed: packed[:10], "cut short"),
        (lambda packed: b"", "0 bytes instead of 7,840,016"),
        (lambda packed: b"<html>please log in</html>", "26 bytes instead of 7,840,016"),
        (lambda packed: packed + b"more", "does not unpack"),
        (lambda packed: bytes(TEST_IMAGES.size), "begins with"),
    ],
)
def test_damaged_bytes_are_refused_by_name(real, damage, said):
    with pytest.raises(CorruptFile, match="^/some/place is not used: .*\\.$") as caught:
        unpack(damage(real["t10k-images-idx3-ubyte.gz"]), TEST_IMAGES, "/some/place")
    assert said in str(caught.value)


def test_one_file_is_not_taken_for_another(real):
    with pytest.raises(CorruptFile):
        unpack(real["train-labels-idx1-ubyte.gz"], TEST_LABELS, "place")


def test_plain_and_compressed_bytes_give_the_same(real):
    raw = unpack(real["t10k-labels-idx1-ubyte.gz"], TEST_LABELS, "place")
    assert unpack(raw, TEST_LABELS, "place") == raw and len(raw) == TEST_LABELS.size == 10_008


# --- one file, downloaded


def fetch_one(mirror, path=None, file=TEST_IMAGES, timeout=1.0):
    return download(f"{mirror.url}{file.name}.gz", file, Part(path), timeout)


def test_a_cut_connection_is_continued_where_it_stopped(real, tmp_path):
    name = "t10k-images-idx3-ubyte.gz"
    with Mirror(real, cuts=[1_000_000, 2_000_000]) as mirror:
        packed, _ = fetch_one(mirror, tmp_path / "x.part")
    assert packed == real[name]
    assert mirror.asked == [(name, None), (name, "bytes=1000000-"), (name, "bytes=3000000-")]
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_left_is_continued(real, tmp_path):
    name, part = "t10k-images-idx3-ubyte.gz", tmp_path / "x.part"
    with Mirror(real, cuts=[1_500_000, 0]) as mirror, pytest.raises(MirrorFailed, match="again and again"):
        fetch_one(mirror, part)
    assert part.read_bytes() == real[name][:1_500_000]
    with Mirror(real) as mirror:
        assert fetch_one(mirror, part)[0] == real[name]
    assert mirror.asked == [(name, "bytes=1500000-")]


def test_a_server_without_ranges_starts_anew(real, tmp_path):
    with Mirror(real, cuts=[1_000_000], ranges=False) as mirror:
        assert fetch_one(mirror, tmp_path / "x.part")[0] == real["t10k-images-idx3-ubyte.gz"]
    assert [asked for _, asked in mirror.asked] == [None, "bytes=1000000-"]


@pytest.mark.parametrize("left", ["complete", "longer", "other"])
def test_leftovers_of_any_kind_do_no_harm(real, tmp_path, left):
    packed, part = real["t10k-images-idx3-ubyte.gz"], tmp_path / "x.part"
    part.write_bytes({"complete": packed, "longer": packed + b"x", "other": bytes(1000)}[left])
    with Mirror(real) as mirror:  # answers 416 to the first two
        assert fetch_one(mirror, part)[0] == packed
    assert len(mirror.asked) == (1 if left == "complete" else 2)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_error_status_is_named(real, status):
    with Mirror(real, status=status) as mirror, pytest.raises(MirrorFailed, match=f"status {status}"):
        fetch_one(mirror)


def test_a_hanging_server_is_left(real):
    with Mirror(real, hang=True) as mirror, pytest.raises(MirrorFailed, match="within 0.3 seconds"):
        fetch_one(mirror, timeout=0.3)


@pytest.mark.parametrize("head, said", [(b"", "no answer"), (b"HTTP/1.0 200 OK\r\n\r\n", "less than 1,000 bytes")])
def test_a_server_that_trickles_is_left(head, said):
    def trickle():
        connection, _ = server.accept()
        with connection:
            connection.sendall(head)
            while not done.wait(0.05):
                connection.sendall(b"H")

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises(MirrorFailed, match=said):
                download(f"http://127.0.0.1:{server.getsockname()[1]}/", TEST_IMAGES, Part(None), 0.3)
        finally:
            done.set()
            thread.join()


def test_an_endless_body_is_refused(real):
    name = "t10k-labels-idx1-ubyte.gz"
    with (
        Mirror({name: bytes(1_000_000)}) as mirror,
        pytest.raises(CorruptFile, match="more than 10,008 bytes"),
    ):
        fetch_one(mirror, file=TEST_LABELS)


def test_a_disk_that_refuses_the_part_does_not_stop_the_download(real, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with Mirror(real, cuts=[100]) as mirror:
        assert fetch_one(mirror, tmp_path / "file" / "x.part")[0] == real["t10k-images-idx3-ubyte.gz"]


# --- the four files, from all places


def test_user_then_cache_then_installed(good_folder, tmp_path, told):
    user, cached = link(good_folder, tmp_path / "u", t10k_labels_idx1=None), link(good_folder, tmp_path / "c")
    found = find(Sources(user, cached, good_folder, (), False), told.append)
    assert found[TRAIN_IMAGES].origin == str(user) and found[TEST_LABELS].origin == str(cached)
    assert len(told) == 1 and str(user) in told[0] and "t10k-labels-idx1-ubyte.gz" in told[0]
    found = find(Sources(None, tmp_path / "empty", good_folder, (), False), told.append)
    assert {piece.origin for piece in found.values()} == {str(good_folder)} and len(told) == 1
    assert not (tmp_path / "empty").exists()  # nothing to fetch, nothing to write


@pytest.mark.parametrize("layout", ["fashion-mnist", "FashionMNIST/raw"])
def test_usual_layouts_are_understood(good_folder, tmp_path, told, layout):
    link(good_folder, tmp_path / layout)
    assert find(Sources(tmp_path, None, None, (), False), told.append)[TEST_LABELS].origin.endswith(layout)
    assert told == []


def test_a_corrupt_file_of_the_user_is_refused_and_left_alone(real, good_folder, tmp_path, told):
    bad = flipped(real["t10k-images-idx3-ubyte.gz"])
    user = link(good_folder, tmp_path / "u", t10k_images_idx3=bad)
    found = find(Sources(user, None, good_folder, (), False), told.append)
    assert found[TEST_IMAGES].origin == str(good_folder) and found[TEST_LABELS].origin == str(user)
    assert told[0].startswith(f"{user / 't10k-images-idx3-ubyte.gz'} is not used: ")
    assert (user / "t10k-images-idx3-ubyte.gz").read_bytes() == bad


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_user_folder_that_is_none_is_named(good_folder, tmp_path, told, place):
    (tmp_path / "file").write_text("not a folder")
    find(Sources(tmp_path / place, None, good_folder, (), False), told.append)
    assert len(told) == 1 and str(tmp_path / place) in told[0]


@pytest.mark.parametrize("damage", [flipped, lambda packed: packed[:-5000]])
@pytest.mark.parametrize("mend", ["installed", "mirror"])
def test_a_corrupt_cache_file_is_refused_by_name_and_replaced(real, good_folder, tmp_path, told, damage, mend):
    name = "t10k-images-idx3-ubyte.gz"
    cached = link(good_folder, tmp_path / "c", t10k_images_idx3=damage(real[name]))
    with Mirror(real) as mirror:
        places = (good_folder, ()) if mend == "installed" else (None, (mirror.url,))
        find(Sources(None, cached, *places, False), told.append)
    assert len(told) == 1 and told[0].startswith(f"{cached / name} is not used: ")
    assert (cached / name).read_bytes() == real[name]
    assert mirror.asked == ([] if mend == "installed" else [(name, None)])


def test_a_mirror_fills_the_cache_and_is_not_asked_again(real, tmp_path, told):
    with Mirror(real) as mirror:
        sources = Sources(None, tmp_path / "a" / "b", None, (mirror.url,), False)
        found = find(sources, told.append)
        assert mirror.asked == [(name, None) for name in NAMES]
        again = find(sources, told.append)
    assert len(mirror.asked) == 4 and told == []
    assert {piece.origin for piece in found.values()} == {mirror.url}
    assert [again[file].raw for file in FILES] == [found[file].raw for file in FILES]
    assert sorted(path.name for path in sources.cache.iterdir()) == sorted([*NAMES, "fetch.lock"])


@pytest.mark.parametrize("trouble", ["down", "404", "hanging", "cut"])
def test_the_next_mirror_goes_on(real, tmp_path, told, trouble):
    kinds = {"404": {"status": 404}, "hanging": {"hang": True}, "cut": {"cuts": [5_000_000] + [0] * 30}}
    with Mirror(real, **kinds.get(trouble, {})) as bad, Mirror(real) as good:
        first = bad.url
        if trouble == "down":
            with socket.create_server(("127.0.0.1", 0)) as unused:  # a port that nobody listens on afterwards
                first = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        found = find(Sources(None, tmp_path, None, (first, good.url), False, timeout=0.5), told.append)
    assert {piece.origin for piece in found.values()} == {good.url} and told == []
    assert list(tmp_path.glob("*.part")) == []


def test_a_corrupt_mirror_is_refused_by_name_and_the_next_one_asked(real, tmp_path, told):
    name = "t10k-images-idx3-ubyte.gz"
    with Mirror({**real, name: flipped(real[name])}) as bad, Mirror(real) as good:
        find(Sources(None, tmp_path, None, (bad.url, good.url), False), told.append)
    assert len(told) == 1 and told[0].startswith(f"{bad.url}{name} is not used: ")
    assert [asked for asked, _ in good.asked] == [name, "t10k-labels-idx1-ubyte.gz"]
    assert (tmp_path / name).read_bytes() == real[name]


def test_a_cache_that_cannot_be_written_is_reported_once(real, tmp_path, told):
    (tmp_path / "file").write_text("where the folder should be")
    with Mirror(real) as mirror:
        found = find(Sources(None, tmp_path / "file" / "cache", None, (mirror.url,), False), told.append)
    assert len(found) == 4 and len(told) == 1
    assert str(tmp_path / "file" / "cache") in told[0] and "can't be written" in told[0]


def test_without_any_source_the_failures_are_named_grouped_by_reason(real, told):
    with Mirror(real, status=404) as one, Mirror(real, status=404) as two:
        sources = Sources(None, None, None, (one.url, two.url), False)
        with pytest.raises(DataUnavailableError, match=r"\(127.0.0.1, 127.0.0.1: .* status 404\)"):
            find(sources, told.append)
    with pytest.raises(DataUnavailableError, match="no source was left to try"):
        find(NOWHERE, told.append)


# --- processes

FETCH = """
import sys
from pathlib import Path
from bnlib.training.fashion_mnist import fetch
from bnlib.training.sources import Sources
print(fetch(sources=Sources(None, Path(sys.argv[1]), None, (sys.argv[2],), False)))
"""


def fetching_process(folder, mirror):
    command = [sys.executable, "-W", "error", "-c", FETCH, str(folder), mirror.url]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once_fetch_once(real, tmp_path):
    with Mirror(real, held=True) as mirror:
        first = fetching_process(tmp_path, mirror)
        assert mirror.some_sent.wait(30)
        second = fetching_process(tmp_path, mirror)
        waiting = second.stderr.readline()
        mirror.go.set()
        ends = [(*process.communicate(timeout=30), process.returncode) for process in (first, second)]
    assert waiting == f"Another process is fetching Fashion-MNIST into {tmp_path}; waiting for it.\n"
    for output, errors, status in ends:
        assert status == 0 and "60,000 training" in output and errors == ""  # no progress bar in a pipe
    assert [name for name, _ in mirror.asked] == NAMES  # the second took what the first had brought
    assert all((tmp_path / name).read_bytes() == real[name] for name in NAMES)


def test_after_a_kill_the_next_process_continues(real, tmp_path, told):
    with Mirror(real, held=True) as mirror:
        process = fetching_process(tmp_path, mirror)
        assert mirror.some_sent.wait(30)
        while not (parts := [part for part in tmp_path.glob("*.part") if part.stat().st_size]):
            assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        before = parts[0].stat().st_size
        mirror.go.set()
        find(Sources(None, tmp_path, None, (mirror.url,), False), told.append)
    assert (NAMES[0], f"bytes={before}-") in mirror.asked
    assert told == [] and (tmp_path / NAMES[0]).read_bytes() == real[NAMES[0]]


# --- Debian's archive, and the folders of this platform


def test_debians_archive_is_the_last_resort(tmp_path, told):
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("no apt-get and dpkg on this machine: Debian's archive was not tried")
    try:
        found = find(Sources(None, tmp_path, None, (), True), told.append)
    except DataUnavailableError as error:
        pytest.skip(f"Debian's archive is out of reach: {error}")
    assert {piece.origin for piece in found.values()} == {"Debian's package archive"} and told == []
    assert sorted(path.name for path in tmp_path.glob("*.gz")) == sorted(NAMES)


def test_without_apt_the_reason_is_said(monkeypatch, told):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataUnavailableError, match="apt-get: there is no apt-get"):
        find(Sources(None, None, None, (), True), told.append)


def test_default_places_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("BNLIB_DATA", "~/data")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_sources().user == Path.home() / "data"
    assert default_sources().cache == tmp_path / "bnlib" / "fashion-mnist"
    monkeypatch.setenv("BNLIB_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert default_sources().user is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "bnlib" / "fashion-mnist"
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path.home() / ".cache" / "bnlib" / "fashion-mnist"


def test_a_failed_write_leaves_no_litter(tmp_path):
    (tmp_path / "name").mkdir()
    with pytest.raises(OSError):
        store(tmp_path, "name", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
