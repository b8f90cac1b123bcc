"""The commands as people type them: offline ones without a configuration, the others on a database."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.pwhash import argon2id

from backoffice import cli
from backoffice.desired import reports
from backoffice.store.rollout_tables import ConfigDocument
from tests.fakes.fleet import Fleet, report
from tests.unit.backoffice.world import TERMINAL, World, world_on

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse battery"


class Shell:
    """A folder with two keys, a back office that pins them, and commands in it."""

    def __init__(self, folder: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.world = world
        self._capsys = capsys

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        assert cli.main([self._resolved(word) for word in arguments]) == status, self._capsys.readouterr().err
        said = self._capsys.readouterr()
        return said.out, said.err

    def sign(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run a command that asks for a passphrase; it comes by a descriptor."""
        reading, writing = os.pipe()
        os.write(writing, f"{PASSPHRASE}\n".encode())
        os.close(writing)
        try:
            return self.run(*arguments, "--passphrase-fd", str(reading), status=status)
        finally:
            os.close(reading)

    def office(self, *arguments: str, status: int = 0) -> Any:
        out, err = self.run(*arguments, "--config", "@backoffice.toml", "--json", status=status)
        return json.loads(out) if status == 0 else err

    def words(self, *arguments: str) -> str:
        return self.run(*arguments, "--config", "@backoffice.toml")[0]

    def pin(self, name: str) -> str:
        shown = json.loads(self.run("fleet-key", "show", f"@{name}.key", "--json")[0])
        return f"{shown['kid']}={shown['public_key']}"

    def plan(self, name: str = "plan.json") -> None:
        self.office("config", "plan", "--terminal", TERMINAL, "--out", f"@{name}")

    def _resolved(self, word: str) -> str:
        return str(self.folder / word[1:]) if word.startswith("@") else word


@pytest.fixture
def shell(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.setattr(argon2id, "OPSLIMIT_MODERATE", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(argon2id, "MEMLIMIT_MODERATE", argon2id.MEMLIMIT_MIN)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with world_on(database_url) as world:
        made = Shell(tmp_path, world, capsys)
        for name in ("a", "b"):
            made.sign("fleet-key", "new", f"@{name}.key", "--kid", name)
        keys = "\n".join('"{}" = "{}"'.format(*made.pin(name).split("=", 1)) for name in ("a", "b"))
        (tmp_path / "backoffice.toml").write_text(f'[database]\nurl = "{database_url}"\n[fleet.keys]\n{keys}\n')
        (tmp_path / "harmless.toml").write_text('[printing]\nresult_slip = "always"\n')
        (tmp_path / "limits.toml").write_text("[policy]\noperator_limit_minor = 30000\n")
        yield made


def _signed(shell: Shell, rollout: str = "r1") -> None:
    shell.plan(f"{rollout}-plan.json")
    shell.sign(
        *("config", "sign", f"@{rollout}-plan.json", "@harmless.toml", "--key", "@a.key"),
        *("--out", f"@{rollout}.json", "--rollout", rollout, "--yes"),
    )


def test_new_key_prints_what_is_pinned_and_never_the_key(shell: Shell) -> None:
    out, _ = shell.sign("fleet-key", "new", "@c.key", "--kid", "fleet-c")
    assert "[fleet.keys]" in out
    assert '"fleet-c" = "' in out
    assert PASSPHRASE not in out
    _, err = shell.sign("fleet-key", "new", "@c.key", "--kid", "fleet-c", status=1)
    assert "c.key" in err


def test_sign_shows_the_difference_and_asks(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.plan()
    command = ("config", "sign", "@plan.json", "@limits.toml", "--key", "@a.key", "--out", "@b.json")
    _, err = shell.sign(*command, status=1)
    assert "nobody was asked" in err
    for answer, status in (("no\n", 1), ("\n", 1), ("yes\n", 0)):
        asked = io.StringIO(answer)
        asked.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", asked)
        assert not (shell.folder / "b.json").exists()
        out, err = shell.sign(*command, status=status)
        assert "1 tills: t-shop-01 v1\n  + policy.operator_limit_minor = 30000" in out
        assert "signed by a; NOT ENOUGH: a second person must sign" in out
    assert (shell.folder / "b.json").exists()


def test_bundle_is_never_overwritten(shell: Shell) -> None:
    _signed(shell)
    shell.plan()
    _, err = shell.sign(
        *("config", "sign", "@plan.json", "@harmless.toml", "--key", "@a.key", "--out", "@r1.json", "--yes"), status=1
    )
    assert "r1.json" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("@plan.json", "--drop", "printing.result_slip"), "not in the configuration"),
        (("@plan.json",), "nothing to change"),
        (("@plan.json", "@missing.toml"), "missing.toml"),
        (("@limits.toml", "@limits.toml"), "limits.toml"),
        (("@plan.json", "@harmless.toml", "--valid-days", "0"), "a day at least"),
        (("@plan.json", "@harmless.toml", "--confirm-within-s", "5"), "--confirm-within-s"),
        (("@plan.json", "@harmless.toml", "--pin", "b=short"), "--pin b=short"),
    ],
)
def test_sign_refuses_in_words(shell: Shell, arguments: tuple[str, ...], why: str) -> None:
    shell.plan()
    _, err = shell.sign("config", "sign", *arguments, "--key", "@a.key", "--out", "@b.json", "--yes", status=1)
    assert why in err
    assert not (shell.folder / "b.json").exists()


def test_countersign_needs_to_know_who_signed_first(shell: Shell) -> None:
    _signed(shell)
    command = ("config", "countersign", "@r1.json", "--key", "@b.key", "--out", "@r1b.json", "--yes")
    assert "--pin KID=BASE64" in shell.sign(*command, status=1)[1]
    out, _ = shell.sign(*command, "--pin", shell.pin("a"))
    assert "signed by a, b" in out
    assert "NOT VERIFIED" in shell.run("config", "show", "@r1b.json")[0]
    assert (
        "signed by a, b"
        in shell.run("config", "show", "@r1b.json", "--pin", shell.pin("a"), "--pin", shell.pin("b"))[0]
    )


def test_push_release_status_and_undo_in_words_and_json(shell: Shell) -> None:
    assert shell.words("config", "status") == "no rollouts\n"
    _signed(shell)
    assert shell.office("config", "push", "@r1.json", "--by", "li") == {"rollout": "r1", "tills": 1}
    assert "is here already" in shell.office("config", "push", "@r1.json", status=1)
    assert shell.office("config", "release", "r1", "--wave", "100%")["released"] == 1
    assert "100%" in shell.words("config", "status")
    assert f"{TERMINAL:<40} v1  waiting" in shell.words("config", "status", "r1")
    assert "paused" in shell.words("config", "pause", "r1")
    assert "goes on" in shell.words("config", "resume", "r1")
    assert shell.office("config", "undo", "r1")["undone"] == 1
    assert shell.office("config", "status", "r1")["tills"][0]["is_undo"] is True
    shown = shell.words("terminal", "show", "--id", TERMINAL)
    assert "has never said what it runs" in shown
    assert "next free version 3" in shown
    assert shell.office("config", "status")[0]["counts"] == {"waiting": 1}


@pytest.mark.parametrize("wave", ["0%", "101%", "many", "-1%"])
def test_wave_that_is_no_share_is_refused(shell: Shell, wave: str) -> None:
    assert "a share such as" in shell.office("config", "release", "r1", f"--wave={wave}", status=1)


def test_next_wave_waits_for_enough_good_answers(shell: Shell) -> None:
    _signed(shell)
    shell.office("config", "push", "@r1.json")
    shell.office("config", "release", "r1", "--terminal", TERMINAL)
    gate = ("config", "release", "r1", "--wave", "100%", "--if-success", "95")
    assert "0 of 0 that answered" in shell.office(*gate, status=1)
    etag = shell.office("config", "status", "r1")["tills"][0]
    assert etag["state"] == "waiting"
    _hear(shell, "rolled_back", seq=1)
    assert "0 of 1 that answered" in shell.office(*gate, status=1)
    _hear(shell, "confirmed", seq=2)
    assert shell.office(*gate)["released"] == 0


def _hear(shell: Shell, state: str, *, seq: int) -> None:
    etag = next(row.etag for row in shell.world.rows(ConfigDocument) if not row.is_undo)
    said = report(TERMINAL, seq=seq, running=(1, etag), attempted=(1, etag, state, "health"))
    with shell.world.database.writing() as session:
        reports.note(session, shell.world.context, [said])


def test_till_that_rolled_back_is_shown_with_its_reason(shell: Shell) -> None:
    _signed(shell)
    shell.office("config", "push", "@r1.json")
    shell.office("config", "release", "r1", "--wave", "100%")
    _hear(shell, "rolled_back", seq=1)
    assert "given version 1 (r1): rolled_back health" in shell.words("terminal", "show", "--id", TERMINAL)
    assert "no till t-nobody" in shell.office("terminal", "show", "--id", "t-nobody", status=1)


def test_plan_with_nobody_in_it_is_not_written(shell: Shell) -> None:
    _signed(shell)
    shell.office("config", "push", "@r1.json")
    shell.office("config", "release", "r1", "--wave", "100%")
    err = shell.office("config", "plan", "--out", "@p.json", status=1)
    assert "a configuration is out and it has never reported" in err
    assert not (shell.folder / "p.json").exists()


def test_push_without_pinned_keys_or_of_a_stranger_is_refused(shell: Shell) -> None:
    (shell.folder / "no-keys.toml").write_text('[database]\nurl = "sqlite:///world.db"\n')
    _signed(shell)
    _, err = shell.run("config", "push", "@r1.json", "--config", "@no-keys.toml", status=1)
    assert "no [fleet.keys]" in err
    stranger = Fleet()
    (shell.folder / "forged.json").write_bytes(_encoded(stranger))
    assert "no signature by a pinned key" in shell.office("config", "push", "@forged.json", status=1)


def _encoded(fleet: Fleet) -> bytes:
    return msgspec.json.encode(fleet.sign(fleet.plan((TERMINAL, 1))))
