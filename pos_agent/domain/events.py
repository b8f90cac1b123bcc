"""Facts that cross rooms: everything that is put into the one bounded inbox that the controller takes from.

Devices, sync and the spooler put; only `pos_agent.workflow.controller` takes.
"""

from enum import StrEnum
from typing import Final

import msgspec

from pos_agent.domain.refund import RefundUpdate
from pos_agent.domain.sale import LookUpResult
from pos_agent.domain.slip import PrintOutcome, SlipKind


class Key(StrEnum):
    """Logical keys (screens.md section 1). `KEY_00` arrives as two `0`."""

    KEY_0 = "0"
    KEY_1 = "1"
    KEY_2 = "2"
    KEY_3 = "3"
    KEY_4 = "4"
    KEY_5 = "5"
    KEY_6 = "6"
    KEY_7 = "7"
    KEY_8 = "8"
    KEY_9 = "9"
    DOT = "DOT"
    ENTER = "ENTER"
    CLEAR = "CLEAR"
    CANCEL = "CANCEL"
    FN = "FN"
    NEXT = "NEXT"
    F1 = "F1"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"


class KeyPressed(msgspec.Struct, frozen=True):
    """A key went down. `at_s` is monotonic. Never logged while a PIN is typed."""

    key: Key
    at_s: float


class ScanRead(msgspec.Struct, frozen=True):
    """A whole frame of the scanner. May be a payment code: never logged, stored or sent before it is classified (D14).

    Attributes:
        scan_data_label: The data without prefix, suffix and AIM identifier.
        scan_data_type: Symbology from the AIM identifier, such as ``]C1``; empty if the scanner sends none.
        at_s: Monotonic.
    """

    scan_data_label: str
    scan_data_type: str
    at_s: float

    def __repr__(self) -> str:
        """Show the length only, so that no log or traceback can hold a payment code."""
        return f"ScanRead(length={len(self.scan_data_label)}, scan_data_type={self.scan_data_type!r})"


class ScanGarbled(msgspec.Struct, frozen=True):
    """Bytes arrived that were no frame (noise, overflow). `cause` is a counter's name; no bytes are kept."""

    cause: str
    length: int


class DeviceName(StrEnum):
    """The roles a device can have in a till."""

    SCANNER = "scanner"
    PRINTER = "printer"
    KEYPAD = "keypad"
    OPERATOR_DISPLAY = "operator_display"
    CUSTOMER_DISPLAY = "customer_display"


class DeviceStatusChanged(msgspec.Struct, frozen=True):
    """A device came, went or needs help (UnifiedPOS StatusUpdateEvent).

    Attributes:
        device: Which role.
        is_online: Open and answering.
        code: Empty, or what is wrong: ``E_NOHARDWARE``, ``EPTR_REC_EMPTY``, ``EPTR_COVER_OPEN``,
            ``EPTR_REC_NEAR_END``, ``EPTR_CUTTER``, ``keyboard_mode`` …: i18n key ``device.<code>``.
    """

    device: DeviceName
    is_online: bool
    code: str = ""


class LookUpAnswered(msgspec.Struct, frozen=True):
    """The back office answered a look-up, or nobody did in time."""

    result: LookUpResult


class RefundChanged(msgspec.Struct, frozen=True):
    """A statement of the back office about a request is in the journal."""

    update: RefundUpdate


class RequestStored(msgspec.Struct, frozen=True):
    """The back office's own ack is in the journal: from 已保存 to 已提交."""

    refund_request_id: str


class RequestHeld(msgspec.Struct, frozen=True):
    """The back office refused to store a message; the row is held and visible (D8)."""

    refund_request_id: str
    cause: str


class LinkChanged(msgspec.Struct, frozen=True):
    """The way to the back office changed.

    Attributes:
        is_broker_connected: CONNACK received.
        is_back_office_present: Its signed presence says online; False whenever the broker is away.
        code: Why not: ``E-NET``, ``E-CLOCK``, ``E-CERT`` …; empty when up.
    """

    is_broker_connected: bool
    is_back_office_present: bool
    code: str = ""


class PrintJobEnded(msgspec.Struct, frozen=True):
    """The spooler finished with a job (D13)."""

    job_id: int
    refund_request_id: str
    kind: SlipKind
    copy_no: int
    outcome: PrintOutcome


#: Why a job waits while an operator has stopped printing.
PRINTING_PAUSED: Final = "printing_paused"


class PrintJobPaused(msgspec.Struct, frozen=True):
    """A job waits for a person: paper, cover, cable, or the operator who stopped printing."""

    job_id: int
    refund_request_id: str
    code: str


class PinChecked(msgspec.Struct, frozen=True):
    """The PIN worker finished (D22).

    Attributes:
        attempt_id: Echoes the effect that asked; an answer to another attempt is dropped.
        operator_no: Whose PIN.
        role: ``cashier`` or ``supervisor`` when right, else empty.
        locked_s: Powered-on seconds until this number may try again; 0 = not locked.
    """

    attempt_id: int
    operator_no: str
    is_right: bool
    role: str = ""
    person_id: str = ""
    locked_s: int = 0
    tries_left: int = 0


class RefundCommitted(msgspec.Struct, frozen=True):
    """The `Commit` effect is durable: request, outbox, print jobs, audit (D6)."""

    refund_request_id: str


class CommitFailed(msgspec.Struct, frozen=True):
    """The journal could not keep the request: nothing was sent or printed. `code` such as ``E-DISK``."""

    refund_request_id: str
    code: str


class StorageChanged(msgspec.Struct, frozen=True):
    """The disk of the journal changed: `code` such as ``E-DISK1`` (full), empty = refunds may begin again."""

    code: str


class CertificateChanged(msgspec.Struct, frozen=True):
    """The renewal of the till's certificate failed: `code` such as ``E-RENEW``; empty = it is well again."""

    code: str


class KeysWanted(msgspec.Struct, frozen=True):
    """A new key map is in trial: each of these logical keys must be pressed once, wherever; empty = no more (D17)."""

    keys: tuple[str, ...]


class TimerFired(msgspec.Struct, frozen=True):
    """A timer of the workflow ran out. `timer_id` guards against a late one of an earlier state."""

    name: str
    timer_id: int


Event = (
    KeyPressed
    | ScanRead
    | ScanGarbled
    | DeviceStatusChanged
    | LookUpAnswered
    | RefundChanged
    | RequestStored
    | RequestHeld
    | LinkChanged
    | PrintJobEnded
    | PrintJobPaused
    | PinChecked
    | RefundCommitted
    | CommitFailed
    | StorageChanged
    | CertificateChanged
    | KeysWanted
    | TimerFired
)
