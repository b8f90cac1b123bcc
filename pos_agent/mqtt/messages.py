"""What goes in and out of a connection, in MQTT's own words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

#: PUBACK "No matching subscribers". Source: MQTT 5.0 section 3.4.2.1.
NO_MATCHING_SUBSCRIBERS: Final = 0x10
#: From here on a reason code is a refusal. Source: MQTT 5.0 section 2.4.
REFUSED: Final = 0x80


@dataclass(frozen=True, slots=True)
class Properties:
    """Properties of a PUBLISH that we use.

    Attributes:
        message_expiry_s: The broker drops the message when older; None = never.
    """

    content_type: str = ""
    response_topic: str = ""
    correlation_data: bytes = b""
    message_expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A topic filter; ``$share/group/filter`` for shared ones."""

    topic_filter: str
    qos: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes when we vanish.

    Attributes:
        delay_s: Will Delay Interval: being back before it cancels the will.
    """

    topic: str
    payload: bytes
    qos: int = 1
    is_retained: bool = True
    delay_s: int = 15
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message from the broker. Call `ack` once it is dealt with: until then the broker keeps it.

    Attributes:
        is_duplicate: DUP flag.
        is_retained: It was retained, not just published.
        ack: Sends the PUBACK, on the connection that brought it or not at all; also needed for QoS 0, where it only
            makes room for the next message.
    """

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    is_duplicate: bool
    properties: Properties
    ack: Callable[[], None] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The broker's PUBACK: it holds the message in RAM, nothing more."""

    reason_code: int

    @property
    def is_refused(self) -> bool:
        """Return True for 0x80 and above: not authorized, quota exceeded …"""
        return self.reason_code >= REFUSED

    @property
    def has_no_subscribers(self) -> bool:
        """Return True if nobody listens to the topic now."""
        return self.reason_code == NO_MATCHING_SUBSCRIBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """Whether the broker can be used.

    Attributes:
        is_connected: CONNACK and all SUBACKs are in.
        conn_seq: Number of this connection; rises with each attempt.
        code: Why not: ``E-NET``, ``E-CLOCK``, ``E-CERT``; empty when connected.
        detail: English, for the log.
    """

    is_connected: bool
    conn_seq: int
    code: str = ""
    detail: str = ""
