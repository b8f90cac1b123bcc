"""PINs: strength, failures committed before comparing, lock-out answers."""

import asyncio

import pytest

from pos_agent.app.pins import PinWorker, hash_pin
from pos_agent.domain.events import Event, PinChecked
from pos_agent.domain.pins import WeakPinError, check_strength
from pos_agent.errors import JournalFullError
from pos_agent.journal.records import OperatorRecord
from pos_agent.journal.store import Journal


class OperatorJournal(Journal):
    """The operator part of a journal in memory, writing down the order of calls."""

    def __init__(self, pin_hash: str, *, is_full: bool = False) -> None:
        self.calls: list[str] = []
        self.record = OperatorRecord(
            operator_no="01", person_id="p1", name="Li", role="cashier", pin_hash=pin_hash, failures=0, locked_s=0
        )
        self.is_full = is_full

    async def operator(self, operator_no: str) -> OperatorRecord | None:
        return self.record if operator_no == "01" else None

    async def record_pin_failure(self, operator_no: str) -> OperatorRecord:
        if self.is_full:
            raise JournalFullError("no space")
        self.calls.append("failure")
        failures = self.record.failures + 1
        self.record = OperatorRecord(
            operator_no="01",
            person_id="p1",
            name="Li",
            role="cashier",
            pin_hash=self.record.pin_hash,
            failures=failures,
            locked_s=900 if failures >= 5 else 0,
        )
        return self.record

    async def record_pin_success(self, operator_no: str) -> None:
        self.calls.append("success")


@pytest.fixture(scope="module")
def pin_hash() -> str:
    return hash_pin("7391")


async def ask(journal: Journal, operator_no: str, pin: str) -> PinChecked:
    answers: asyncio.Queue[Event] = asyncio.Queue()
    worker = PinWorker(journal, answers.put_nowait)
    worker.check(7, operator_no, pin)
    answer = await asyncio.wait_for(answers.get(), 10)
    await worker.close()
    assert isinstance(answer, PinChecked)
    assert answer.attempt_id == 7
    return answer


@pytest.mark.parametrize(
    "pin", ["0000", "123456", "1234", "4321", "5555", "123", "123456789", "12a4", "", "１２３４５６"]
)
def test_weak_pin_is_refused(pin: str) -> None:
    with pytest.raises(WeakPinError):
        check_strength(pin)


async def test_right_pin_answers_role_and_person(pin_hash: str) -> None:
    journal = OperatorJournal(pin_hash)
    answer = await ask(journal, "01", "7391")
    assert (answer.is_right, answer.role, answer.person_id) == (True, "cashier", "p1")
    assert journal.calls == ["failure", "success"]


async def test_wrong_pin_is_counted_before_comparing_and_tells_tries_left(pin_hash: str) -> None:
    journal = OperatorJournal(pin_hash)
    answer = await ask(journal, "01", "7392")
    assert (answer.is_right, answer.tries_left, answer.locked_s) == (False, 4, 0)
    assert journal.calls == ["failure"]


async def test_locked_operator_is_refused_without_comparing(pin_hash: str) -> None:
    journal = OperatorJournal(pin_hash)
    for _ in range(5):
        answer = await ask(journal, "01", "7392")
    assert answer.locked_s == 900
    calls = len(journal.calls)
    answer = await ask(journal, "01", "7391")
    assert (answer.is_right, answer.locked_s) == (False, 900)
    assert len(journal.calls) == calls


async def test_unknown_operator_is_refused(pin_hash: str) -> None:
    answer = await ask(OperatorJournal(pin_hash), "77", "7391")
    assert not answer.is_right


async def test_full_journal_gives_no_free_tries(pin_hash: str) -> None:
    answer = await ask(OperatorJournal(pin_hash, is_full=True), "01", "7391")
    assert not answer.is_right
