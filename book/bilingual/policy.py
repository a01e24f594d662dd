"""What a page may load and run: files that lie beside it, nothing else. Said in each page, for browsers to enforce.

Nothing is asked of another host, no script stands in a page, none is made from text (eval). Styles may stand in a
page: figures and mathematics have some. A page can say this itself, so it holds on every host and for pages opened from
files.
"""

import hashlib
import re
from pathlib import Path

POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'"
)
META = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
_INLINE = re.compile(r"<script\b(?P<attributes>(?![^>]*\b(?:src|type)=)[^>]*)>(?P<body>.*?)</script>", re.DOTALL)
_FOLDER = "inline"


def scripts_into_files(page: str, root: str, static: Path) -> str:
    """The page's text with each script that stands in it moved to a file; `root` leads from the page to the top."""

    def moved(match: re.Match) -> str:
        body = match["body"].strip()
        name = f"{hashlib.sha256(body.encode()).hexdigest()[:16]}.js"
        (static / _FOLDER).mkdir(exist_ok=True)
        (static / _FOLDER / name).write_text(body + "\n", encoding="utf-8")
        return f'<script src="{root}_static/{_FOLDER}/{name}"></script>'

    return _INLINE.sub(moved, page)
