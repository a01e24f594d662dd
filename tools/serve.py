"""Serve the built book on this machine alone: `serve.py [PORT]`, standard library only. Text travels compressed."""

import gzip
import io
import sys
from functools import lru_cache, partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BOOK = Path(__file__).resolve().parent.parent / "_build" / "html"
TEXT = {".html", ".css", ".js", ".svg", ".json", ".ipynb", ".txt", ".xml", ".csv", ".md"}


@lru_cache(maxsize=256)
def compressed(path: Path, changed: int) -> bytes:
    """A file's bytes under gzip; `changed`, its time in nanoseconds, tells one state of the file from the next."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


def takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding allows gzip: named, or by *, and not with a weight of zero."""
    weights = {}
    for part in header.split(","):
        name, _, weight = part.partition(";")
        value = weight.strip().removeprefix("q=") or "1"
        weights[name.strip().lower()] = value.strip("0.") != ""
    return weights.get("gzip", weights.get("*", False))


class Book(SimpleHTTPRequestHandler):
    """Files of the book; only errors are logged."""

    def send_head(self):
        """As the base class does, but text is compressed for those who say that they can read it."""
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.partition("?")[0].endswith("/"):
            path /= "index.html"
        asked_again = "If-Modified-Since" in self.headers  # the base class says when nothing has changed
        wants = takes_gzip(self.headers.get("Accept-Encoding", ""))
        if path.suffix not in TEXT or not path.is_file() or asked_again or not wants:
            return super().send_head()
        body = compressed(path, path.stat().st_mtime_ns)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self):
        self.send_header("Vary", "Accept-Encoding")
        super().end_headers()

    def log_request(self, code="-", size="-"):
        if str(code).startswith(("4", "5")):
            super().log_request(code, size)

    def send_error(self, code, message=None, explain=None):
        """The book's own page for an address that leads nowhere, as GitHub Pages shows it."""
        page = BOOK / "404.html"
        if code != 404 or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main(words):
    port = words[0] if words else "8000"
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        sys.exit(f"{port!r} is no port; expected a number from 1 to 65535, as in: make serve PORT=8001")
    if not (BOOK / "index.html").is_file():
        sys.exit("There is no book in _build/html yet; build it first with: make book")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(Book, directory=str(BOOK)))
    except OSError as error:
        another = int(port) % 65535 + 1
        sys.exit(f"Port {port} can't be used ({error.strerror}); take another one, as in: make serve PORT={another}")
    with server:
        print(f"The book is at http://127.0.0.1:{port}/ (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main(sys.argv[1:])
