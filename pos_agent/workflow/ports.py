"""What the controller needs from rooms beside it; mypy checks the match in `pos_agent.app.compose`.

The journal is below and called directly. Everything here answers through the inbox (`pos_agent.domain.events`) or at
once.
"""

from datetime import datetime
from typing import Protocol

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.refund import OriginalReference, RefundRequest
from pos_agent.domain.screen import Screen
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import SlipDocument


class DisplayPort(Protocol):
    """A display: `pos_agent.devices.interfaces.LineDisplay` has more."""

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows)."""

    def show(self, screen: Screen) -> None:
        """Show a screen; never blocks."""

    def beep(self) -> None:
        """Sound the error beep."""


class LookUpPort(Protocol):
    """Asks the back office; the answer comes as `LookUpAnswered`, always, NO_ANSWER after 8 s or at once if offline."""

    def look_up(self, lookup_id: str, reference: OriginalReference, operator_no: str) -> None:
        """Ask for a sale."""

    def refresh(self, refund_request_id: str) -> None:
        """Ask for the newest state of a request; the answer comes as `RefundChanged`, or not at all."""

    def cancel(self, lookup_id: str) -> None:
        """Forget a question; its answer is dropped."""


class PinPort(Protocol):
    """The PIN worker (D22); answers with `PinChecked`."""

    def check(self, attempt_id: int, operator_no: str, pin: str) -> None:
        """Compare a PIN in its own short-lived thread; failures are committed before comparing."""


class SlipPort(Protocol):
    """Makes slip documents; `pos_agent.printing.slips` behind it. Pure."""

    def request_slips(self, request: RefundRequest) -> tuple[SlipDocument, ...]:
        """Return the merchant's and the customer's request slip."""

    def copy(self, document: SlipDocument, copy_no: int) -> SlipDocument:
        """Return the same slip marked 重打印 COPY n."""

    def policy_slip(self) -> SlipDocument:
        """Return the refund policy as a slip."""

    def shift_slip(self, facts: ShiftFacts) -> SlipDocument:
        """Return the slip of a closed shift."""

    def approval_slip(self, question: ApprovalQuestion, code: str, at: datetime) -> SlipDocument:
        """Return the slip with the QR code of an approval question."""


class ApprovalPort(Protocol):
    """The codes of approval questions and answers: `pos_agent.app.identity`, which has the keys."""

    def question_code(self, question: ApprovalQuestion) -> str:
        """Sign a question; raises LocalProtocolError if it fits no QR code."""

    def read_answer(self, code: str) -> ApprovalAnswer:
        """Verify an answer.

        Raises:
            RemoteProtocolError: Damaged.
            SignatureError: Not the back office's.
        """


class SpoolerPort(Protocol):
    """What the workflow may say to the spooler."""

    def allow_results(self, is_allowed: bool) -> None:
        """Result slips print only while the workflow is at MENU or LOGIN."""

    @property
    def is_paused(self) -> bool:
        """Return whether an operator has stopped printing."""

    def set_paused(self, is_paused: bool) -> None:
        """Stop printing after the slip under way, or go on."""

    def accept_printer(self) -> None:
        """Take the printer that is there for the till's own: a person says so."""

    def sound(self) -> None:
        """Sound the printer's buzzer, where it has one and may."""


class RandomPort(Protocol):
    """Randomness, passed in."""

    def random_18(self) -> int:
        """Return 0 … 10**18-1 from a cryptographic source."""

    def token(self) -> str:
        """Return 64 random bits in hex, for look-up ids and nonces."""


class IncidentPort(Protocol):
    """Keeps incident files: `pos_agent.app.incidents`."""

    @property
    def max_bytes(self) -> int:
        """Return how large a file may be."""

    def save(self, data: bytes) -> str:
        """Write a file and return its name.

        Raises:
            OSError: The disk is full or read-only.
        """


class KeyedHashPort(Protocol):
    """Keyed hash of a number that might be a payment code (D14)."""

    def order_no_hash(self, number: str) -> str:
        """Return hex HMAC-SHA256 of the number."""
