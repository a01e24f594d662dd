"""Buttons of a notebook's page: download it, open it in Colab, on Binder, or in a JupyterLab of one's own.

The repository's address stands in one field, `repository: url:` of _config.yml. While it is empty, the buttons of
Colab and Binder lead to a page that says how to open a downloaded notebook in Colab, and what Binder waits for.
"""

from pathlib import Path

from sphinx.errors import ConfigError

from bilingual.addresses import GITHUB, binder, colab, is_repository, repository
from bilingual.languages import language_of

_ICONS = {"Colab": "fas fa-play", "Binder": "fas fa-rocket", "JupyterLab": "fas fa-laptop-code"}
_SAID = {
    "en": {
        "download": "Download this notebook (.ipynb)",
        "Colab": "Open in Colab",
        "Binder": "Open on Binder",
        "JupyterLab": "Open in JupyterLab on your own machine: how to",
        "print": "Print or save as PDF",
    },
    "zh": {
        "download": "下载本页的笔记本（.ipynb）",
        "Colab": "在Colab中打开",
        "Binder": "在Binder中打开",
        "JupyterLab": "怎样在自己电脑上的JupyterLab中打开",
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
    hosts = _hosts(app.config, notebook) or dict.fromkeys(("Colab", "Binder"), f"chapters/{language}/colab")
    for name, place in {**hosts, "JupyterLab": f"chapters/{language}/local"}.items():
        elsewhere = place.startswith("https://")
        if not elsewhere and place not in app.env.found_docs:  # a book need not explain this
            continue
        url = place if elsewhere else context["pathto"](place)
        context["page_links"].append({"url": url, "text": name, "icon": _ICONS[name], "tooltip": said[name]})


def _check_address(app, config) -> None:
    url = config.html_theme_options.get("repository_url") or ""
    if url and not is_repository(url):
        raise ConfigError(f"repository: url: in _config.yml is {url!r}; expected {GITHUB}owner/name")


def _hosts(config, notebook: str) -> dict[str, str]:
    """The addresses of the hosts that run a notebook of the repository; none while its address is unknown."""
    name = repository(config.html_theme_options.get("repository_url") or "")
    branch = config.html_theme_options.get("repository_branch") or "main"
    return {"Colab": colab(name, branch, notebook), "Binder": binder(name, branch, notebook)} if name else {}
