"""Fleet keys in files: encrypted, readable by their owner, opened by their passphrase alone."""

import os
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

from backoffice.desired import fleet_keys
from pos_agent.errors import ConfigFileError

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the costs small: that they are high is libsodium's matter, the rest is ours."""
    monkeypatch.setattr(argon2id, "OPSLIMIT_MODERATE", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(argon2id, "MEMLIMIT_MODERATE", argon2id.MEMLIMIT_MIN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet-a.key"


def test_fleet_key_file_is_its_owners_and_holds_no_seed_in_clear(path: Path) -> None:
    key = fleet_keys.make(path, kid="fleet-2026a", passphrase=PASSPHRASE)
    data = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.private.seed not in data
    assert b64encode(key.private.seed) not in data
    assert key.private.seed.hex().encode() not in data
    assert fleet_keys.open_key(path, PASSPHRASE).private.seed == key.private.seed
    assert fleet_keys.public_part(path) == ("fleet-2026a", key.public_key.base64)


def test_fleet_key_with_another_passphrase_stays_closed(path: Path) -> None:
    fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    with pytest.raises(ConfigFileError, match="another passphrase"):
        fleet_keys.open_key(path, PASSPHRASE + " ")


def test_fleet_key_that_others_can_read_is_not_used(path: Path) -> None:
    fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    path.chmod(0o640)
    with pytest.raises(ConfigFileError, match="others may read"):
        fleet_keys.open_key(path, PASSPHRASE)


@pytest.mark.parametrize(("old", "new"), [('"kid": "a"', '"kid": "b"'), ('"public_key": "', '"public_key": "x')])
def test_fleet_key_whose_readable_part_was_changed_is_refused(path: Path, old: str, new: str) -> None:
    fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigFileError, match="was changed"):
        fleet_keys.open_key(path, PASSPHRASE)


def test_fleet_key_with_costs_that_eat_the_machine_is_refused(path: Path) -> None:
    fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    text = path.read_text()
    path.write_text(text.replace(f'"memlimit": {argon2id.MEMLIMIT_MIN}', '"memlimit": 4398046511103'))
    with pytest.raises(ConfigFileError):
        fleet_keys.open_key(path, PASSPHRASE)


def test_fleet_key_is_never_overwritten(path: Path) -> None:
    key = fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    with pytest.raises(FileExistsError):
        fleet_keys.make(path, kid="a", passphrase=PASSPHRASE)
    assert fleet_keys.public_part(path)[1] == key.public_key.base64


@pytest.mark.parametrize(("kid", "passphrase"), [("a", "too short"), ("A key", PASSPHRASE), ("", PASSPHRASE)])
def test_fleet_key_with_bad_name_or_short_passphrase_is_not_made(path: Path, kid: str, passphrase: str) -> None:
    with pytest.raises(ValueError, match=r"kid|passphrase"):
        fleet_keys.make(path, kid=kid, passphrase=passphrase)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{}", "-----BEGIN PRIVATE KEY-----", '{"kind":"x"}', "\xff" * 5000])
def test_file_that_is_no_fleet_key_says_so(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigFileError, match="no fleet key"):
        fleet_keys.open_key(path, PASSPHRASE)


def test_passphrase_comes_from_a_descriptor_and_only_its_first_line() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, f"{PASSPHRASE}\nrest".encode())
        os.close(writing)
        assert fleet_keys.read_passphrase(reading, prompt="") == PASSPHRASE
    finally:
        os.close(reading)


def test_passphrase_without_terminal_or_descriptor_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(ValueError, match="--passphrase-fd"):
            fleet_keys.read_passphrase(None, prompt="passphrase: ")
