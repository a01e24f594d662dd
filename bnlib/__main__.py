"""The command line: python -m bnlib [--lang en|zh] {train,data,lab} ...

Everything heavy is imported inside of the command that needs it, so that --help answers at once. Whatever can
be foreseen to go wrong ends in one sentence on standard error: exit status 2 for what was asked, 1 for what
the machine could not do, 130 for Ctrl-C.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bnlib.language import LANGUAGES, message, set_language

# argparse's own words -> our entry for them; it looks them up by gettext, whose catalogue this replaces
_ARGPARSE = {
    "usage: ": "usage",
    "options": "options",
    "positional arguments": "arguments",
    "show this help message and exit": "show_help",
    "argument %(argument_name)s: %(message)s": "argument",
    "the following arguments are required: %s": "required",
    "unrecognized arguments: %s": "unrecognized",
    "expected one argument": "expected_one",
    "ignored explicit argument %r": "ignored",
    "invalid %(type)s value: %(value)r": "invalid_value",
    "invalid choice: %(value)r (choose from %(choices)s)": "invalid_choice",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; wrong arguments leave by SystemExit(2), as in argparse."""
    argv = sys.argv[1:] if argv is None else argv
    set_language(_language(argv))
    argparse._ = lambda text: message(f"command.{_ARGPARSE[text]}") if text in _ARGPARSE else text
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # no traceback where Chinese is lacking
    parser = _parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help()
        return 0
    return _guarded(args.run, args)


class _Parser(argparse.ArgumentParser):
    def error(self, text: str) -> None:
        self.exit(2, message("command.wrong_usage", text=text, prog=self.prog) + "\n")

    def format_help(self) -> str:
        return super().format_help().replace(":\n", message("command.heading_end") + "\n")


def _parser() -> argparse.ArgumentParser:
    lang = argparse.ArgumentParser(add_help=False)
    about = message("command.help_lang")
    lang.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help=about)
    about = message("command.about")
    parser = _Parser(prog="python -m bnlib", description=about, parents=[lang], allow_abbrev=False)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title=message("command.commands"), metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        about = message(f"command.about_{name}")
        added = commands.add_parser(name, parents=[lang], help=about, description=about, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    train = command("train", _train)
    for name, metavar, kind, default in (
        ("norm", "NAME", str, "batch"),
        ("epochs", "N", _whole, 10),
        ("lr", "RATE", _number, 1.0),
        ("batch-size", "N", _whole, 256),
        ("seed", "N", _whole, 0),
        ("device", "DEVICE", str, "auto"),
    ):
        about = message(f"command.help_{name.replace('-', '_')}", default=default)
        train.add_argument(f"--{name}", metavar=metavar, type=kind, default=default, help=about)
    train.add_argument("--subset", action="store_true", help=message("command.help_subset"))
    train.add_argument("--history", metavar="FILE.csv", type=Path, help=message("command.help_history"))
    command("data", _data)
    lab = command("lab", _lab)
    lab.add_argument("name", metavar="NAME", nargs="?", help=message("command.help_name"))
    lab.add_argument("--quick", action="store_true", help=message("command.help_quick"))
    lab.add_argument("--subset", action="store_true", help=message("command.help_subset"))
    return parser


def _train(args: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from bnlib.training import DivergedError, LeNet, Moment, TrainConfig, choose_device, fashion_mnist, train

    config = TrainConfig(args.epochs, args.lr, args.batch_size, args.seed)
    device = choose_device(args.device)
    torch.manual_seed(config.seed)
    model = LeNet(args.norm)
    if args.history is not None:
        _check_writable(args.history)
    data = fashion_mnist(device, subset=args.subset)
    sizes = {"train": len(data.train_labels), "test": len(data.test_labels)}
    print(message("command.training", norm=args.norm, data=data.name, device=device, **sizes), flush=True)

    def report(moment: Moment) -> None:
        if moment.row is not None:
            with tqdm.external_write_mode():  # above the progress bar, where there is one
                print(moment.row, flush=True)

    try:
        history, diverged = train(model, data, config, device=device, callback=report), None
    except DivergedError as error:
        history, diverged = error.history, error
    if history.rows:  # after Ctrl-C or divergence as well: what there is
        print(message("training.speed", rate=history.examples_per_second, device=device))
        if args.history is not None:
            print(message("command.written", path=history.write_csv(args.history)))
    if diverged is not None:
        raise diverged
    if history.interrupted:
        raise KeyboardInterrupt


def _data(args: argparse.Namespace) -> None:
    from bnlib.training.fashion_mnist import fetch

    print(fetch(verbose=True))


def _lab(args: argparse.Namespace) -> None:
    from bnlib import lab

    if args.name is None:
        print(message("command.experiments", names=", ".join(lab.EXPERIMENTS)))
    else:
        print(message("command.written", path=lab.run(args.name, quick=args.quick, subset=args.subset)))


def _guarded(run: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> int:
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
        return _fail(1, message("command.system", what=error.filename or "", reason=error.strerror or error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("bnlib"):
            raise
        return _fail(1, message("command.module_missing", module=error.name))
    except ValueError as error:
        return _fail(2, str(error))
    except RuntimeError as error:
        from bnlib.training import DataUnavailableError, DivergedError

        if not isinstance(error, DataUnavailableError | DivergedError):
            raise
        return _fail(1, str(error))


def _fail(status: int, sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return status


def _show(warning: Warning | str, category: type[Warning], path: str, line: int, *_: object) -> None:
    """Our own warnings are sentences for whoever typed the command; the others keep saying where they are from."""
    ours = category.__module__.startswith("bnlib.")
    print(warning if ours else warnings.formatwarning(warning, category, path, line), file=sys.stderr)


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


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(message("command.not_whole", text=text)) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(message("command.not_number", text=text)) from None


def _check_writable(path: Path) -> None:
    """Refuse before the training what would otherwise lose its history afterwards."""
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
        refused = path.is_dir()
    except OSError:
        refused = True
    if refused:
        raise ValueError(message("command.history_unwritable", path=path))


if __name__ == "__main__":
    sys.exit(main())
