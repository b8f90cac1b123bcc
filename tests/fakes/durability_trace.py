"""What a process wrote and flushed, from strace, and what a power cut may leave of it.

The storage is believed in two things only: what was flushed stays, and a write harms no byte outside its range
(https://www.sqlite.org/psow.html). Everything unflushed may be there, be gone, or be there in part, in any order.
"""

import random
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

STRACE = shutil.which("strace")
_CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed")
_FD = re.compile(r"^\d+<([^>]*)>")
_PWRITE = re.compile(r'^\d+<[^>]*>, "([^"]*)", \d+, (\d+)')
_SECTOR = 512
#: Name of the folder itself: its flush makes durable which files there are.
FOLDER = "."


def strace_command(output: Path) -> list[str]:
    """Return the words in front of a command that make its trace."""
    calls = "trace=pwrite64,pwritev,fdatasync,fsync,ftruncate,unlink,unlinkat,rename"
    return ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", calls, "-e", "signal=none", "-o", str(output)]


@dataclass(frozen=True, slots=True)
class Step:
    """One system call: ``write``, ``truncate``, ``unlink``, ``flush``."""

    what: str
    name: str
    data: bytes = b""
    at: int = 0


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def parse(lines: Iterable[str], folder: Path) -> list[Step]:
    """Return the steps on files in `folder`, in order; a flush counts when it has returned."""
    steps: list[Step] = []
    waiting: dict[str, Step] = {}
    for line in lines:
        if resumed := _RESUMED.match(line):
            if step := waiting.pop(resumed[1], None):
                steps.append(step)
            continue
        called = _CALL.match(line)
        step = _step(called[1], called[2], folder) if called else None
        if step is None:
            continue
        if step.what == "flush" and "<unfinished" in line:
            waiting[line.split(" ", 1)[0]] = step
        elif " = -1 " not in line:
            steps.append(step)
    return steps


def _step(call: str, arguments: str, folder: Path) -> Step | None:
    if call in ("pwritev", "rename", "unlinkat"):
        raise ValueError(f"{call}: this trace needs a model of it")
    if call == "unlink":
        path = Path(_unhex(arguments.split('"')[1]).decode())
        return Step("unlink", path.name) if path.parent == folder else None
    named = _FD.match(arguments)
    path = Path(_unhex(named[1]).decode()) if named else Path()
    if path == folder:
        return Step("flush", FOLDER)
    if path.parent != folder:
        return None
    match call:
        case "pwrite64":
            written = _PWRITE.match(arguments)
            assert written is not None, arguments[:80]
            return Step("write", path.name, _unhex(written[1]), int(written[2]))
        case "ftruncate":
            return Step("truncate", path.name, at=int(arguments.split(", ")[1].partition(")")[0]))
        case _:
            return Step("flush", path.name)


def _applied(content: bytearray | None, step: Step) -> bytearray | None:
    if step.what == "unlink":
        return None
    content = bytearray() if content is None else content
    if step.what == "truncate":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
    else:
        content.extend(bytes(max(0, step.at - len(content))))
        content[step.at : step.at + len(step.data)] = step.data
    return content


@dataclass
class Disk:
    """Files as flushed, and what is still on its way to them."""

    flushed: dict[str, bytearray | None] = field(default_factory=dict)
    pending: dict[str, list[Step]] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        """Take one step."""
        if step.what == "flush" and step.name == FOLDER:
            for name in [name for name, steps in self.pending.items() if any(s.what == "unlink" for s in steps)]:
                self.flushed[name] = self._after(name, self.pending.pop(name))
        elif step.what == "flush":
            self.flushed[step.name] = self._after(step.name, self.pending.pop(step.name, []))
        else:
            self.pending.setdefault(step.name, []).append(step)

    def _after(self, name: str, steps: Iterable[Step]) -> bytearray | None:
        content = self.flushed.get(name)
        content = None if content is None else bytearray(content)
        for step in steps:
            content = _applied(content, step)
        return content

    def images(self, *, torn: int, chance: random.Random) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Return what a cut may leave now: everything, the flushed only, and `torn` mixtures."""
        yield "all written", self._image(self.pending)
        if not any(self.pending.values()):
            return
        yield "unflushed dropped", self._image({})
        for number in range(torn):
            mixed = {name: list(_mixed(steps, chance)) for name, steps in self.pending.items()}
            yield f"torn {number}", self._image(mixed)

    def _image(self, kept: dict[str, list[Step]]) -> dict[str, bytes]:
        names = {*self.flushed, *kept}
        found = {name: self._after(name, kept.get(name, [])) for name in names}
        return {name: bytes(content) for name, content in found.items() if content is not None}


def _mixed(steps: list[Step], chance: random.Random) -> Iterator[Step]:
    """Return some sectors of some writes, in another order."""
    pieces = [piece for step in steps for piece in _pieces(step)]
    keep = chance.random()
    chosen = [piece for piece in pieces if chance.random() < keep]
    if chance.random() < 0.5:
        chance.shuffle(chosen)
    return iter(chosen)


def _pieces(step: Step) -> Iterator[Step]:
    """Cut a write at the sectors of the disk."""
    if step.what != "write":
        yield step
        return
    start, end = step.at, step.at + len(step.data)
    while start < end:
        stop = min(end, (start // _SECTOR + 1) * _SECTOR)
        yield Step("write", step.name, step.data[start - step.at : stop - step.at], start)
        start = stop
