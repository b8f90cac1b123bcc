"""From an invitation to a till that works, and everything that may go wrong on the way (trust.md 11 and 22)."""

import json
import os
import signal
import socket
import tomllib
import tty
from pathlib import Path

import pytest

from pos_agent.control.server import read_status
from pos_agent.protocol.enrolment import Invitation
from tests.bench.till import BenchTill
from tests.integration.enrolment.conftest import PIN, Box, Office, asked, enrolled, hardware, until, waiting_here

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_fresh_machine_is_invited_accepted_and_its_first_supervisor_signs_in(office: Office, till: BenchTill) -> None:
    """Whole way: invitation, real TLS, fingerprints compared, real daemon on a real broker, sign-in by keypad."""
    box = hardware(till, "# devices were commissioned first\n")
    enrolled(office, box)
    config = tomllib.loads(box.config.read_text())
    assert box.config.read_text().startswith("# devices were commissioned first")
    assert (config["terminal"]["terminal_id"], config["terminal"]["merchant_name"]) == (office.terminal, "晨光便利店")
    assert config["renewal"]["url"] == office.url
    for name in ("device.pem", "terminal.key", "terminal.pem", "lookup.key"):
        assert (box.pki / name).stat().st_mode & 0o777 == 0o600, name
    till.start()
    until(lambda: read_status(till.folder / "run").is_back_office_present, "connected with its new certificate")
    till.settle()
    for name in ("9", "0", "ENTER", *PIN, "ENTER"):
        till.press(name)
        till.settle()
    until(lambda: read_status(till.folder / "run").workflow_state == "MENU", "the first supervisor is signed in")


def test_secrets_of_an_enrolment_are_in_no_log_and_no_argument(office: Office, box: Box) -> None:
    invitation = office.invite()
    said = enrolled(office, box, text=invitation.text + "\n")
    for text in (said, office.log):
        assert invitation.code not in text
        assert PIN not in text
    database = b"".join(path.read_bytes() for path in office.folder.glob("backoffice.db*"))
    assert invitation.code.encode() not in database
    assert not (box.pki / "enrolling" / "state.json").exists()


@pytest.mark.exhaustive
def test_page_shows_the_fingerprint_that_the_till_shows(office: Office, box: Box) -> None:
    process = box.spawn("enrol", text=office.invite().text + "\n")
    (waiting,) = until(lambda: waiting_here(office), "the till waits")
    before = office.click("enrolment", "accept")
    _, err = process.communicate(timeout=40)
    assert waiting["fingerprint"] in before
    assert waiting["fingerprint"] in err


@pytest.mark.exhaustive
def test_fingerprint_is_printed_where_a_printer_is_configured(office: Office, box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as printer:
        printer.settimeout(20)
        box.config.write_text(
            f'[devices.printer]\nlink = "tcp"\npath = "127.0.0.1:{printer.getsockname()[1]}"\ntext_mode = "codepage"\n'
        )
        process = box.spawn("enrol", text=office.invite().text + "\n")
        link, _ = printer.accept()
        with link:
            link.settimeout(20)
            paper = b""
            while chunk := link.recv(4096):
                paper += chunk
        (waiting,) = until(lambda: waiting_here(office), "the till waits")
        office.click("enrolment", "accept")
        _, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    groups = waiting["fingerprint"].split()
    assert " ".join(groups[:4]).encode() in paper
    assert " ".join(groups[4:]).encode() in paper
    assert office.terminal.encode() in paper


@pytest.mark.exhaustive
def test_till_that_a_person_refuses_gets_nothing(office: Office, box: Box) -> None:
    process = box.spawn("enrol", text=office.invite().text + "\n")
    until(lambda: waiting_here(office), "the till waits")
    office.click("enrolment", "refuse")
    out, _ = process.communicate(timeout=40)
    assert process.returncode == 1
    assert json.loads(out) == {"state": "refused", "code": "E-ENROL2"}
    assert not (box.pki / "terminal.pem").exists()


def test_five_wrong_codes_end_an_invitation(office: Office, box: Box) -> None:
    right = office.invite()
    wrong = Invitation(url=right.url, ca_fingerprint=right.ca_fingerprint, terminal_id=right.terminal_id, code="A" * 16)
    for _ in range(5):
        assert asked(box, wrong) == "E-ENROL1"
    assert asked(box, right) == "E-ENROL1"
    assert waiting_here(office) == []


def test_code_that_was_used_is_refused_to_another_machine_and_alarmed(office: Office, box: Box, tmp_path: Path) -> None:
    invitation = office.invite()
    assert asked(box, invitation) == ""
    thief = Box(tmp_path / "thief")
    (thief.folder / "data").mkdir(parents=True)
    assert asked(thief, invitation) == "E-ENROL1"
    assert asked(box, invitation) == "", "the till itself goes on waiting"
    assert not (thief.pki / "terminal.pem").exists()
    assert b"enrolment_code_replayed" in b"".join(p.read_bytes() for p in office.folder.glob("backoffice.db*"))


def test_back_office_with_another_ca_is_told_no_secret(office: Office, box: Box) -> None:
    given = office.invite()
    other = Invitation(url=given.url, ca_fingerprint="ab" * 32, terminal_id=given.terminal_id, code=given.code)
    status, out, _ = box.run("enrol", text=other.text + "\n")
    assert (status, json.loads(out)["code"]) == (1, "E-ENROL4")
    assert waiting_here(office) == []


def test_power_cut_while_waiting_goes_on_with_the_same_keys(office: Office, box: Box) -> None:
    process = box.spawn("enrol", text=office.invite().text + "\n")
    (first,) = until(lambda: waiting_here(office), "the till waits")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    office.click("enrolment", "accept")
    status, out, err = box.run("enrol")
    assert (status, json.loads(out)["state"]) == (0, "enrolled"), err
    assert first["fingerprint"] in err


def test_reenrolment_keeps_terminal_id_journal_and_device_key(office: Office, box: Box) -> None:
    enrolled(office, box)
    device_key = (box.pki / "device.pem").read_bytes()
    certificate = (box.pki / "terminal.pem").read_bytes()
    journal = (box.folder / "data" / "journal.db").stat().st_ino
    enrolled(office, box, text=office.invite(supervisor=False).text + "\n")
    assert (box.pki / "device.pem").read_bytes() == device_key
    assert (box.pki / "terminal.pem").read_bytes() != certificate
    assert (box.folder / "data" / "journal.db").stat().st_ino == journal
    status, out, _ = box.run("operator", "list")
    assert status == 0
    assert [row["operator_no"] for row in json.loads(out)] == ["90"]


@pytest.mark.exhaustive
def test_invitation_is_read_by_the_scanner_of_the_till(office: Office, box: Box) -> None:
    invitation = office.invite()
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        process = box.spawn("enrol", "--scan", os.ttyname(slave))
        assert process.stderr is not None
        assert "scan the invitation" in process.stderr.readline()
        os.write(master, b"6901234567892\r")
        assert "is not an invitation" in process.stderr.readline()
        os.write(master, invitation.text.encode() + b"\r")
        until(lambda: waiting_here(office), "the till waits")
        office.click("enrolment", "accept")
        _, err = process.communicate(timeout=40)
    finally:
        os.close(master)
        os.close(slave)
    assert process.returncode == 0, err
    assert "6901234567892" not in err


@pytest.mark.parametrize("way", ["by hand", "by file"])
def test_invitation_comes_by_hand_or_by_file(office: Office, box: Box, way: str) -> None:
    out = box.folder / "invitation"
    invitation = office.invite(*(["--out", str(out)] if way == "by file" else []))
    if way == "by file":
        assert out.stat().st_mode & 0o777 == 0o600
        process = box.spawn("enrol", "--file", str(out))
    else:
        typed = "-".join(invitation.code[start : start + 4] for start in range(0, 16, 4)).lower()
        where = (office.url, "--terminal", office.terminal, "--ca-fingerprint", invitation.ca_fingerprint.upper())
        process = box.spawn("enrol", *where, text=typed + "\n")
    assert until(lambda: waiting_here(office), "the till waits")
    process.kill()
    process.communicate()
