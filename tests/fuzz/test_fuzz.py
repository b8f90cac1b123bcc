"""The part of the fuzzers that every change must pass: good inputs, what once broke, some hundred changes of them."""

import itertools
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.findings import FINDINGS
from tests.fuzz.mutate import inputs, raised, smallest
from tests.fuzz.target import Target, plain
from tests.fuzz.targets import all_targets, load

_TARGETS = all_targets()
_ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", _TARGETS)
def test_target_copes_with_seeds_findings_and_changes_of_them(name: str) -> None:
    target = _TARGETS[name]
    known = [bytes.fromhex(data) for found, data in FINDINGS if found == name]
    with target.make() as check:
        for data in itertools.chain(known, itertools.islice(inputs(target, 1), target.quick_examples)):
            error = raised(check, data)
            assert error is None, f'("{name}", "{smallest(check, data).hex()}"),  # {error!r}'


def test_finding_names_a_target_that_there_is() -> None:
    assert {name for name, _ in FINDINGS} <= set(_TARGETS)


def test_target_is_found_by_its_name_alone() -> None:
    assert [load(name).name for name in _TARGETS] == list(_TARGETS)
    with pytest.raises(KeyError):
        load("wire-coffee")


def test_mutator_gives_the_same_inputs_for_the_same_seed() -> None:
    target = _TARGETS["wire-up"]
    first, second, other = (list(itertools.islice(inputs(target, seed), 50)) for seed in (1, 1, 2))
    assert first == second != other
    assert len(set(first)) > 40
    assert max(map(len, first)) <= target.max_bytes


def _refuse_two_sevens(data: bytes) -> None:
    if data.count(7) >= 2:
        raise ValueError("two sevens")


def test_finding_is_made_as_small_as_it_can_be() -> None:
    assert smallest(_refuse_two_sevens, bytes(range(20)) * 3) == b"\x07\x07"


def test_mutator_finds_a_planted_fault_within_its_examples() -> None:
    target = Target(name="planted", make=plain(_refuse_two_sevens), seeds=(bytes(range(20)),))
    with target.make() as check:
        assert any(raised(check, data) for data in itertools.islice(inputs(target, 1), 400))


def test_command_runs_a_target_and_prints_what_it_did() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "0.3", "--target", "wire-topic", "--seed", "3"]
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    line = re.search(r"^wire-topic +ok +examples=(\d+) rate=\d+/s seconds=\d+ seed=3$", ended.stdout, re.MULTILINE)
    assert line is not None, ended.stdout
    assert int(line[1]) > 20
    assert ended.stdout.splitlines()[-1] == "fuzz: 1 targets, 0.3 s each, 0 with findings"


def test_command_with_an_unknown_target_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "wire-up,coffee"]) == 2
    assert "no target coffee; there are: all escpos-tokens" in capsys.readouterr().err


def test_command_prints_a_finding_as_a_row_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho examples 12\necho input 0707\necho ValueError: two sevens\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert main(["--target", "wire-topic", "--seconds", "1"]) == 1
    told = capsys.readouterr().out
    assert "wire-topic       FINDING  examples=12" in told
    assert 'add to tests/fuzz/findings.py:\n    ("wire-topic", "0707"),' in told
    assert "ValueError: two sevens" in told
