"""The command line: python -m bnlib [--lang en|zh] COMMAND ...

Everything heavy is imported inside of the command that needs it, so that --help answers at once. Whatever can
be foreseen to go wrong ends in one sentence on standard error: exit status 2 for what was asked, 1 for what
the machine could not do, 130 for Ctrl-C.
"""

import os
import sys
from itertools import pairwise

from bnlib.command.arguments import parser
from bnlib.command.failures import guarded
from bnlib.language import LANGUAGES, set_language

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; wrong arguments leave by SystemExit(2), as in argparse."""
    argv = sys.argv[1:] if argv is None else argv
    set_language(_language(argv))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # no traceback where Chinese is lacking
    chosen = parser()
    args = chosen.parse_args(argv)
    if args.run is None:
        chosen.print_help()
        return 0
    return guarded(args.run, args)


def _language(argv: list[str]) -> str:
    """The last --lang of the arguments if it names a language, else the locale's in POSIX's order."""
    code = ""
    for word, after in pairwise([*argv, ""]):
        if word == "--lang" or word.startswith("--lang="):
            code = word.removeprefix("--lang=") if "=" in word else after
    if code in LANGUAGES:
        return code
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if locale.startswith("zh") else "en"
