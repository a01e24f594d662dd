"""A figure with its words and its data, shown by notebooks."""

import csv
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TAGS = {"en": "en", "zh": "zh-CN"}  # of HTML and SVG


@dataclass(frozen=True)
class Data:
    """What a figure was drawn from, as it is shown: names of columns, rows of text, and where more of it is found."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""

    def csv(self) -> str:
        """The columns and rows as comma-separated text."""
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    def html(self) -> str:
        """The columns and rows as a table without styles: every host has its own."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        rows = (
            f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            for row in self.rows
        )
        body = "\n".join(f"{row}</tr>" for row in rows)
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text; `description` says in words what one sees, `data` holds what it was drawn from.

    A notebook shows it in two outputs, since of one output a host chooses one form. The first is the picture as
    image/svg+xml, which repositories' web views show, while they strip SVG from HTML. The second unfolds on request:
    the description and the data as a table, in plain HTML that every host lets through.
    """

    svg: str
    title: str
    description: str
    data: Data
    language: str  # in which it was drawn: "en", "zh"
    summary: str  # in that language, on what unfolds the data

    def table(self) -> "pd.DataFrame":
        """The data behind the figure."""
        import pandas as pd

        return pd.read_csv(StringIO(self.data.csv()))

    def picture(self) -> dict[str, str]:
        """The output that shows the figure, by MIME type."""
        return {"image/svg+xml": self.svg, "text/plain": self.description}

    def details(self) -> dict[str, str]:
        """The output that tells what one sees and unfolds the data, by MIME type."""
        more = f"\n<p>{escape(self.data.more)}</p>" if self.data.more else ""
        html = (
            f'<details class="bnlib-data" lang="{TAGS[self.language]}">\n'
            f"<summary>{escape(self.summary)}</summary>\n"
            f"<p>{escape(self.description)}</p>\n{self.data.html()}{more}\n</details>"
        )
        return {"text/html": html}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.picture(), raw=True)
        display(self.details(), raw=True)
