"""Rooms that are not there in the SAFE state without a journal: every port answers, none does anything."""

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.events import LookUpAnswered, PinChecked
from pos_agent.domain.refund import OriginalReference
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.errors import LocalProtocolError, SignatureError


class NoLookUp:
    """Answers NO_ANSWER at once."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def look_up(self, lookup_id: str, reference: OriginalReference, operator_no: str) -> None:
        """Answer that nobody answers."""
        self._sink(LookUpAnswered(LookUpResult(lookup_id=lookup_id, outcome=LookUpOutcome.NO_ANSWER)))

    def refresh(self, refund_request_id: str) -> None:
        """Do nothing."""

    def cancel(self, lookup_id: str) -> None:
        """Do nothing."""


class NoPins:
    """Refuses every PIN."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def check(self, attempt_id: int, operator_no: str, pin: str) -> None:
        """Refuse."""
        self._sink(PinChecked(attempt_id, operator_no, is_right=False))


class NoApprovals:
    """Asks nobody and believes nothing: there are no keys, and so no refunds either."""

    def question_code(self, question: ApprovalQuestion) -> str:
        """Refuse."""
        raise LocalProtocolError("no device key")

    def read_answer(self, code: str) -> ApprovalAnswer:
        """Refuse."""
        raise SignatureError("no back-office key")


class NoSpooler:
    """Prints nothing."""

    is_paused = False

    def allow_results(self, is_allowed: bool) -> None:
        """Do nothing."""

    def set_paused(self, is_paused: bool) -> None:
        """Do nothing."""

    def accept_printer(self) -> None:
        """Do nothing."""

    def sound(self) -> None:
        """Do nothing."""


class NoDisplay:
    """A till without an operator display: the workflow runs, nobody sees it; the log says so at start."""

    size = (40, 12)

    def show(self, screen: object) -> None:
        """Do nothing."""

    def beep(self) -> None:
        """Do nothing."""
