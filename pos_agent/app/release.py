"""`pos-agent outbox release`: a person takes the responsibility for a damaged journal that was set aside."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from pos_agent.domain.config import Config
from pos_agent.journal import set_aside


def release(options: argparse.Namespace, config: Config) -> int:
    """Show what waits, ask, release; 0 done or nothing waits, 1 not released, 2 usage."""
    folder = Path(config.terminal.data_dir)
    found = set_aside.waiting(folder)
    if not found:
        return _end(options, {"released": []}, "nothing waits: no damaged journal is set aside", 0)
    if not options.by.strip() or not options.why.strip():
        print("pos-agent: say who (--by) and why (--why)", file=sys.stderr)
        return 2
    for each in [] if options.json else found:
        print(f"{folder / each.file}: {_counts(each)}")
    if not options.yes and not _is_confirmed():
        waiting = [each.file for each in found]
        return _end(options, {"released": [], "waiting": waiting}, "nothing was released", 1)
    released = set_aside.release(folder, by=options.by.strip(), why=options.why.strip())
    words = "released; the files are kept. Start the daemon again: it begins a new journal and asks the back office"
    return _end(options, {"released": released}, words, 0)


def _counts(found: set_aside.Damaged) -> str:
    if found.requests is None:
        return "not readable; how many requests are in it is not known"
    unsent = "unknown" if found.unsent is None else str(found.unsent)
    return f"{found.requests} requests readable, {unsent} of them not acknowledged by the back office"


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        print("pos-agent: nobody can be asked; confirm with --yes", file=sys.stderr)
        return False
    print("Requests in it that were not sent exist nowhere else. Copy the files to a safe place first.")
    return input("Type RELEASE to go on: ").strip() == "RELEASE"


def _end(options: argparse.Namespace, facts: dict[str, Any], words: str, code: int) -> int:
    if options.json:
        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    else:
        print(words)
    return code
