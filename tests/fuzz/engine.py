"""Runs one target in this process: guided by coverage where atheris can be imported, else by changes of good inputs.

``python -m tests.fuzz.engine TARGET SECONDS SEED FOLDER``: the last lines of stdout are ``examples N`` and, after a
finding, ``input HEX``; the exit code is 1 then. `tests.fuzz.__main__` starts it.
"""

import importlib
import logging
import os
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tests.fuzz.mutate import inputs, raised, smallest
from tests.fuzz.target import Check
from tests.fuzz.targets import load

#: An input that computes longer hangs; the paper simulator needs most, some 50 ms. Time of the processor, for a machine
#: with other work stands still for seconds; what waits for ever runs into the limit of the whole target.
HANG_S = 10


class HangError(Exception):
    """The code under test did not come back."""


def _on_alarm(_signal: int, _frame: FrameType | None) -> None:
    raise HangError(f"no return within {HANG_S} s")


def _watched(check: Check) -> Check:
    def watched(data: bytes) -> None:
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        try:
            check(data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    return watched


def _plain(name: str, seconds: float, seed: int) -> int:
    target = load(name)
    end_s = time.monotonic() + seconds
    with target.make() as made:
        check = _watched(made)
        for examples, data in enumerate(inputs(target, seed)):
            if time.monotonic() >= end_s:
                break
            if raised(check, data) is not None:
                return _report(check, examples, data)
    print(f"examples {examples}")
    return 0


def _report(check: Check, examples: int, data: bytes) -> int:
    data = smallest(check, data)
    print(f"examples {examples}\ninput {data.hex()}", flush=True)
    traceback.print_exception(raised(check, data), file=sys.stdout)
    return 1


class _Guided:
    """The state of a run that libFuzzer drives; the process ends inside it."""

    def __init__(self, name: str, seconds: float, seed: int, folder: Path) -> None:
        self._name, self._seconds, self._seed, self._folder = name, seconds, seed, folder
        self._examples = 0
        self._made = ExitStack()

    def run(self, atheris: Any) -> None:
        """Fuzz; never returns."""
        with atheris.instrument_imports(include=["pos_agent", "drivers", "backoffice", "hil"]):
            target = load(self._name)
            self._check = _watched(self._made.enter_context(target.make()))
        corpus = self._folder / "corpus"
        corpus.mkdir()
        for number, data in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(data)
        words = self._folder / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*target.words, b"\0")))
        options = [f"-seed={self._seed or 1}", f"-max_len={target.max_bytes}", f"-dict={words}", "-verbosity=0"]
        self._end_s = time.monotonic() + self._seconds
        atheris.Setup([sys.argv[0], *options, str(corpus)], self._one)
        atheris.Fuzz()

    def _one(self, data: bytes) -> None:
        if time.monotonic() >= self._end_s:
            print(f"examples {self._examples}")
            self._end(0)
        if raised(self._check, data) is not None:
            self._end(_report(self._check, self._examples, data))
        self._examples += 1

    def _end(self, code: int) -> NoReturn:
        """End as libFuzzer cannot: with what lasted cleared away, and without its own report of an exit."""
        self._made.close()
        sys.stdout.flush()
        os._exit(code)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(arguments: list[str]) -> int:
    """Run; see above."""
    name, seconds, seed, folder = arguments[0], float(arguments[1]), int(arguments[2]), Path(arguments[3])
    signal.signal(signal.SIGPROF, _on_alarm)
    logging.disable(logging.CRITICAL)  # refusals are logged, and nearly all is refused
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        return _plain(name, seconds, seed)
    _Guided(name, seconds, seed, folder).run(atheris)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
