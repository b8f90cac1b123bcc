"""What the machine remembers (`Context`), what it is told (`Input`, `Facts`, `Rules`). Data only. Pure."""

from datetime import datetime

import msgspec

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.codes import Code
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.events import DeviceName, PinChecked
from pos_agent.domain.reasons import Phrase, Reason
from pos_agent.domain.refund import Entry, OriginalReference, RefundType
from pos_agent.domain.sale import LookUpResult, Sale
from pos_agent.domain.slip import PrintOutcome
from pos_agent.journal.records import MoneyRow, RefundRecord
from pos_agent.protocol.control import OutboxCounts
from pos_agent.workflow.states import State


class RefundEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was entered for one refund: the whole of a draft. Never a PIN, never a payment code.

    Attributes:
        reference: What the look-up went by.
        tail: Last six characters of the number, for people; empty while only its hash is known (D14).
        sale: The back office's picture; None when unverified.
        paid_minor: As the sale says, or as typed when unverified.
        is_amount_typed: The cashier typed the amount (2, part): CLEAR leads back there.
        flags: Facts for the reviewer from the policy.
    """

    reference: OriginalReference
    entry: Entry
    tail: str = ""
    sale: Sale | None = None
    is_unverified: bool = False
    paid_minor: int | None = None
    amount_minor: int = 0
    is_amount_typed: bool = False
    refund_type: RefundType = RefundType.FULL
    reason_code: str = ""
    note: str | None = None
    supervisor_no: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def currency(self) -> str:
        """Return the currency of the sale."""
        return "CNY" if self.sale is None else self.sale.currency

    @property
    def refundable_minor(self) -> int | None:
        """Return what is left to refund; None if nothing is known."""
        return self.paid_minor if self.sale is None else self.sale.refundable_minor


class Context(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The machine's memory.

    Attributes:
        locale: ``zh-CN`` or ``en``.
        operator_no: Who is signed in; empty at LOGIN.
        auth_no: Operator number typed at LOGIN or SUPERVISOR, once confirmed.
        typed: The field being typed; at SCAN it may be anything, so it never enters a draft.
        pin: The PIN being typed; never shown, logged or saved.
        message: i18n key of what is wrong with the last input; cleared by the next key.
        entry: The refund under way.
        pending: Reference of an ambiguous number: its keyed hash only.
        stack: States below overlays, the last one on top.
        question: Asked of a person elsewhere (ADR 0024); its id is the request's, its nonce is spent by the commit.
        is_training: The training mode is on (`pos_agent.workflow.training`): nothing is kept or sent.
        offered: A draft that is offered at RESUME, and where it goes on.
    """

    locale: str = "zh-CN"
    operator_no: str = ""
    operator_role: str = ""
    operator_person: str = ""
    auth_no: str = ""
    typed: str = ""
    pin: str = ""
    is_checking: bool = False
    message: str = ""
    message_parameters: dict[str, str] = {}
    entry: RefundEntry | None = None
    code: Code | None = None
    pending: OriginalReference | None = None
    is_typed_code: bool = False
    refusal: str = ""
    refusal_parameters: dict[str, str] = {}
    page: int = 0
    stack: tuple[State, ...] = ()
    browse: int = 0
    shown_id: str = ""
    is_lookup_shown: bool = False
    question: ApprovalQuestion | None = None
    is_training: bool = False
    offered: RefundEntry | None = None
    offered_state: State = State.SALE

    def __repr__(self) -> str:
        """Show nothing that was typed."""
        return f"Context(operator_no={self.operator_no!r}, stack={len(self.stack)})"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop configured."""

    policy: PolicyConfig
    reasons: tuple[Reason, ...]
    phrases: tuple[Phrase, ...]
    terminal_id: str = ""
    service_phone: str = ""
    version: str = ""

    def reason(self, code: str) -> Reason | None:
        """Return the reason with this code."""
        return next((reason for reason in self.reasons if reason.code == code), None)

    def reason_by_key(self, key: str) -> Reason | None:
        """Return the reason on this digit of the first page."""
        return next((reason for reason in self.reasons if reason.key == key and key), None)

    def phrase(self, number: str) -> Phrase | None:
        """Return the phrase with this number."""
        return next((phrase for phrase in self.phrases if phrase.number == number), None)


class SlipFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The slips of the shown request: never more than was proved (D13).

    Attributes:
        outcomes: How finished jobs ended.
        waiting: Jobs that are not finished.
        paused_code: Why the printer waits, such as EPTR_REC_EMPTY; empty if it does not.
    """

    outcomes: tuple[PrintOutcome, ...] = ()
    waiting: int = 0
    paused_code: str = ""


class Facts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is true now, read by views and guards; the controller keeps it.

    Attributes:
        now: Local time with its zone.
        record: The request on the screen (RESULT, STATUS, LAST), None if there is none.
        newest: The newest request, for MENU.
        notices: Requests with news that nobody has seen.
        recent_requests: Requests of the signed-in operator within the last hour.
        countdown_s: Seconds left, only while they are shown.
        is_paper_low: The printer's near-end sensor or the count of slips says so; it still prints.
        is_printer_swapped: Another printer hangs on the cable than a person put there; it still prints.
        is_printing_paused: An operator has stopped printing.
        lookup_s: Seconds that the look-up has taken.
        storage_code: Why no refund may begin (E-DISK1 …), empty = it may.
        certificate_code: Why the certificate was not renewed (E-RENEW …); refunds go on.
        keys_wanted: Keys of a key map in trial that nobody has pressed yet.
    """

    now: datetime
    is_clock_trusted: bool = True
    is_broker_connected: bool = False
    is_back_office_present: bool = False
    link_code: str = ""
    outbox: OutboxCounts = OutboxCounts()
    devices: dict[DeviceName, str] = {}
    has_operators: bool = True
    record: RefundRecord | None = None
    newest: RefundRecord | None = None
    slips: SlipFacts = SlipFacts()
    queue: tuple[MoneyRow, ...] = ()
    notices: tuple[str, ...] = ()
    recent_requests: int = 0
    countdown_s: int | None = None
    lookup_s: int = 0
    safe_code: str = ""
    storage_code: str = ""
    certificate_code: str = ""
    keys_wanted: tuple[str, ...] = ()
    is_paper_low: bool = False
    is_printer_swapped: bool = False
    is_printing_paused: bool = False


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """Drawn outside for one approval question; as `pos_agent.domain.approval.ApprovalQuestion` says."""

    refund_request_id: str
    nonce: str
    boot_id: str


class Input(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One trigger's data. `key` is never logged: it may be a digit of a PIN.

    Attributes:
        fresh: With NEXT on SUPERVISOR.
        approval: The code that was scanned is the back office's answer to some question.
        failure: Why nothing was kept, or why a scanned answer cannot be read.
    """

    facts: Facts
    key: str = ""
    code: Code | None = None
    hashed: OriginalReference | None = None
    answer: LookUpResult | None = None
    pin: PinChecked | None = None
    fresh: Fresh | None = None
    approval: ApprovalAnswer | None = None
    request_id: str = ""
    failure: str = ""
    draft: RefundEntry | None = None
    draft_state: State = State.SALE
    has_stale_draft: bool = False

    def __repr__(self) -> str:
        """Show nothing that was typed or scanned."""
        return "Input()"
