"""Buttons of a notebook's page: download it, open it in Colab or on Binder; and the library as one file for Colab.

The repository's address stands in one field, `repository: url:` of _config.yml. While it is empty, the Colab button
leads to a page that says how to open a downloaded notebook there.
"""

import zipfile
from pathlib import Path

from sphinx.errors import ConfigError

from bilingual.languages import language_of

LIBRARY = "bn-course.zip"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes
_SAID = {
    "en": {
        "download": "Download this notebook",
        "colab": "Open in Colab",
        "binder": "Open on Binder",
        "print": "Print or save as PDF",
        "fullscreen": "Full screen",
        "text": "notebook",
    },
    "zh": {
        "download": "下载这个笔记本",
        "colab": "在Colab中打开",
        "binder": "在Binder中打开",
        "print": "打印或存为PDF",
        "fullscreen": "全屏",
        "text": "笔记本",
    },
}


def setup(app) -> None:
    app.connect("html-page-context", _buttons, priority=600)  # after the theme has made its list
    app.connect("build-finished", _pack_library)


def _buttons(app, pagename, templatename, context, doctree) -> None:
    language = language_of(pagename)
    if language is None:
        context["header_buttons"] = []
        return
    said = _SAID[language]
    links = []
    if Path(app.env.doc2path(pagename)).suffix == ".ipynb":
        notebook = f"{pagename}.ipynb"
        links.append(
            {
                "url": f"{context['pathto']('_sources', 1)}/{notebook}",
                "text": ".ipynb",
                "icon": "fas fa-download",
                "tooltip": said["download"],
                "download": notebook.rsplit("/", 1)[1],
            }
        )
        for name, url in _hosts(app, context, notebook, language):
            icon = {"colab": "fas fa-play", "binder": "fas fa-rocket"}[name]
            links.append({"url": url, "text": name.capitalize(), "icon": icon, "tooltip": said[name]})
    context["header_buttons"] = []
    context["page_links"] = links
    context["page_actions"] = said


def _hosts(app, context, notebook: str, language: str) -> list[tuple[str, str]]:
    """(name, address) for Colab and Binder; the page of instructions while the repository is unknown."""
    url = app.config.html_theme_options.get("repository_url", "").rstrip("/")
    branch = app.config.html_theme_options.get("repository_branch") or "main"
    if not url:
        how = context["pathto"](f"chapters/{language}/colab")
        return [("colab", how)]
    prefix, _, name = url.partition("https://github.com/")
    if prefix or name.count("/") != 1:
        raise ConfigError(f"repository: url: in _config.yml is {url!r}; expected https://github.com/owner/name")
    return [
        ("colab", f"https://colab.research.google.com/github/{name}/blob/{branch}/{notebook}"),
        ("binder", f"https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{notebook}"),
    ]


def _pack_library(app, exception) -> None:
    """Write the library's sources beside the pages that offer them, as an archive that pip installs."""
    if exception is not None or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    sources = [root / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    library = sorted(path for path in (root / "bnlib").rglob("*") if path.is_file())
    sources += [path for path in library if "__pycache__" not in path.parts]
    for language in ("en", "zh"):
        target = Path(app.outdir) / "chapters" / language / LIBRARY
        if not target.parent.is_dir():
            continue
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sources:
                entry = zipfile.ZipInfo(f"bn-course/{path.relative_to(root).as_posix()}", _FIXED_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
