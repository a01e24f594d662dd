"""A single page on paper: print.css lays it out, print.js unfolds what is folded and prints a dark page light."""


def setup(app) -> None:
    app.add_css_file("print.css", media="print", priority=900)  # after the theme's and the course's own
    app.add_js_file("print.js", loading_method="defer")
