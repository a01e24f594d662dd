"""The reference of a Python library in both languages, read from its source; nothing of it is imported.

A book whose settings name no library has no such pages, and none of this is connected.
"""

from bilingual import settings
from bilingual.reference import command_line, index, packed, pages


def setup(app) -> None:
    if settings.of(app).library is not None:
        for module in (index, pages, command_line, packed):
            module.setup(app)
