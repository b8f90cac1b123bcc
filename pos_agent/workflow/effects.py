"""Effects: what the machine asks the controller to do, as data (D2). Pure."""

import msgspec

from pos_agent.domain.approval import ApprovalQuestion
from pos_agent.domain.refund import OriginalReference, RemoteApproval
from pos_agent.workflow.model import RefundEntry


class Effect(msgspec.Struct, frozen=True):
    """Base of all effects."""


class Show(Effect, frozen=True):
    """Draw the current state; the last effect of nearly every trigger."""


class Beep(Effect, frozen=True):
    """Sound the error beep."""


class StartTimer(Effect, frozen=True):
    """(Re)start the state's time-out; None = this state waits for ever."""

    timeout_s: float | None


class ClassifyTyped(Effect, frozen=True):
    """Classify a typed number; the answer comes as trigger CODE. `text` may be a payment code: never logged."""

    text: str

    def __repr__(self) -> str:
        """Show the length only."""
        return f"ClassifyTyped(length={len(self.text)})"


class LookUp(Effect, frozen=True):
    """Ask the back office for a sale; the answer comes as trigger LOOKUP_DONE."""

    reference: OriginalReference


class CancelLookUp(Effect, frozen=True):
    """Forget the look-up; its answer is dropped."""


class CheckPin(Effect, frozen=True):
    """Compare a PIN; the answer comes as trigger PIN_CHECKED."""

    operator_no: str
    pin: str

    def __repr__(self) -> str:
        """Hide the PIN."""
        return f"CheckPin(operator_no={self.operator_no!r})"


class Commit(Effect, frozen=True):
    """Make the request durable with its slips (D6); the answer comes as COMMITTED or COMMIT_FAILED.

    `refund_request_id` is that of the question that was asked about it, empty if none was.
    """

    entry: RefundEntry
    refund_request_id: str = ""
    approval: RemoteApproval | None = None


class SaveDraft(Effect, frozen=True):
    """Keep the entry for RESUME."""


class DropDraft(Effect, frozen=True):
    """Delete the draft; audited with its cause."""

    cause: str


class OpenRequest(Effect, frozen=True):
    """Make a request the shown one: by its id, or by its place from the newest (0)."""

    refund_request_id: str = ""
    index: int = 0


class FindRequest(Effect, frozen=True):
    """Make the newest request whose id ends with these digits the shown one."""

    digits: str


class Refresh(Effect, frozen=True):
    """Ask the back office for the newest state of a request."""

    refund_request_id: str


class Withdraw(Effect, frozen=True):
    """Queue 撤回."""

    refund_request_id: str


class AnswerQuestion(Effect, frozen=True):
    """Queue the answer to NEED_INFO on the same request."""

    refund_request_id: str
    text: str


class PrintCopy(Effect, frozen=True):
    """Queue a marked copy of the newest customer-facing slip of a request; empty = of the newest request."""

    refund_request_id: str = ""


class PrintPolicy(Effect, frozen=True):
    """Queue the policy slip."""


class PrintQuestion(Effect, frozen=True):
    """Queue the slip with an approval question; audited."""

    question: ApprovalQuestion


class CloseShift(Effect, frozen=True):
    """Close the shift and queue its slip."""


class LoadQueue(Effect, frozen=True):
    """Read what waits to be sent."""


class PausePrinting(Effect, frozen=True):
    """Stop printing after the slip under way, or go on; a restart prints again."""

    is_paused: bool


class AcceptPrinter(Effect, frozen=True):
    """The printer that was put in the other's place is the till's own from now on."""


class SaveIncident(Effect, frozen=True):
    """Write the flight recorder's ring to a file; the message says whether it worked."""


class SetTraining(Effect, frozen=True):
    """The training mode begins or ends; audited. What was practised is forgotten."""

    is_on: bool


class SignedIn(Effect, frozen=True):
    """An operator signed in; audited."""


class SignedOut(Effect, frozen=True):
    """The operator signed out or the till locked itself; audited."""

    cause: str
