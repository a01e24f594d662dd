"""One file from one address, with time limit and progress bar, continued where an earlier attempt stopped."""

import http.client
import re
import threading
import time
from queue import Empty, SimpleQueue
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bnlib.language import message
from bnlib.training.cache import Part
from bnlib.training.idx import CorruptFile, IdxFile, unpack
from bnlib.training.progress import is_watched, tqdm

CHUNK = 1 << 17  # bytes read at once
ATTEMPTS = 20  # connections for one file, each of which must bring something
SLOWEST = 1000  # bytes a second; a server slower than this counts as hanging
SLACK = 4096  # gzip never makes a file longer than this above its plain size


class MirrorFailed(Exception):
    """An address gave nothing usable; the text says why, without the address."""


def download(url: str, file: IdxFile, part: Part, timeout: float) -> tuple[bytes, bytes]:
    """Fetch and verify one file.

    Args:
        url: http or https.
        part: keeps what has arrived, and may hold what an earlier run left.
        timeout: seconds of silence after which a server counts as hanging.

    Returns:
        The bytes as they came, and decompressed and verified.

    Raises:
        MirrorFailed: no connection, an error status, a hanging or repeatedly cut connection.
        CorruptFile: everything came, and it is not the file.
    """
    data = bytearray(part.read())
    had_leftover = len(data) > 0
    try:
        _complete(url, data, part, timeout, file)
        raw = unpack(bytes(data), file, url)
    except CorruptFile:
        part.remove()
        if not had_leftover:
            raise
        return download(url, file, Part(None), timeout)  # perhaps only the leftover was bad: all of it anew
    part.remove()
    return bytes(data), raw


def _complete(url: str, data: bytearray, part: Part, timeout: float, file: IdxFile) -> None:
    """Connect until `data`, which grows in place, is complete or a connection brings nothing."""
    for _ in range(ATTEMPTS):
        before = len(data)
        try:
            if _receive(url, data, part, timeout, file):
                return
            failure = message("data.connection_cut")
        except HTTPError as error:
            error.close()
            if error.code == 416 and data:  # nothing follows: complete, or not this file
                return
            raise MirrorFailed(message("data.http_status", code=error.code)) from None
        except (OSError, http.client.HTTPException) as error:
            failure = _reason(error, timeout)
        if len(data) <= before:
            break
    raise MirrorFailed(failure)


def _receive(url: str, data: bytearray, part: Part, timeout: float, file: IdxFile) -> bool:
    """One connection: append to `data` what it brings, and say whether that is all."""
    headers = {"User-Agent": "bnlib"}
    if data:
        headers["Range"] = f"bytes={len(data)}-"
    with _open(Request(url, headers=headers), timeout) as response:
        restart = not _continues(response, len(data))
        if restart:
            data.clear()
        total = None if response.length is None else len(data) + response.length
        begun, started = len(data), time.monotonic()
        with _bar(url, file, total, begun) as bar:
            while chunk := response.read1(CHUNK):
                data += chunk
                if len(data) > file.size + SLACK:
                    raise CorruptFile(url, message("data.too_long", expected=file.size))
                part.write(chunk, restart=restart)
                restart = False
                bar.update(len(chunk))
                if time.monotonic() - started > timeout + (len(data) - begun) / SLOWEST:
                    raise MirrorFailed(message("data.too_slow", rate=SLOWEST))
    return total is None or len(data) >= total


def _open(request: Request, timeout: float) -> http.client.HTTPResponse:
    """urlopen within `timeout` in all; its own limit holds for every address of a host anew."""
    answers: SimpleQueue[http.client.HTTPResponse | Exception] = SimpleQueue()
    given_up = threading.Event()

    def connect() -> None:
        try:
            answer = urlopen(request, timeout=timeout)
        except Exception as error:  # whatever it is, it is raised below, where it can be handled
            answer = error
        if given_up.is_set() and not isinstance(answer, Exception):
            answer.close()
        answers.put(answer)

    threading.Thread(target=connect, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout + 1)  # a second more, so that urlopen's own error comes first
    except Empty:
        given_up.set()
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _continues(response: http.client.HTTPResponse, start: int) -> bool:
    """Whether the server honoured the Range that was asked for, and from the right byte."""
    given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status == 206 and given is not None and int(given[1]) == start


def _reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return message("data.timed_out", seconds=timeout)
    return message("data.no_connection", error=getattr(cause, "strerror", None) or cause)


def _bar(url: str, file: IdxFile, total: int | None, initial: int) -> tqdm:
    return tqdm(
        desc=f"{file.name} ({urlsplit(url).hostname})",
        total=total,
        initial=initial,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        dynamic_ncols=True,
        disable=not is_watched(),
    )
