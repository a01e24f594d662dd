"""What all widgets share: one JavaScript module in the kernel's page and in the built book, and a still picture.

In a live kernel a widget is an ipywidget (by anywidget), whose traits Python can read, set and observe. Its stored
output is a `<div class="bnlib-widget">` that carries its state and a still picture: hosts that run no scripts show the
picture, the book draws the same module over it.
"""

import json
import re
from html import escape
from pathlib import Path

import anywidget
from traitlets import Dict, Unicode

from bnlib import language

_HERE = Path(__file__).parent


def module(name: str) -> str:
    """The text of a widget's JavaScript module: bnlib/learn/NAME.js behind the parts that its second line names."""
    own = (_HERE / f"{name}.js").read_text(encoding="utf-8")
    parts = re.search(r"(?m)^// Stands on (.+)\.$", own)[1].split(", ")
    return "\n".join([*((_HERE / "parts" / f"{part}.js").read_text(encoding="utf-8") for part in parts), own])


def fixed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign; whatever rounds to zero is written without one (`fixed` in frame.js)."""
    return f"{value:z.{digits}f}".replace("-", "−")


class CourseWidget(anywidget.AnyWidget):
    """Base class: a subclass names its module, declares its state by `bnlib.learn.traits`, and draws its still picture.

    The words that it shows are those of the tables [widget] and [widget_NAME] of the language it is made in.
    """

    name = ""  # of the module bnlib/learn/NAME.js

    lang = Unicode().tag(sync=True)
    strings = Dict().tag(sync=True)
    limits = Dict().tag(sync=True)  # state trait -> its bounds, or the values that it may take
    data = Dict().tag(sync=True)  # what runs have measured, where a widget shows that
    initial = Dict().tag(sync=True)  # the state that a reset goes back to; in the book, the stored one

    _ipython_display_ = None  # ipywidgets 7, as on Colab, would otherwise drop the stored text/html

    def __init_subclass__(cls, **kwargs) -> None:
        if "name" in vars(cls):  # anywidget derives classes of its own from ours
            cls._esm = module(cls.name)
        super().__init_subclass__(**kwargs)

    def __init__(self, **state) -> None:
        unknown = set(state) - set(self.traits(state=True))
        if unknown:
            expected = ", ".join(sorted(self.traits(state=True)))
            raise TypeError(f"{type(self).__name__} got {', '.join(sorted(unknown))}; expected {expected}")
        own = {**language.messages("widget"), **language.messages(f"widget_{self.name}")}
        limits = {name: trait.limits() for name, trait in sorted(self.traits(state=True).items())}
        self.marks = language.messages("punctuation")  # of the words that Python alone puts together
        super().__init__(lang=language.current(), strings=own, limits=limits, data=self.measured(), **state)
        self.initial = {name: getattr(self, name) for name in limits}
        self.observe(lambda change: self._compute(), names=list(limits))
        self._compute()

    def _compute(self) -> None:
        """Set the computed traits from the state, after each change of it; a widget may have none."""

    def measured(self) -> dict:
        """What the widget shows of recorded runs, as JSON can hold it; nothing, unless a subclass says otherwise."""
        return {}

    def picture(self) -> str:
        """The still picture, as HTML, for where no script runs."""
        raise NotImplementedError(f"{type(self).__name__} has no picture()")

    def say(self, key: str, **values: object) -> str:
        """A sentence of the widget in its own language, with `{name}` fields filled in."""
        return self.strings[key].format(**values)

    def stored_html(self) -> str:
        """The output that is stored in a notebook: state and picture, the same bytes for the same state."""
        names = [*self.traits(state=True), "lang", "strings", "limits", *(["data"] if self.data else [])]
        state = {name: getattr(self, name) for name in names}
        text = json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        carried = escape(text, quote=False).replace("'", "&#39;")  # its double quotes stay one byte each
        return (
            f'<div class="bnlib-widget" lang="{self.lang}" data-widget="{self.name}" data-state=\'{carried}\'>'
            f"{self.picture()}</div>"
        )

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/html": self.stored_html(), "text/plain": type(self).__name__}, metadata
