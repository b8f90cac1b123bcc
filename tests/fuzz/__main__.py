"""``make fuzz SECONDS=10 TARGET=all SEED=1``: runs targets one after another, each in a process of its own.

Prints one line a target: examples, examples a second, seed. Ends with 1 after a finding, with the line to add to
`tests/fuzz/findings.py`, which is a regression test from then on. Inputs that reached new code are thrown away.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import all_targets

#: What a target may need above its seconds: imports, building, making a finding small.
_GRACE_S = 120


def main(arguments: list[str]) -> int:
    """Run what the command line says; return 1 after a finding, 2 for a wrong command line."""
    options = _parse(arguments)
    known = all_targets()
    names = list(known) if options.target == "all" else options.target.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no target {', '.join(unknown)}; there are: all {' '.join(known)}", file=sys.stderr)
        return 2
    is_guided = importlib.util.find_spec("atheris") is not None
    print(f"fuzz: {'guided by coverage (atheris)' if is_guided else 'changes of good inputs (no atheris)'}", flush=True)
    failed = [name for name in names if not _run(name, options.seconds, options.seed)]
    print(f"fuzz: {len(names)} targets, {options.seconds:g} s each, {len(failed)} with findings", *failed)
    return int(bool(failed))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", default="all", help="names, joined by commas")
    return parser.parse_args(arguments)


def _run(name: str, seconds: float, seed: int) -> bool:
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pos-agent-fuzz-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.engine", name, str(seconds), str(seed), folder]
        log = Path(folder) / "log"
        with log.open("wb") as errors:
            try:
                ended = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=errors, timeout=seconds + _GRACE_S, check=False
                )
                output, code = ended.stdout.decode(), ended.returncode
            except subprocess.TimeoutExpired as error:
                output, code = (error.stdout or b"").decode(), -1
        return _tell(name, seed, output, code=code, seconds=seconds, took_s=time.monotonic() - start_s, log=log)


def _tell(name: str, seed: int, output: str, *, code: int, seconds: float, took_s: float, log: Path) -> bool:
    facts = dict(line.split(" ", 1) for line in output.splitlines() if line.startswith(("examples ", "input ")))
    examples = int(facts.get("examples", 0))
    word = "ok" if code == 0 and examples else "FINDING" if "input" in facts else "BROKEN"
    rate = examples / min(seconds, took_s) if took_s else 0
    print(
        f"{name:16} {word:8} examples={examples} rate={rate:.0f}/s seconds={min(seconds, took_s):.0f} seed={seed}",
        flush=True,
    )
    if word == "ok":
        return True
    print(output if "input" in facts else f"exit {code}\n{output}{log.read_text(errors='replace')[-4000:]}")
    if "input" in facts:
        print(f'add to tests/fuzz/findings.py:\n    ("{name}", "{facts["input"]}"),', flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
