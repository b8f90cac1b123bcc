"""The power goes after every single change of a file; the same command goes on, and both sides agree at the end."""

import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from backoffice.store.enrolment_tables import CertificateRow
from backoffice.store.schema import EventRow
from pos_agent.enrolment import files, steps
from pos_agent.enrolment.place import place_config, place_files
from pos_agent.enrolment.steps import Enrolment, Places, check_pair
from pos_agent.errors import EnrolmentError
from pos_agent.protocol.enrolment import Answer, Invitation
from tests.unit.backoffice.enrolment_ground import TILL, Ground
from tests.unit.backoffice.world import make_world


class PowerCutError(Exception):
    """Nothing after this happened."""


class Power:
    """Counts the changes of files, and cuts the power before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for name in ("replace", "unlink"):
            self._watch(monkeypatch, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(Path, name)

        def change(path: Path, *arguments: object, **options: object) -> object:
            if self.left == 0:
                raise PowerCutError
            self.left -= 1
            return real(path, *arguments, **options)

        monkeypatch.setattr(Path, name, change)


class Line:
    """The way to the back office, without the TLS that other tests are about."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def call(self, _path: str, body: bytes) -> Answer:
        return self.ground.enrolling.enrol(body)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with make_world(tmp_path) as world:
        ground = Ground(world, tmp_path)
        monkeypatch.setattr(steps, "fetch_ca", lambda _url, _fingerprint: ground.authority.pem)
        monkeypatch.setattr(steps, "Office", lambda _url, _ca: Line(ground))
        yield ground


def enrol(places: Places, invitation: Invitation, config: Path) -> None:
    """Do what `pos-agent enrol` does with an invitation at hand."""
    enrolment = Enrolment(places, invitation, version="1")
    enrolment.begin()
    document = enrolment.await_document(wait_s=0, tell=lambda _word: None, sleep=lambda _seconds: None)
    place_files(document, places)
    place_config(document, places, config)
    enrolment.finish()


def go_on(ground: Ground, places: Places, invitation: Invitation, config: Path) -> None:
    """Run the command until it is done; in between the operator accepts once."""
    if config.exists() and Enrolment.resume(places, version="1") is None:
        return  # it was the very end: everything is in place, and the code is spent
    try:
        enrol(places, invitation, config)
    except EnrolmentError as error:
        assert error.retryable, error
        enrolment = Enrolment.resume(places, version="1")
        assert enrolment is not None
        ground.accept(enrolment.fingerprint)
        enrol(places, invitation, config)


@pytest.mark.slow
def test_enrolment_cut_before_any_change_of_a_file_is_finished_by_the_same_command(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = 0
    for cut in itertools.count():
        places, config = Places(tmp_path / f"till-{cut}"), tmp_path / f"terminal-{cut}.toml"
        files.make_folder(places.data_dir)
        invitation = Invitation(url="https://office", ca_fingerprint="0" * 64, terminal_id=TILL, code=ground.invite())
        with monkeypatch.context() as patch:
            power = Power(patch)
            is_cut = False
            for left in (cut, -1, -1):
                power.left = left
                try:
                    go_on(ground, places, invitation, config)
                    break
                except PowerCutError:
                    is_cut = True
                    cuts += 1
        check_pair(places.cert_file.read_text(), places.key_file, places.pki)
        assert tomllib.loads(config.read_text())["terminal"]["terminal_id"] == TILL
        assert not places.state.exists()
        if not is_cut:
            break
    assert cuts >= 15
    assert ground.world.rows(EventRow) == [], "no cut looks like a replay"
    rows = ground.world.rows(CertificateRow)
    assert len([row for row in rows if row.revoked_at is None]) == 1
