"""Mathematics from local files: MathJax from the package sphinx-mathjax-offline, only the parts a page can ask for."""

import shutil
from importlib.util import find_spec
from pathlib import Path

_PARTS = (
    "tex-mml-chtml.js",
    "input/tex/extensions",  # loaded when a formula first uses one of their macros, as \boldsymbol does
    "output/chtml/fonts/woff-v2",
)


def setup(app) -> None:
    app.connect("config-inited", _configure)
    app.connect("build-finished", _copy)


def _configure(app, config) -> None:
    config.mathjax_path = f"mathjax/{_PARTS[0]}"
    config.mathjax_options = {"defer": "defer"}
    config.mathjax3_config = {
        "options": {
            "ignoreHtmlClass": "tex2jax_ignore|mathjax_ignore",
            "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area",
            "enableMenu": False,  # its dialogs ask for files that are not here
        },
    }


def _copy(app, exception) -> None:
    if exception is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0]) / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in _PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(source / part, target / part)
