"""What all widgets share: one JavaScript module in the kernel's page and in the built book, and a still picture.

In a live kernel a widget is an ipywidget (by anywidget), whose traits Python can read, set and observe. Its stored
output is a `<div class="bnlib-widget">` that carries its state and a still picture: hosts that run no scripts show the
picture, the book draws the same module over it.
"""

import json
from html import escape
from pathlib import Path

import anywidget
from traitlets import Dict, Unicode

from bnlib import language

HERE = Path(__file__).parent  # of the modules: a subclass says _esm = HERE / "NAME.js"


class CourseWidget(anywidget.AnyWidget):
    """Base class: a subclass names its module, the traits that make up its state, and draws its still picture."""

    name = ""  # of the module bnlib/learn/NAME.js
    state_names: tuple[str, ...] = ()  # traits that the module reads
    string_names: tuple[str, ...] = ()  # entries of the table [widget] that it shows

    lang = Unicode().tag(sync=True)
    strings = Dict().tag(sync=True)

    _ipython_display_ = None  # ipywidgets 7, as on Colab, would otherwise drop the stored text/html

    def __init__(self, **state) -> None:
        strings = {name: language.message(f"widget.{name}") for name in self.string_names}
        super().__init__(lang=language.current(), strings=strings, **state)

    def picture(self) -> str:
        """The still picture, as HTML, for where no script runs."""
        raise NotImplementedError(f"{type(self).__name__} has no picture()")

    def stored_html(self) -> str:
        """The output that is stored in a notebook: state and picture, the same bytes for the same state."""
        state = {name: getattr(self, name) for name in (*self.state_names, "lang", "strings")}
        carried = escape(json.dumps(state, ensure_ascii=False, sort_keys=True), quote=True)
        return (
            f'<div class="bnlib-widget" lang="{self.lang}" data-widget="{self.name}" data-state="{carried}">'
            f"{self.picture()}</div>"
        )

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/html": self.stored_html(), "text/plain": type(self).__name__}, metadata
