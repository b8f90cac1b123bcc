"""What is known of the way to the back office, and how it became known."""

import logging
from enum import Enum

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.events import LinkChanged
from pos_agent.mqtt.messages import LinkState
from pos_agent.protocol.messages import BackOfficePresenceMessage

_log = logging.getLogger(__name__)
#: The back office refuses this till's journal: nothing is sent until a person has looked at the card (trust.md 8).
REFUSED_CODE = "E-STOP"


class Claim(Enum):
    """What the back office's presence says; a retained statement may be an old one that the broker kept."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    OFFLINE = "offline"


class LinkView:
    """Joins the state of the connection, the presence and the proofs into `LinkChanged`.

    Present is only what was proved on this connection: a signed answer to our own sync page or an ack of a row that we
    sent. The broker could replay an old presence, it cannot make a proof.
    """

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._told: LinkChanged | None = None
        self._last: BackOfficePresenceMessage | None = None
        self.link = LinkState(is_connected=False, conn_seq=0, code="E-NET")
        self.claim = Claim.UNKNOWN
        self.is_proved = False
        self.code = ""

    @property
    def is_connected(self) -> bool:
        """Return True from CONNACK to loss."""
        return self.link.is_connected

    @property
    def is_present(self) -> bool:
        """Return True if the back office is there."""
        return self.is_connected and self.is_proved and self.claim is not Claim.OFFLINE

    @property
    def may_be_present(self) -> bool:
        """Return True if asking makes sense."""
        return self.is_connected and (self.is_proved or self.claim is not Claim.OFFLINE)

    def take_link(self, link: LinkState) -> None:
        """The connection came or went: whatever was known of the back office is void."""
        self.link = link
        self.claim, self.is_proved = Claim.UNKNOWN, False
        self._tell()

    def take_presence(self, said: BackOfficePresenceMessage) -> tuple[bool, bool]:
        """Take a statement unless it is older than one that is known.

        Returns:
            Whether it was taken, and whether it tells of another start of the back office than the last one.
        """
        if not self._is_news(said):
            return False, False
        last, self._last = self._last, said
        was = self.claim
        is_restart = last is not None and said.instance != last.instance
        if is_restart:
            self.is_proved = False
        self.claim = Claim.ONLINE if said.is_online else Claim.OFFLINE
        if was is not self.claim:
            _log.info("back office %s instance=%s", self.claim.value, said.instance)
        if self.claim is Claim.OFFLINE:
            self.is_proved = False
        self._tell()
        return True, is_restart

    def _is_news(self, said: BackOfficePresenceMessage) -> bool:
        last = self._last
        if last is None:
            return True
        if said.instance != last.instance:
            if said.epoch == last.epoch and said.term and last.term:
                return said.term > last.term  # the back office's own count: a will that comes late is not taken
            return (said.epoch, said.at) > (last.epoch, last.at)
        if said.term != last.term:
            return said.term > last.term
        if said.conn_seq != last.conn_seq:
            return said.conn_seq > last.conn_seq
        # One connection goes from online to offline, never back; the same word again changes nothing but is no replay.
        return last.is_online or not said.is_online

    def prove(self) -> None:
        """A fresh signed answer came: the back office is there."""
        if self.is_connected and not self.is_proved:
            self.is_proved = True
            self.claim = Claim.ONLINE
            self._tell()

    def set_code(self, code: str) -> None:
        """Show a trouble that the connection does not know of."""
        self.code = code
        self._tell()

    def _tell(self) -> None:
        changed = LinkChanged(
            is_broker_connected=self.is_connected,
            is_back_office_present=self.is_present,
            code=self.code if self.is_connected else self.link.code,
        )
        if changed != self._told:
            self._told = changed
            self._sink(changed)
