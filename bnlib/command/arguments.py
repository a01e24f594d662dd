"""The arguments of every command."""

import argparse
from collections.abc import Callable
from pathlib import Path

from bnlib.command import after, experiments, grade, handout, sweep, training
from bnlib.command.bilingual import Parser, number, threads, translate, whole
from bnlib.language import LANGUAGES, message

# what TrainConfig and LeNet take: name, word for the value in the help, type, default
RUN = (
    ("norm", "NAME", str, "batch"),
    ("epochs", "N", whole, 10),
    ("lr", "RATE", number, 1.0),
    ("batch-size", "N", whole, 256),
    ("seed", "N", whole, 0),
    ("path", "NAME", str, "auto"),
    ("precision", "NAME", str, "float32"),
)


def parser() -> Parser:
    """The parser of `python -m bnlib`, in the current language."""
    translate()
    lang = argparse.ArgumentParser(add_help=False)
    about = message("command.help_lang")
    lang.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help=about)
    main = Parser(prog="python -m bnlib", description=message("command.about"), parents=[lang], allow_abbrev=False)
    main.set_defaults(run=None)
    commands = main.add_subparsers(title=message("command.commands"), metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        about = message(f"command.about_{name}")
        added = commands.add_parser(name, parents=[lang], help=about, description=about, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    _train(command("train", training.train))
    _sweep(command("sweep", sweep.sweep))
    _evaluate(command("evaluate", after.evaluate))
    _predict(command("predict", after.predict))
    _export(command("export", after.export))
    command("data", experiments.data)
    _lab(command("lab", experiments.lab))
    _grade(command("grade", grade.grade))
    _handout(command("handout", handout.handout))
    return main


def _train(train: argparse.ArgumentParser) -> None:
    for name, metavar, kind, default in RUN:
        _option(train, name, metavar, kind, default)
    _option(train, "device", "DEVICE", str, "auto")
    _option(train, "threads", "N", threads, "auto")
    train.add_argument("--local-statistics", action="store_true", help=message("command.help_local"))
    train.add_argument("--subset", action="store_true", help=message("command.help_subset"))
    _file(train, "checkpoint", "FILE.pt")
    train.add_argument("--resume", action="store_true", help=message("command.help_resume"))
    _file(train, "history", "FILE")
    _file(train, "tensorboard", "FOLDER")
    _option(train, "score-every", "N", whole, 0)


def _sweep(sweep: argparse.ArgumentParser) -> None:
    for name, metavar, kind, default in (*RUN, ("score-every", "N", whole, 0)):
        key = "path_of_a_sweep" if name == "path" else name.replace("-", "_")
        about = message(f"command.help_{key}", default=default)
        sweep.add_argument(f"--{name}", metavar=metavar, type=kind, nargs="+", help=about)
    _option(sweep, "device", "DEVICE", str, "auto")
    sweep.add_argument("--workers", metavar="N", type=whole, help=message("command.help_workers"))
    sweep.add_argument("--subset", action="store_true", help=message("command.help_subset"))
    _file(sweep, "folder", "FOLDER")
    _file(sweep, "table", "FILE.csv")


def _evaluate(evaluate: argparse.ArgumentParser) -> None:
    _checkpoint(evaluate)
    _option(evaluate, "device", "DEVICE", str, "auto")
    evaluate.add_argument("--subset", action="store_true", help=message("command.help_subset"))


def _predict(predict: argparse.ArgumentParser) -> None:
    _checkpoint(predict)
    predict.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help=message("command.help_images"))


def _export(export: argparse.ArgumentParser) -> None:
    _checkpoint(export)
    export.add_argument("file", metavar="FILE", type=Path, help=message("command.help_file"))


def _lab(lab: argparse.ArgumentParser) -> None:
    lab.add_argument("name", metavar="NAME", nargs="?", help=message("command.help_name"))
    lab.add_argument("--all", action="store_true", help=message("command.help_all"))
    lab.add_argument("--quick", action="store_true", help=message("command.help_quick"))
    lab.add_argument("--subset", action="store_true", help=message("command.help_subset"))
    lab.add_argument("--workers", metavar="N", type=whole, help=message("command.help_workers"))


def _grade(grade: argparse.ArgumentParser) -> None:
    grade.add_argument("folder", metavar="FOLDER", type=Path, help=message("command.help_class"))
    _file(grade, "out", "FOLDER")
    _graded(grade)
    _option(grade, "seconds", "N", whole, 300)
    _option(grade, "memory", "N", whole, 1024)


def _handout(handout: argparse.ArgumentParser) -> None:
    handout.add_argument("notebooks", metavar="NOTEBOOK", nargs="+", type=Path, help=message("command.help_notebooks"))
    _graded(handout)
    about = message("command.help_handout", default="handout")
    handout.add_argument("--out", metavar="FOLDER", type=Path, default=Path("handout"), help=about)


def _graded(to: argparse.ArgumentParser) -> None:
    to.add_argument("--graded", metavar="NAME", nargs="+", help=message("command.help_graded"))


def _option(to: argparse.ArgumentParser, name: str, metavar: str, kind: Callable, default: object) -> None:
    about = message(f"command.help_{name.replace('-', '_')}", default=default)
    to.add_argument(f"--{name}", metavar=metavar, type=kind, default=default, help=about)


def _file(to: argparse.ArgumentParser, name: str, metavar: str) -> None:
    to.add_argument(f"--{name}", metavar=metavar, type=Path, help=message(f"command.help_{name}"))


def _checkpoint(to: argparse.ArgumentParser) -> None:
    to.add_argument("model", metavar="CHECKPOINT", type=Path, help=message("command.help_model"))
