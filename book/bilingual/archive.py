"""The whole book to take along: the built pages as one archive that opens from files, and the PDFs if there are any.

Every page names both at its foot, except in the archive, which holds neither itself nor the PDFs. A PDF is offered
where `make pdf` has printed it before the pages were built.
"""

import re
import shutil
import zipfile
from pathlib import Path

from bilingual import settings
from bilingual.languages import CODES, language_of

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the same pages give the same bytes
_LAST = 999  # after everything else that writes into the built book
_PACKED_ALREADY = {".zip", ".pdf", ".woff", ".woff2", ".png", ".webp", ".xz"}
_SAID = {
    "en": {"zip": "The whole book to read offline (.zip)", "pdf": "The book as PDF"},
    "zh": {"zip": "下载整本书，离线阅读（.zip）", "pdf": "PDF版"},
}
_MENTION = re.compile(r'<p class="whole-book"[^>]*>.*?</p>\n?', re.S)


def setup(app) -> None:
    app.add_config_value("bilingual_pdfs", [], "html")  # pages are written again when a PDF appears
    app.connect("config-inited", _find_pdfs)
    app.connect("html-page-context", _name_them, priority=450)  # after pages.py has written the foot
    app.connect("build-finished", _pack, priority=_LAST)


def _printed(app) -> Path:
    return Path(app.outdir).parent / "pdf"


def _find_pdfs(app, config) -> None:
    config.bilingual_pdfs = [code for code in CODES if (_printed(app) / settings.of(app).pdf(code)).is_file()]


def _name_them(app, pagename, templatename, context, doctree) -> None:
    """Add the links to the foot of a page: in its language, or in both."""
    language, own = language_of(pagename), settings.of(app)
    for code in [language] if language else CODES:
        links = [f'<a href="{context["pathto"](own.archive, 1)}" download>{_SAID[code]["zip"]}</a>']
        if code in app.config.bilingual_pdfs:
            links.append(f'<a href="{context["pathto"](own.pdf(code), 1)}">{_SAID[code]["pdf"]}</a>')
        line = f'<p class="whole-book" lang="{CODES[code]}">{" · ".join(links)}</p>'
        context["theme_extra_footer"] = context.get("theme_extra_footer", "") + "\n" + line


def _pack(app, exception) -> None:
    if exception is not None or app.builder.format != "html":
        return
    built, own = Path(app.outdir), settings.of(app)
    for code in CODES:
        (built / own.pdf(code)).unlink(missing_ok=True)
        if code in app.config.bilingual_pdfs:
            shutil.copyfile(_printed(app) / own.pdf(code), built / own.pdf(code))
    pack(built, own)


def pack(built: Path, own: settings.Settings) -> Path:
    """Write the archive into the folder of the built pages: its files without what is to be taken along instead."""
    left_out = {own.archive, *map(own.pdf, CODES)}
    files = [path for path in built.rglob("*") if path.is_file() and not path.name.startswith(".")]
    part = built / ".part"
    with zipfile.ZipFile(part, "w") as archive:
        for path in sorted(files, key=lambda path: path.relative_to(built).as_posix()):
            if path.relative_to(built).as_posix() in left_out:
                continue
            data = path.read_bytes()
            if path.suffix == ".html":
                data = _MENTION.sub("", data.decode("utf-8")).encode("utf-8")
            entry = zipfile.ZipInfo(f"{own.name}/{path.relative_to(built).as_posix()}", _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in _PACKED_ALREADY else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return part.replace(built / own.archive)
