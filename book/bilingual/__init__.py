"""The Sphinx extension that makes one build a bilingual, offline book.

Each module is one idea and connects its own events: the language of a page, the switch to its counterpart, search in
both languages, mathematics from local files, launch and download buttons, widgets without a kernel.
"""

from bilingual import launch, mathematics, pages, search, switch, translations, widgets


def setup(app):
    for module in (translations, pages, switch, search, mathematics, launch, widgets):
        module.setup(app)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}
