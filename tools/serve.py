"""Serve the built book on this machine alone: `serve.py [PORT]`, standard library only."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BOOK = Path(__file__).resolve().parent.parent / "_build" / "html"


class Quiet(SimpleHTTPRequestHandler):
    """Files of the book; only errors are logged."""

    def log_request(self, code="-", size="-"):
        if str(code).startswith(("4", "5")):
            super().log_request(code, size)


def main(words):
    port = words[0] if words else "8000"
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        sys.exit(f"{port!r} is no port; expected a number from 1 to 65535, as in: make serve PORT=8001")
    if not (BOOK / "index.html").is_file():
        sys.exit("There is no book in _build/html yet; build it first with: make book")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(Quiet, directory=str(BOOK)))
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
