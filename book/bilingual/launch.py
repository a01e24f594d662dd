"""Buttons of a notebook's page: download it, open it in Colab or on Binder.

The repository's address stands in one field, `repository: url:` of _config.yml. While it is empty, both buttons
lead to a page that says how to open a downloaded notebook in Colab, and what Binder waits for.
"""

from pathlib import Path
from urllib.parse import quote

from sphinx.errors import ConfigError

from bilingual.languages import language_of

_GITHUB = "https://github.com/"
_ICONS = {"Colab": "fas fa-play", "Binder": "fas fa-rocket"}
_SAID = {
    "en": {
        "download": "Download this notebook (.ipynb)",
        "Colab": "Open in Colab",
        "Binder": "Open on Binder",
        "print": "Print or save as PDF",
    },
    "zh": {
        "download": "下载本页的笔记本（.ipynb）",
        "Colab": "在Colab中打开",
        "Binder": "在Binder中打开",
        "print": "打印或存为PDF",
    },
}


def setup(app) -> None:
    app.connect("config-inited", _check_address, priority=400)  # before the theme, whose message names no remedy
    app.connect("html-page-context", _buttons, priority=600)  # after the theme has made its list


def _buttons(app, pagename, templatename, context, doctree) -> None:
    """Set `page_links` and `page_actions`, which article-header-buttons.html shows instead of the theme's buttons."""
    language = language_of(pagename)
    context["header_buttons"] = []
    if language is None:
        return
    said = _SAID[language]
    context["page_actions"] = {"print": said["print"]}
    if Path(app.env.doc2path(pagename)).suffix != ".ipynb":
        return
    notebook = f"{pagename}.ipynb"
    file = {"url": f"{context['pathto']('_sources', 1)}/{notebook}", "download": notebook.rsplit("/", 1)[1]}
    context["page_links"] = [{"text": ".ipynb", "icon": "fas fa-download", "tooltip": said["download"], **file}]
    instructions = context["pathto"](f"chapters/{language}/colab")
    for name, url in _hosts(app.config, notebook) or [(name, instructions) for name in _ICONS]:
        context["page_links"].append({"url": url, "text": name, "icon": _ICONS[name], "tooltip": said[name]})


def _repository(config) -> str:
    """owner/name, or nothing while the address is unknown."""
    url = config.html_theme_options.get("repository_url") or ""
    return url.removeprefix(_GITHUB).rstrip("/").removesuffix(".git")


def _check_address(app, config) -> None:
    url, name = config.html_theme_options.get("repository_url") or "", _repository(config)
    if url and not (url.startswith(_GITHUB) and name.count("/") == 1 and all(name.split("/"))):
        raise ConfigError(f"repository: url: in _config.yml is {url!r}; expected {_GITHUB}owner/name")


def _hosts(config, notebook: str) -> list[tuple[str, str]]:
    """(name, address) of the hosts that run a notebook of the repository; none while its address is unknown."""
    name = _repository(config)
    branch = config.html_theme_options.get("repository_branch") or "main"
    if not name:
        return []
    return [
        ("Colab", f"https://colab.research.google.com/github/{name}/blob/{branch}/{notebook}"),
        ("Binder", f"https://mybinder.org/v2/gh/{name}/{quote(branch, safe='')}?urlpath=lab/tree/{notebook}"),
    ]
