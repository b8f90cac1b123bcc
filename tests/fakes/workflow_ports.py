"""Ports of the workflow in memory: they remember what they were asked and answer through the inbox."""

import asyncio
import hashlib
from datetime import datetime

import msgspec

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.codes import APPROVAL_PREFIX
from pos_agent.domain.events import Event, LookUpAnswered, PinChecked
from pos_agent.domain.refund import OriginalReference, RefundRequest
from pos_agent.domain.sale import LookUpOutcome, LookUpResult, Sale
from pos_agent.domain.screen import Screen
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import SlipDocument, SlipKind, Text
from pos_agent.errors import RemoteProtocolError, SignatureError


class FakeScreenDisplay:
    """Remembers every screen."""

    def __init__(self, size: tuple[int, int] = (40, 12)) -> None:
        self._size = size
        self.screens: list[Screen] = []
        self.beeps = 0
        self.changed = asyncio.Event()

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def show(self, screen: Screen) -> None:
        self.screens.append(screen)
        self.changed.set()

    def beep(self) -> None:
        self.beeps += 1

    @property
    def text(self) -> str:
        """Return what is on the screen."""
        return "\n".join(self.screens[-1].lines) if self.screens else ""


class FakeLookUp:
    """Answers with the sale that a number has, at once, or not at all; refuses those with a code in `refusals`."""

    def __init__(self, inbox: "asyncio.Queue[Event]") -> None:
        self._inbox = inbox
        self.sales: dict[str, Sale] = {}
        self.refusals: dict[str, str] = {}
        self.asked: list[OriginalReference] = []
        self.refreshed: list[str] = []
        self.cancelled: list[str] = []
        self.is_silent = False
        self.outcome = LookUpOutcome.NOT_FOUND
        self.last_id = ""

    def look_up(self, lookup_id: str, reference: OriginalReference, operator_no: str) -> None:
        self.asked.append(reference)
        self.last_id = lookup_id
        if self.is_silent:
            return
        sale = self.sales.get(reference.value)
        outcome = LookUpOutcome.FOUND if sale is not None else self.outcome
        refusal = self.refusals.get(reference.value, "")
        if refusal:
            outcome = LookUpOutcome.REFUSED
        result = LookUpResult(lookup_id=lookup_id, outcome=outcome, sale=sale, code=refusal)
        self._inbox.put_nowait(LookUpAnswered(result))

    def refresh(self, refund_request_id: str) -> None:
        self.refreshed.append(refund_request_id)

    def cancel(self, lookup_id: str) -> None:
        self.cancelled.append(lookup_id)


class FakePins:
    """Knows PINs in clear; answers at once."""

    def __init__(self, inbox: "asyncio.Queue[Event]") -> None:
        self._inbox = inbox
        self.people = {"01": ("2468", "cashier"), "02": ("1357", "supervisor")}
        self.wrong = 0

    def check(self, attempt_id: int, operator_no: str, pin: str) -> None:
        known, role = self.people.get(operator_no, ("", ""))
        if known and pin == known:
            answer = PinChecked(attempt_id, operator_no, True, role, f"p{operator_no}")
        else:
            self.wrong += 1
            left = max(0, 5 - self.wrong)
            answer = PinChecked(attempt_id, operator_no, False, locked_s=0 if left else 900, tries_left=left)
        self._inbox.put_nowait(answer)


class FakeSlips:
    """Makes slips with one line."""

    def request_slips(self, request: RefundRequest) -> tuple[SlipDocument, ...]:
        return tuple(
            SlipDocument(kind=kind, blocks=(Text("slip"),), refund_request_id=request.refund_request_id)
            for kind in (SlipKind.REQUEST_MERCHANT, SlipKind.REQUEST_CUSTOMER)
        )

    def copy(self, document: SlipDocument, copy_no: int) -> SlipDocument:
        return SlipDocument(
            kind=document.kind,
            blocks=document.blocks,
            refund_request_id=document.refund_request_id,
            copy_no=copy_no,
        )

    def policy_slip(self) -> SlipDocument:
        return SlipDocument(kind=SlipKind.POLICY, blocks=(Text("policy"),))

    def shift_slip(self, facts: ShiftFacts) -> SlipDocument:
        return SlipDocument(kind=SlipKind.SHIFT, blocks=(Text(facts.audit_head),))

    def approval_slip(self, question: ApprovalQuestion, code: str, at: datetime) -> SlipDocument:
        return SlipDocument(kind=SlipKind.APPROVAL, blocks=(Text(code),))


class FakeApprovals:
    """Codes without signatures: the JSON of question and answer; ``forged`` and ``damaged`` are refused."""

    def question_code(self, question: ApprovalQuestion) -> str:
        return "PQ1." + msgspec.json.encode(question).decode()

    def read_answer(self, code: str) -> ApprovalAnswer:
        text = code.removeprefix(APPROVAL_PREFIX)
        if text == "forged":
            raise SignatureError(text)
        try:
            return msgspec.json.decode(text, type=ApprovalAnswer)
        except msgspec.DecodeError as error:
            raise RemoteProtocolError("damaged") from error


class FakeSpooler:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.is_allowed = False
        self.is_paused = False
        self.accepted = 0
        self.sounds = 0

    def set_paused(self, is_paused: bool) -> None:
        self.is_paused = is_paused

    def accept_printer(self) -> None:
        self.accepted += 1

    def sound(self) -> None:
        self.sounds += 1

    def allow_results(self, is_allowed: bool) -> None:
        self.is_allowed = is_allowed


class FakeRandom:
    """Counts."""

    def __init__(self) -> None:
        self._next = 0

    def random_18(self) -> int:
        self._next += 1
        return 345678000000000000 + self._next

    def token(self) -> str:
        self._next += 1
        return f"token{self._next}"


class FakeKeyedHash:
    """A hash with a fixed key."""

    def order_no_hash(self, number: str) -> str:
        return hashlib.sha256(b"key" + number.encode()).hexdigest()
