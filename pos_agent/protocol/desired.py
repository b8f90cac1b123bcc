"""Signed desired configuration on the wire (D16, D17): the document that the fleet signs, the report of the terminal.

``cfg/desired`` (retained) carries a `ConfigDesired` in an envelope of `CONFIG_TYPE` with one or two signatures of fleet
keys; no back-office key signs this type and no fleet key signs another. ``cfg/reported`` (retained) carries a
`ConfigReported` in an envelope of `UP_TYPE`, signed by the device key. The same envelope may come as a file.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from pos_agent.domain.desired import ApplyWhen, ConfigState, HealthCheck
from pos_agent.protocol.messages import VERSION

#: Payload type of desired configuration: apart from all others, so that no other key's signature counts (D16).
CONFIG_TYPE: Final = "application/vnd.pos.config+json;v=1"
#: Version of `domain.config`; a document for a later one is REJECTED by this agent.
SCHEMA: Final = 1


def etag_of(payload: bytes) -> str:
    """Return the name of a document: SHA-256 of the exact payload bytes, in hex, whoever signed them."""
    return sha256(payload).hexdigest()


class ConfigDesired(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="config.desired"):
    """cfg/desired (retained): what one terminal shall run, whole, not a difference to what it runs.

    Attributes:
        version: Rises with each document for this terminal; going back is a new, higher version with old content.
        rollout: Which rollout it belongs to; for people.
        issued, not_after: When it was signed, and after which it may not be begun any more.
        min_agent: Oldest version of the agent that understands it, such as ``0.2.0``; empty = any.
        schema: Version of the configuration's schema (`SCHEMA`).
        apply: When the terminal may switch.
        confirm_within_s: Running time after which a trial that is not confirmed is rolled back.
        health: What must not turn red in the trial.
        needs_ack: Confirm only after the back office has answered under the new configuration, also if neither broker
            nor trust changed.
        config: Sections and keys of terminal.toml (docs/config.md), laid over the terminal's own file. A key that is
            left out has the value of that file.
    """

    terminal_id: str
    version: int
    rollout: str
    issued: datetime
    not_after: datetime
    config: dict[str, Any]
    min_agent: str = ""
    schema: int = SCHEMA
    apply: ApplyWhen = ApplyWhen.IDLE
    confirm_within_s: int = 120
    health: tuple[HealthCheck, ...] = (
        HealthCheck.SCANNER,
        HealthCheck.PRINTER,
        HealthCheck.KEYPAD,
        HealthCheck.OPERATOR_DISPLAY,
    )
    needs_ack: bool = False
    v: int = VERSION


class ConfigVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One document. Version 0 and no etag: the terminal's own file alone."""

    version: int = 0
    etag: str = ""


class ConfigAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the last document that came.

    Attributes:
        reason: Why it is rejected, rolled back or waits: see `domain.desired.Reason`; empty = nothing to say.
        detail: English, for engineers; a key, a file, a device; no values of the configuration.
        tries: How often it was in trial.
    """

    version: int
    etag: str
    state: ConfigState
    at: datetime
    reason: str = ""
    detail: str = ""
    tries: int = 0


class ConfigReported(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="config.reported", omit_defaults=True
):
    """cfg/reported (retained): what runs and what was attempted, two statements (D17). Also after a rollback.

    Attributes:
        book_id: Random; another one means that the terminal's record of configurations was lost or begun anew.
        seq: Rises with each change of that record; lower with the same `book_id` is an old report.
        running: What is in effect now, the document in trial while one is.
        attempted: The last document that came, whatever became of it; none = none came.
        previous: What a confirmed document that crashes would be rolled back to.
        highest_version: Highest ever accepted; the next one must be higher.
        fleet_keys: ``kid`` of the pinned keys.
        agent: Version of the agent.
        schema: Version of the configuration's schema that it understands.
        is_clock_trusted: Whether expiry can be judged (D19).
        uptime_s: Of the daemon.
    """

    terminal_id: str
    book_id: str
    seq: int
    running: ConfigVersion
    highest_version: int
    agent: str
    at: datetime
    schema: int = SCHEMA
    attempted: ConfigAttempt | None = None
    previous: ConfigVersion = ConfigVersion()
    fleet_keys: tuple[str, ...] = ()
    is_clock_trusted: bool = False
    uptime_s: int = 0
    v: int = VERSION
