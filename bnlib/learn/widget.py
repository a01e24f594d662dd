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


class PageWidget(anywidget.AnyWidget):
    """What is drawn by one module in a kernel's page and in the built book, and stored with a still picture.

    A subclass names its module and says what of it is stored. Its words are those of the language it is made in.
    """

    name = ""  # of the module bnlib/learn/NAME.js
    key = ""  # of one among several on a page: "exercise.normalize" is found under #exercise-normalize

    lang = Unicode().tag(sync=True)
    strings = Dict().tag(sync=True)

    _ipython_display_ = None  # ipywidgets 7, as on Colab, would otherwise drop the stored text/html

    def __init_subclass__(cls, **kwargs) -> None:
        if "name" in vars(cls):  # anywidget derives classes of its own from ours
            cls._esm = module(cls.name)
        super().__init_subclass__(**kwargs)

    def carried(self) -> dict:
        """What the module needs in a page without a kernel, as JSON can hold it."""
        raise NotImplementedError(f"{type(self).__name__} has no carried()")

    def picture(self) -> str:
        """What stands where no script runs, as HTML."""
        raise NotImplementedError(f"{type(self).__name__} has no picture()")

    def say(self, key: str, **values: object) -> str:
        """A sentence of the widget in its own language, with `{name}` fields filled in."""
        return self.strings[key].format(**values)

    def stored_html(self) -> str:
        """The output that is stored in a notebook: state and picture, the same bytes for the same state."""
        text = json.dumps(self.carried(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        state = escape(text, quote=False).replace("'", "&#39;")  # its double quotes stay one byte each
        key = f' data-key="{self.key}"' if self.key else ""
        return (
            f'<div class="bnlib-widget" lang="{self.lang}" data-widget="{self.name}"{key} data-state=\'{state}\'>'
            f"{self.picture()}</div>"
        )

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/html": self.stored_html(), "text/plain": type(self).__name__}, metadata


class CourseWidget(PageWidget):
    """Base class of the widgets that show one idea: a subclass declares its state by `bnlib.learn.traits`.

    The words that it shows are those of the tables [widget] and [widget_NAME].
    """

    limits = Dict().tag(sync=True)  # state trait -> its bounds, or the values that it may take
    data = Dict().tag(sync=True)  # what runs have measured, where a widget shows that
    initial = Dict().tag(sync=True)  # the state that a reset goes back to; in the book, the stored one

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

    def carried(self) -> dict:
        names = [*self.traits(state=True), "lang", "strings", "limits", *(["data"] if self.data else [])]
        return {name: getattr(self, name) for name in names}
