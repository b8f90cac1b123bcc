"""The error tree of pos-agent; the bottom layer, imported by every room.

The text of an exception is English, for engineers. What a cashier reads is looked up by `code` in `pos_agent.i18n`.

PosAgentError(code, retryable)
├─ ConfigError → ConfigFileError · ConfigValueError(key, origin, hint)
├─ DeviceError(device, code = UnifiedPOS E_*) → NoHardwareError · ClaimedError · OfflineError(ConnectionError)
│     · DeviceTimeoutError(TimeoutError) · BusyError · FailureError · PrinterError → PaperEndError · CoverOpenError
├─ WorkflowError → IllegalTriggerError(state, trigger) · IncidentFileError
├─ JournalError → JournalCorruptError · JournalNewerError · JournalFullError · DuplicateRequestError
├─ BrokerError → BrokerUnreachableError(ConnectionError) · BrokerRefusedError(reason_code)
├─ ProtocolError → LocalProtocolError (our bug) · RemoteProtocolError (their message)
├─ EnrolmentError (no certificate yet, or no new one)
└─ UnencodableError (a financial line that the printer cannot show: refused rather than printed wrong)
"""

from typing import ClassVar


class PosAgentError(Exception):
    """Root of all errors raised on purpose.

    Attributes:
        code: Stable string for logs, MQTT, diagnostics and the i18n key.
        retryable: Whether the same call may succeed later without a change by a person.
    """

    code: str = "E-FAULT"
    retryable: bool = False


class ConfigError(PosAgentError):
    """The configuration cannot be used; a person must change it."""

    code = "E-CONFIG"


class ConfigFileError(ConfigError):
    """A configuration file is missing, unreadable or not TOML."""


class ConfigValueError(ConfigError):
    """One key of the configuration is unknown or has a bad value.

    Attributes:
        key: Dotted path, such as ``devices.scanner.baud``.
        origin: File (and line where known), environment variable or option it came from.
        hint: What to do, such as a "did you mean".
        problem: What is wrong, without key and origin.
    """

    def __init__(self, message: str, *, key: str, origin: str, hint: str = "") -> None:
        super().__init__(f"{key} ({origin}): {message}" + (f"; {hint}" if hint else ""))
        self.problem = message
        self.key = key
        self.origin = origin
        self.hint = hint


class DeviceError(PosAgentError):
    """A device did not do what was asked. `code` is the UnifiedPOS result code."""

    code = "E_FAILURE"
    retryable = True

    def __init__(self, device: str, message: str) -> None:
        super().__init__(f"device={device}: {message}")
        self.device = device


class NoHardwareError(DeviceError):
    """The device is not attached (UnifiedPOS E_NOHARDWARE)."""

    code = "E_NOHARDWARE"


class ClaimedError(DeviceError):
    """Another process holds the device (UnifiedPOS E_CLAIMED)."""

    code = "E_CLAIMED"


class OfflineError(DeviceError, ConnectionError):
    """The device went away while in use (UnifiedPOS E_OFFLINE)."""

    code = "E_OFFLINE"


class DeviceTimeoutError(DeviceError, TimeoutError):
    """The device did not answer in time (UnifiedPOS E_TIMEOUT)."""

    code = "E_TIMEOUT"


class BusyError(DeviceError):
    """The device is busy with an earlier request (UnifiedPOS E_BUSY)."""

    code = "E_BUSY"


class FailureError(DeviceError):
    """The device answered garbage or refused (UnifiedPOS E_FAILURE)."""


class PrinterError(DeviceError):
    """The printer cannot print until a person helps."""

    code = "E_EXTENDED"


class PaperEndError(PrinterError):
    """No paper (UnifiedPOS EPTR_REC_EMPTY)."""

    code = "EPTR_REC_EMPTY"


class CoverOpenError(PrinterError):
    """The cover is open (UnifiedPOS EPTR_COVER_OPEN)."""

    code = "EPTR_COVER_OPEN"


class WorkflowError(PosAgentError):
    """The refund workflow was used wrongly: a defect in our code."""


class IllegalTriggerError(WorkflowError):
    """A trigger that has no row, or whose guards all refuse. Nothing was changed."""

    def __init__(self, state: str, trigger: str) -> None:
        super().__init__(f"no transition state={state} trigger={trigger}")
        self.state = state
        self.trigger = trigger


class IncidentFileError(WorkflowError):
    """A file is no incident file, or a newer one; another file helps."""

    code = "E-INCIDENT"


class JournalError(PosAgentError):
    """The journal cannot keep what it was given: no new refunds.

    Args:
        message: For engineers.
        code: More precise than the class's own, such as ``E-DISK1`` (full); empty = the class's.
    """

    code = "E-DISK"

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


class JournalCorruptError(JournalError):
    """The journal file is damaged; it was set aside, never recreated over unsent requests."""

    code = "E-JOURNAL"


class JournalNewerError(JournalError):
    """The journal was written by a newer build and is not touched; that build, or a newer one, helps."""

    code = "E-VERSION"


class JournalFullError(JournalError):
    """The disk is full (E-DISK1), read-only (E-DISK2) or refuses otherwise (E-DISK)."""

    retryable = True


class DuplicateRequestError(JournalError):
    """A request with this id stands in the journal already."""


class BrokerError(PosAgentError):
    """The MQTT broker cannot be used now."""

    code = "E-NET"
    retryable = True


class BrokerUnreachableError(BrokerError, ConnectionError):
    """No TCP or TLS connection to the broker."""


class BrokerRefusedError(BrokerError):
    """The broker refuses, or would by what it said in CONNACK: a reason code of 0x80 or above (MQTT 5, section 2.4)."""

    def __init__(self, message: str, reason_code: int) -> None:
        super().__init__(f"{message} reason_code=0x{reason_code:02x}")
        self.reason_code = reason_code


class ProtocolError(PosAgentError):
    """A message broke the wire contract."""

    code = "E-PROTO"
    #: Answer status of `pos_agent.protocol.messages.AckStatus` that tells the sender why.
    status: ClassVar[str] = "malformed"


class LocalProtocolError(ProtocolError):
    """We were about to send something that the contract forbids: a defect in our code."""


class RemoteProtocolError(ProtocolError):
    """They sent something that the contract forbids."""


class UnsupportedVersionError(RemoteProtocolError):
    """They sent a type or version that this build does not know."""

    status = "unsupported"


class SignatureError(RemoteProtocolError):
    """The signature is missing, wrong, or by a key that is not pinned for this purpose."""

    status = "unknown_terminal"


class EnrolmentError(PosAgentError):
    """The till could not be enrolled, or its certificate not renewed; what it had before still counts.

    Args:
        message: For engineers.
        code: More precise than the class's own: ``E-NET``, ``E-ENROL1`` … ``E-ENROL4``, ``E-RENEW1`` … ``E-RENEW3``.
        retryable: The same call may succeed later.
    """

    code = "E-ENROL"

    def __init__(self, message: str, *, code: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.retryable = retryable


class UnencodableError(PosAgentError):
    """A line with money or an identifier cannot be shown by this printer; the slip is refused."""

    code = "E-PRINT"
