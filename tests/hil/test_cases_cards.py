"""Dead and copied cards, and a database that went back (trust.md 8), over the bench API and the shipped commands."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hil.conftest import ROOT, RunningBench
from tests.hil.test_cases_network import go_offline
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker, pytest.mark.slow]
_BACK_S = 40.0


class Cards:
    """The card in the till, and the machine of the back office, as somebody with a screwdriver sees them."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.card = state_dir / "data"

    def copy(self, name: str) -> Path:
        """Copy the card; the till must be off."""
        copy = self._state_dir / f"card.{name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.card, copy)
        return copy

    def put(self, card: Path) -> None:
        """Put a card into the till; the till must be off."""
        shutil.rmtree(self.card)
        shutil.copytree(card, self.card)

    def put_new(self) -> None:
        """Put in a card that has never sold anything, with the till's own identity."""
        self.put(self._state_dir / "data.fresh")

    def office(self, *arguments: str, scanned: str = "") -> Any:
        """Run ``pos-backoffice``; return what it prints for machines."""
        command = [sys.executable, "-m", "backoffice.cli", *arguments]
        command += ["--config", str(self._state_dir / "backoffice.toml"), "--json"]
        done = subprocess.run(command, cwd=ROOT, input=scanned, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    def alarms(self) -> list[str]:
        """Return the names of all alarms that the back office has raised."""
        database = sqlite3.connect(f"file:{self._state_dir / 'backoffice' / 'backoffice.db'}?mode=ro", uri=True)
        try:
            return [row[0] for row in database.execute("SELECT name FROM events WHERE is_alarm ORDER BY at")]
        finally:
            database.close()


@pytest.fixture
def cards(running_bench: RunningBench) -> Cards:
    return Cards(running_bench.state_dir)


def _wait_alarm(cards: Cards, name: str) -> None:
    deadline = time.monotonic() + _BACK_S
    while name not in cards.alarms():
        assert time.monotonic() < deadline, cards.alarms()
        time.sleep(0.2)


def _start(till: Till) -> None:
    """Switch the till on and sign in; ends at MENU, the back office there."""
    till.power_on()
    till.type_credentials()
    till.client.wait_state("MENU")
    _wait_present(till)


def _wait_present(till: Till) -> None:
    till.client.wait(lambda state: state["daemon"]["is_back_office_present"], "back office there", timeout_s=_BACK_S)


def _submit_offline(till: Till, sale: dict[str, Any]) -> tuple[str, str]:
    """Make a request that never leaves the till; return its number and what its slip's code says."""
    till.scan(sale)
    go_offline(till.client)
    till.choose_all()
    request_id = till.confirm()
    merchant, customer = till.wait_slips(2)
    till.wait_printed()
    [code] = till.rescue_codes_on(merchant)
    assert till.rescue_codes_on(customer) == []
    assert till.client.requests() == []
    return request_id, code


def test_i8_card_that_dies_before_the_ack_is_rescued_from_the_slip_and_paid_once(
    fresh_till: Till, cards: Cards
) -> None:
    till, client = fresh_till, fresh_till.client
    sale = till.spare()
    request_id, code = _submit_offline(till, sale)
    client.power("cut")
    cards.put_new()
    client.broker("up")
    [taken] = cards.office("rescue", "--by", "finance", scanned=code + "\r\n")
    assert (taken["outcome"], taken["refund_request_id"], taken["state"]) == ("stored", request_id, "reviewing")
    [again] = cards.office("rescue", "--by", "finance", "--text", code)
    assert again["outcome"] == "duplicate"
    client.decide(request_id, "approve")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]
    _start(till)
    assert len(client.requests()) == 1
    following = till.refund(till.spare())
    till.wait_stored(following, "reviewing")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]


def test_i1_card_that_lives_after_all_sends_the_rescued_request_and_it_is_paid_once(
    fresh_till: Till, cards: Cards
) -> None:
    till, client = fresh_till, fresh_till.client
    sale = till.spare()
    request_id, code = _submit_offline(till, sale)
    client.power("cut")
    [taken] = cards.office("rescue", "--text", code)
    assert taken["outcome"] == "stored"
    client.broker("up")
    _start(till)
    client.wait(lambda state: not any(state["outbox"].values()), "outbox empty", timeout_s=_BACK_S)
    assert [row["refund_request_id"] for row in client.requests()] == [request_id]
    client.decide(request_id, "approve")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]


def test_i8_copied_card_is_stopped_and_alarmed_and_works_again_once_people_have_looked(
    fresh_till: Till, cards: Cards
) -> None:
    till, client = fresh_till, fresh_till.client
    client.power("cut")
    clone = cards.copy("clone")
    for _ in range(2):
        _start(till)
        client.power("cut")
    shops = cards.copy("shops")
    assert cards.alarms() == []
    cards.put(clone)
    till.power_on()
    _wait_alarm(cards, "clone_suspected")
    assert not client.state()["daemon"]["is_back_office_present"]
    client.power("cut")
    cards.put(shops)
    _start(till)
    request_id = till.refund(till.spare())
    till.wait_stored(request_id, "held")
    cards.office("terminal", "clear", "--id", str(client.info()["terminal_id"]))
    client.power("cut")
    _start(till)
    after = till.refund(till.spare())
    till.wait_stored(after, "reviewing")
    assert cards.alarms().count("clone_suspected") == 1


def test_i8_restore_drill_brings_back_what_was_asked_and_paid_after_the_copy(
    fresh_till: Till, cards: Cards, tmp_path: Path
) -> None:
    till, client = fresh_till, fresh_till.client
    cards.office("backup", str(tmp_path / "copy.db"))
    sale = till.spare()
    request_id = till.refund(sale)
    till.wait_stored(request_id, "reviewing")
    client.decide(request_id, "approve")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]
    till.wait_stored(request_id, "succeeded")
    client.back_office("down")
    cards.office("restore", str(tmp_path / "copy.db"))
    assert client.movements() != []
    client.back_office("up")
    client.wait(lambda _state: bool(client.requests()), "the request offered again", timeout_s=_BACK_S)
    till.wait_stored(request_id, "succeeded")
    assert till.wait_moved(request_id) == [sale["paid_minor"]], "found paid, not paid again"
    assert cards.office("resume")["is_done"] is True
