"""What can be foreseen to go wrong, each in one sentence with an exit status."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable

from bnlib.language import message


def guarded(run: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> int:
    """Run a command; returns 0, or the status of what went wrong, its sentence on standard error."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show
            run(args)
        return 0
    except KeyboardInterrupt:
        return _fail(130, message("command.interrupted"))
    except BrokenPipeError:  # whoever read our output went away; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno is None:  # ours, a sentence already
            return _fail(1, str(error))
        named = "command.system" if error.filename else "command.system_unnamed"
        return _fail(1, message(named, what=error.filename, reason=error.strerror or error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("bnlib"):
            raise
        ours = "pip install" in str(error)
        return _fail(1, str(error) if ours else message("command.module_missing", module=error.name))
    except ValueError as error:
        return _fail(2, str(error))
    except RuntimeError as error:
        if not type(error).__module__.startswith("bnlib."):
            raise
        return _fail(1, str(error))  # one of our own classes: a sentence


def _fail(status: int, sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return status


def _show(warning: Warning | str, category: type[Warning], path: str, line: int, *_: object) -> None:
    """Our own warnings are sentences for whoever typed the command; the others keep saying where they are from."""
    ours = category.__module__.startswith("bnlib.")
    print(warning if ours else warnings.formatwarning(warning, category, path, line), file=sys.stderr)
