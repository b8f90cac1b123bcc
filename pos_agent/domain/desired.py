"""Desired configuration (D16, D17, trust.md 13 to 16): words and rules. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class ConfigState(StrEnum):
    """What becomes of a document."""

    STAGED = "staged"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a document is rejected or was rolled back."""

    # rejected, in the order of the checks
    TOO_LARGE = "too_large"
    SIGNATURE = "signature"
    SECOND_SIGNATURE = "second_signature"
    MALFORMED = "malformed"
    OTHER_TERMINAL = "other_terminal"
    OLD_VERSION = "old_version"
    CONFLICT = "conflict"
    VERSION_JUMP = "version_jump"
    SCHEMA = "schema"
    LOCAL_KEY = "local_key"
    MIN_AGENT = "min_agent"
    EXPIRED = "expired"
    # rolled back
    CONFIG = "config"
    HEALTH = "health"
    NO_NETWORK = "no_network"
    KEYS_NOT_PRESSED = "keys_not_pressed"
    STARTS = "starts"
    CRASHES = "crashes"


class ApplyWhen(StrEnum):
    """When a terminal may switch; a refund, a sign-in or a slip is never interrupted."""

    #: The menu or the sign-in screen is shown, and nothing is printing.
    IDLE = "idle"
    #: Nobody is signed in, and nothing is printing.
    SIGNED_OUT = "signed_out"


class HealthCheck(StrEnum):
    """What can be compared with the baseline; the values of `domain.events.DeviceName`."""

    SCANNER = "scanner"
    PRINTER = "printer"
    KEYPAD = "keypad"
    OPERATOR_DISPLAY = "operator_display"
    CUSTOMER_DISPLAY = "customer_display"


#: A document may be this much newer than the highest accepted: a slip of the pen must not use up all versions.
MAX_VERSION_STEP: Final = 1_000_000
#: Keys that belong to this machine; no document may name them.
LOCAL_KEYS: Final = frozenset(
    {
        "terminal.terminal_id",
        "terminal.serial",
        "terminal.data_dir",
        "terminal.runtime_dir",
        "terminal.production",
        "trust.device_key_file",
        "trust.device_key_id",
        "trust.lookup_key_file",
        "broker.cert_file",
        "broker.key_file",
    }
)
#: What one fleet key may change: devices, slips and words. All else takes two (D16): broker, trust, fleet keys, limits,
#: renewal, who is paid, and whatever a later version adds.
_ONE_SIGNATURE: Final = ("devices.", "printing.", "journal.", "terminal.", "policy.text_")
_TWO_SIGNATURES: Final = frozenset({"terminal.merchant_id"})


def needs_two_signatures(changed_keys: Iterable[str]) -> bool:
    """Return whether two different fleet keys must sign a document that changes these dotted keys."""
    return any(key in _TWO_SIGNATURES or not key.startswith(_ONE_SIGNATURE) for key in changed_keys)
