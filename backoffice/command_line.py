"""The shape of every command of ``pos-backoffice``: what it says of itself, what it can print, how it ends."""

import argparse
from pathlib import Path

_STATUS = "exit status: 0 done, 1 a fault or a difference found, 2 wrong usage or configuration"
_OFFLINE_STATUS = "exit status: 0 done, 1 a fault, 2 wrong usage or key file"
_OFFLINE = "Needs neither configuration nor database nor network."


class CommandGroup:
    """Commands behind one word of the command line, such as ``terminal``, or behind the program's name."""

    def __init__(self, parser: argparse.ArgumentParser, *, dest: str = "action") -> None:
        """Add a place for commands to `parser`; what was typed is kept under `dest`."""
        self._commands = parser.add_subparsers(dest=dest, required=True, metavar=dest.upper())

    def group(self, name: str, words: str) -> "CommandGroup":
        """Add a group of commands."""
        return CommandGroup(
            self._commands.add_parser(name, help=words, description=f"{_sentence(words)}.", epilog=_STATUS)
        )

    def command(self, name: str, words: str, more: str = "", example: str = "") -> argparse.ArgumentParser:
        """Add a command that reads the configuration.

        Args:
            name: What is typed.
            words: One line, for the list of commands.
            more: What else there is to know.
            example: A command line that works.
        """
        parser = self._add(name, words, more, example, _STATUS)
        parser.add_argument("--config", type=Path, default=Path("backoffice.toml"), help="TOML file (%(default)s)")
        _add_json(parser)
        return parser

    def offline(self, name: str, words: str, more: str = "", example: str = "") -> argparse.ArgumentParser:
        """Add a command that needs nothing of the back office's machine; arguments as for `command`."""
        parser = self._add(name, words, f"{more} {_OFFLINE}".strip(), example, _OFFLINE_STATUS)
        _add_json(parser)
        return parser

    def _add(self, name: str, words: str, more: str, example: str, status: str) -> argparse.ArgumentParser:
        return self._commands.add_parser(
            name,
            help=words,
            description=f"{_sentence(words)}. {more}".strip(),
            epilog=f"example:\n  {example}\n\n{status}" if example else status,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )


def add_merchant(parser: argparse.ArgumentParser, first: str = "") -> None:
    """Add ``--merchant`` that may be left out; `first` = what counts before the only one there is."""
    parser.add_argument("--merchant", default="", help=f"merchant id; default = {first}the only one there is")


def add_search(parser: argparse.ArgumentParser, words: str) -> None:
    """Add ``--find``, which looks for what `words` say, and ``--page``."""
    parser.add_argument("--find", default="", help=words)
    parser.add_argument("--page", type=int, default=1)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
