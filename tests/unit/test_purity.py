"""Pure modules do no I/O: each is imported in a fresh interpreter and nothing that could is loaded with it.

import-linter proves what our modules import; this proves what an impure package `__init__` or a library drags in.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: msgspec and PyNaCl load os, time and threading on their own; what does I/O is never loaded by them.
FORBIDDEN = (  # noqa: SIM905 - a word list reads better
    "asyncio socket ssl select selectors subprocess multiprocessing serial usb paho sqlite3 random secrets logging "
    "tempfile argon2 PIL escpos"
).split()


def pure_modules() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    sources = next(contract for contract in contracts if contract["id"] == "pure")["source_modules"]
    found = []
    for source in sources:
        path = ROOT / source.replace(".", "/")
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        found += [
            str(file.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__") for file in files
        ]
    return found


#: `transitions` imports logging itself; the machine is pure all the same.
ALLOWED = {"pos_agent.workflow.machine": {"logging"}}


@pytest.mark.slow
def test_pure_modules_load_nothing_that_does_io() -> None:
    assert len(pure_modules()) > 20
    script = (
        "import sys, importlib\n"
        f"for name in {pure_modules()!r}:\n"
        "    importlib.import_module(name)\n"
        f"    print(name, *[m for m in {FORBIDDEN!r} if m in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    offenders: dict[str, set[str]] = {}
    seen: set[str] = set()
    for line in result.stdout.splitlines():
        name, *loaded = line.split()
        new = set(loaded) - seen - ALLOWED.get(name, set())
        seen |= set(loaded)
        if new:
            offenders[name] = new
    assert not offenders
