"""argparse in the current language."""

import argparse
import re
import unicodedata

from bnlib.language import message

# argparse's own words -> our entry for them; it looks them up by gettext, whose catalogue this replaces
_WORDS = {
    "usage: ": "usage",
    "options": "options",
    "positional arguments": "arguments",
    "show this help message and exit": "show_help",
    "argument %(argument_name)s: %(message)s": "argument",
    "the following arguments are required: %s": "required",
    "unrecognized arguments: %s": "unrecognized",
    "expected one argument": "expected_one",
    "expected at least one argument": "expected_some",
    "ignored explicit argument %r": "ignored",
    "invalid %(type)s value: %(value)r": "invalid_value",
    "invalid choice: %(value)r (choose from %(choices)s)": "invalid_choice",
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one sentence, and whose own words are the current language's."""

    def __init__(self, *args, **options) -> None:  # as add_parser calls it
        super().__init__(*args, formatter_class=_Wrapping, **options)

    def error(self, text: str) -> None:
        self.exit(2, message("command.wrong_usage", text=text, prog=self.prog) + "\n")

    def format_help(self) -> str:
        return super().format_help().replace(":\n", message("command.heading_end") + "\n")


class _Wrapping(argparse.HelpFormatter):
    """Lines that fit the terminal: a Chinese character takes two columns, and a line may break after it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        usage = message("command.usage")
        self._width -= columns(usage) - len(usage)  # argparse counts its characters

    def _split_lines(self, text: str, width: int) -> list[str]:
        # a word with its spaces, or one wide character with the punctuation that may not begin a line
        pieces = re.findall(r"[^\s\u2e80-\uffef]+[，。；：、）”]*\s*|[\u2e80-\uffef][，。；：、）”]*\s*", text)
        lines = [""]
        for piece in pieces:
            if lines[-1] and columns(lines[-1] + piece.rstrip()) > width:
                lines.append("")
            lines[-1] += piece
        return [line.rstrip() for line in lines]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def translate() -> None:
    """Let argparse speak the current language from now on."""
    argparse._ = lambda text: message(f"command.{_WORDS[text]}") if text in _WORDS else text


def whole(text: str) -> int:
    """A whole number of the command line."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(message("command.not_whole", text=text)) from None


def number(text: str) -> float:
    """A number of the command line."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(message("command.not_number", text=text)) from None


def threads(text: str) -> int | str:
    """A number of threads, or "auto"."""
    return text if text == "auto" else whole(text)
